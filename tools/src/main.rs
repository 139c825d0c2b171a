//! The `ringwire` command: publishes, subscribes, looks at endpoints, and shows what the library does.
//!
//! ```text
//!  args ──► a plan ──► demo, publish, subscribe, ──► Engine ──► server ─► messages, tables, JSON    stdout
//!                      replay, status             └─ Configuration        progress                  stderr
//!                      config, loopback, bench, completions, man                 `ringwire: …`, exit code  stderr
//! ```
//!
//! Exit codes: 0 all went well; 1 it did not, and standard error says why; 2 the command line or the configuration
//! cannot be used.
#![forbid(unsafe_code)]

mod args;
mod columns;
mod configuration;
mod demo;
mod endpoints;
mod generate;
mod help;
mod input;
mod latency;
mod ledger;
mod lines;
mod loopback;
mod output;
mod pace;
mod positions;
mod progress;
mod publish;
mod quotes;
mod replay;
mod running;
mod sender;
mod settings;
mod stamp;
mod status;
mod stop;
mod subscribe;
mod table;
mod tally;
mod topics;

use std::process::ExitCode;

use args::Command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match args::parse(std::env::args_os()) {
        Ok(Command::Demo(plan)) => output::finish(&demo::run(&plan), plan.json),
        Ok(Command::Publish(plan)) => output::finish(&publish::run(&plan), plan.json),
        Ok(Command::Subscribe(plan)) => output::end(subscribe::run(&plan).as_ref()),
        Ok(Command::Replay(plan)) => output::finish(&replay::run(&plan), plan.json),
        Ok(Command::Status(plan)) => output::finish(&status::run(&plan), plan.json),
        Ok(Command::Config(plan)) => settings::run(&plan),
        Ok(Command::Topics(plan)) => output::finish(&topics::run(&plan), plan.asking.json),
        Ok(Command::CreateTopic(plan)) => output::finish(&topics::create(&plan), plan.asking.json),
        Ok(Command::Loopback(plan)) => output::end(loopback::run(&plan).as_ref()),
        Ok(Command::Bench(plan)) => output::end(bench(*plan).as_ref()),
        Ok(Command::Completions(plan)) => generate::completions(&plan),
        Ok(Command::Man(plan)) => generate::man(&plan),
        Err(unparsed) => unparsed.finish(),
    }
}

/// The rig of `bench/`, which shows its own progress and its own report.
fn bench(plan: ringwire_bench::rig::RigArgs) -> Option<output::Failure> {
    let error = ringwire_bench::rig::run(plan).err()?;
    Some(match error {
        ringwire_bench::rig::RigError::Option { .. } => output::Failure::usage(error.to_string()),
        _ => error.to_string().into(),
    })
}
