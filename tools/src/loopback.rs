//! `ringwire loopback`: the embedded Redis as a process of its own.

use ringwire_loopback::front;
use ringwire_loopback::redis::Options;
use serde::Serialize;

use crate::args::Loopback;
use crate::output::{self, Failure};
use crate::stop::Stop;

/// Where the servers listen.
#[derive(Serialize)]
struct Places {
    redis: String,
}

/// Serves until the end is asked for; answers what went wrong.
pub(crate) fn run(plan: &Loopback) -> Option<Failure> {
    try_run(plan).err()
}

fn try_run(plan: &Loopback) -> Result<(), Failure> {
    let stop = Stop::listen()?;
    let front = front::spawn(&plan.address, Options::default())
        .map_err(|error| format!("cannot listen on {}: {error}", plan.address))?;
    let places = Places { redis: front.url() };
    if front.addr().is_some_and(|address| !address.ip().is_loopback()) {
        output::complain("anybody who reaches this machine can use it: it has no password");
    }
    let is_printed =
        if plan.json { output::print_json(&places) } else { output::print(&format!("{}\n", places.redis)) };
    if !is_printed {
        // Nobody knows where it is.
        return Err(Failure::told());
    }
    stop.wait();
    Ok(())
}
