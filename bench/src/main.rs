//! Ringwire beside its floor, in one run: the call against a bare ring, the way to the acknowledgement against a bare
//! socket.
//!
//! Rounds of ours and the floor alternate, so that both see the same neighbours on the machine; the table shows the
//! medians of the rounds and their ratio. Two cores are needed, and nothing else should run on them.

mod ack;
mod bare;
mod memory;
mod publish;
mod rounds;
mod server;
mod tsc;

use clap::{Parser, Subcommand};

/// Benchmarks of Ringwire beside the floor that the machine sets.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
    /// Rounds of each kind.
    #[arg(long, default_value_t = 7, global = true)]
    rounds: usize,
    /// Messages per round.
    #[arg(long, default_value_t = 200_000, global = true)]
    messages: u64,
    /// Messages a second, open loop.
    #[arg(long, default_value_t = 100_000, global = true)]
    rate: u64,
    /// Bytes of a message.
    #[arg(long, default_value_t = 128, global = true)]
    bytes: usize,
}

#[derive(Subcommand)]
enum What {
    /// Cost of `publish` against an endpoint that drops, beside a bare rtrb write-and-commit. Publisher on core 0,
    /// spinning shard on core 1.
    Publish,
    /// From the intended send time to the acknowledgement, beside a bare spinning socket. Publisher and host-driven
    /// shard (or the bare socket) on core 0, server on core 1.
    Ack {
        /// A real `redis-server` (found on PATH, started and ended here) instead of the embedded loopback.
        #[arg(long)]
        real: bool,
    },
    /// Resident memory with one shard, a publisher with reports and a subscriber, while messages flow.
    Memory,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let plan =
        rounds::Plan { rounds: args.rounds, messages: args.messages, rate: args.rate, bytes: args.bytes };
    match args.what {
        What::Publish => publish::run(&plan),
        What::Ack { real } => ack::run(&plan, real),
        What::Memory => memory::run(&plan),
    }
}
