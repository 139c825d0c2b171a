//! redis-rs and fred as clients of the p99 rig: `bench/peers/README.md` has the contract.
#![forbid(unsafe_code)]

mod drive;
mod fred_client;
mod measure;
mod plan;
mod redis_client;

use plan::Plan;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() {
    if let Err(failure) = run() {
        eprintln!("{failure}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Failure> {
    let plan = Plan::from_args(std::env::args().skip(1))?;
    // Every thread that is started from here inherits it.
    nix::sys::prctl::set_timerslack(1)?;
    measure::start_watchdog();
    match plan.client.as_str() {
        "redis-rs" => drive::run::<redis_client::Redis>(plan),
        "fred" => drive::run::<fred_client::Fred>(plan),
        other => Err(format!("--client {other}: redis-rs or fred").into()),
    }
}
