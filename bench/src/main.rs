//! Ringwire's rig as a program of its own: the same as `ringwire bench`.

use std::process::ExitCode;

use clap::Parser;
use ringwire_bench::rig::{self, RigArgs};

/// Ringwire's rig.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Measures Ringwire beside its floor and its peers.
    #[command(alias = "bench")]
    Rig(Box<RigArgs>),
}

fn main() -> ExitCode {
    let What::Rig(args) = Args::parse().what;
    match rig::run(*args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
