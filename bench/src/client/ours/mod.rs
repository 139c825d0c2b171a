//! Ringwire as an application uses it.

pub(super) mod ack;
pub(super) mod flood;
pub(super) mod kafka;
pub(super) mod memory;
pub(super) mod subscribe;

use std::time::Duration;

use ringwire::{Channel, Config, Engine, HostShard, IdleStrategy, Route};

use super::pace::Patience;
use super::{ClientArgs, PATIENCE_NS};
use crate::rig::RigError;

/// Opening connections to a server that is there.
const OPENING: Duration = Duration::from_nanos(PATIENCE_NS);

/// How a shard waits where the least work is wanted.
fn throughput(args: &ClientArgs) -> IdleStrategy {
    IdleStrategy::Moderate { nap: Duration::from_micros(args.nap_us) }
}

/// How a shard waits, for the report.
fn idle_words(idle: IdleStrategy) -> String {
    match idle {
        IdleStrategy::Moderate { nap } => format!("idle: {idle}, nap_us: {}", nap.as_micros()),
        _ => format!("idle: {idle}"),
    }
}

/// One endpoint that all channels lead to, or two that share them; and quiet ones as asked for.
fn config(args: &ClientArgs) -> Result<Config, RigError> {
    let failed = |error| args.failed(error);
    let mut config = Config::new().redis("main", &args.url()).map_err(failed)?;
    if let Some(second) = args.also {
        config = config.redis("second", &format!("redis://{second}")).map_err(failed)?;
        config = config.route(Route::new("*[02468]").to("main")).route(Route::new("*").to("second"));
    }
    if args.connections > 1 {
        for quiet in 1..args.connections {
            config = config.redis(&format!("quiet-{quiet}"), &args.url()).map_err(failed)?;
        }
        config = config.route(Route::new("*").to("main"));
    }
    Ok(if args.shards > 1 { config.shards(args.shards) } else { config })
}

fn channels(args: &ClientArgs, engine: &Engine) -> Result<Vec<Channel>, RigError> {
    let open = |index| engine.channel(args.channel(index)).map_err(|error| args.failed(error));
    (0..args.channels.max(1)).map(open).collect()
}

/// Opens the quiet connections too, where there are some.
fn connect(args: &ClientArgs, engine: &Engine) {
    if args.connections > 1 {
        engine.connect();
    }
}

fn not_ready(args: &ClientArgs, engine: &Engine) -> RigError {
    let state = engine.status().into_iter().map(|endpoint| {
        let error = endpoint.last_error().map_or_else(String::new, |error| format!(": {error}"));
        format!("{} is {:?}{error}", endpoint.name, endpoint.state())
    });
    args.failed(format_args!("the engine did not connect: {}", state.collect::<Vec<_>>().join("; ")))
}

/// Drives shards of our own until every connection stands.
fn drive_until_ready(args: &ClientArgs, engine: &Engine, shards: &mut [HostShard]) -> Result<(), RigError> {
    let mut patience = Patience::new();
    while !engine.is_ready() {
        for shard in &mut *shards {
            shard.poll();
        }
        if !patience.holds(0, ringwire::monotonic_ns()) {
            return Err(not_ready(args, engine));
        }
    }
    Ok(())
}
