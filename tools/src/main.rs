//! The `ringwire` command: shows what the library does, on real quotes or on a file of yours.
//!
//! ```text
//!  args ──► Demo   ──► demo   ──┐                      ┌──► table or one JSON object   stdout
//!      └──► Replay ──► replay ──┼──► Engine ──► Redis  ├──► progress                   stderr
//!                               └──────────────────────┴──► `ringwire: …`, exit code   stderr
//! ```
//!
//! Exit codes: 0 all went well; 1 it did not, and standard error says why; 2 the command line cannot be understood.
#![forbid(unsafe_code)]

mod args;
mod columns;
mod demo;
mod help;
mod latency;
mod ledger;
mod lines;
mod output;
mod pace;
mod progress;
mod quotes;
mod redis;
mod replay;
mod stamp;
mod table;
mod tally;

use std::process::ExitCode;

use args::Command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match args::parse(std::env::args_os()) {
        Ok(Command::Demo(plan)) => output::finish(&demo::run(&plan), plan.json),
        Ok(Command::Replay(plan)) => output::finish(&replay::run(&plan), plan.json),
        Err(unparsed) => unparsed.finish(),
    }
}
