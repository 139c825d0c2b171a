//! The rig: Ringwire, its floor and its peers under the same load on the same machine, and a report of what was found.
//!
//! ```text
//!   plan ── cases, rounds, a shuffled order ──► measure ── one child process for each run ──► results
//!     ▲                                            │                                            │
//!     └── flags                                    └── server, schedules, payloads, noise       ▼
//!                                                              terminal, HTML, .hgrm, .hdr, JSON
//! ```

mod error;
mod measure;
mod notes;
mod plan;
mod progress;
mod scenarios;
mod summary;

use std::path::PathBuf;

use clap::Subcommand;

pub use error::RigError;
pub(crate) use measure::Measure;
pub use plan::Scenario;
pub(crate) use plan::{CasePlan, Entrant, draw_seed, thousands};
pub(crate) use progress::{Progress, words as duration_words};
pub(crate) use summary::{Interval, Recorded};

use crate::client::{self, ClientArgs};
use crate::kafka::{self, KafkaArgs};
use crate::load::Shape;
use crate::machine::{self, Conditions, Cores};
use crate::probe::Probe;
use crate::results::{FORMAT, Results};
use crate::server::{self, Server};
use crate::{check, child, contestants, goals, report};
use plan::Plan;

/// The word by which both programs that contain the rig call it: children are started by it.
const OWN_WORD: &str = "bench";

/// Measures Ringwire beside a bare socket and other Redis clients, on this machine, in about five minutes, or nine with
/// all of them.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RigArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// About a minute: 3 repetitions of a quarter of a second, without the sweeps over rates, shapes and sizes.
    #[arg(long, conflicts_with = "long")]
    quick: bool,
    /// Half an hour and more: 10 repetitions of five seconds.
    #[arg(long)]
    long: bool,
    /// Only these scenarios.
    #[arg(long, value_name = "SCENARIO", value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Only these contestants, as in `ringwire,floor,redis-rs`.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    clients: Vec<String>,
    /// Messages a second of the acknowledgement scenario [default: 20000,100000; with --quick 100000].
    #[arg(long, value_name = "MSG_PER_S", value_delimiter = ',',
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rates: Vec<u64>,
    /// Length of one run, in seconds.
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// Repetitions of each run.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    repetitions: Option<u64>,
    /// How due times are spread.
    #[arg(long, value_enum, default_value = "constant")]
    schedule: Shape,
    /// Bytes of a message: 16 to 16384.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(16..=16_384))]
    bytes: u64,
    /// Channels, in turn.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    channels: u32,
    /// Publishers of ours.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=4))]
    publishers: u64,
    /// Reproduces the order of the runs and the schedules; drawn and printed unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// Folder for the report; `ringwire-bench-YYYYMMDD-HHMMSS` unless given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The embedded server, even where there is a redis-server.
    #[arg(long)]
    embedded: bool,
    /// Where the foreign clients are installed.
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Checks the rig itself: a server that delays its answers by known times must be measured so.
    Check {
        /// Folder of the foreign clients, which are checked too; `bench/peers/.installed` of the checkout unless given.
        #[arg(long)]
        peers: Option<PathBuf>,
    },
    /// Kafka: floods, acknowledgements, and Redis beside it, against a real broker and the clients that are installed.
    Kafka(KafkaArgs),
    /// One run of one contestant: what the rig starts.
    #[command(hide = true)]
    Client(Box<ClientArgs>),
    /// Becomes the program after `--`, confined to cores, which ends when its parent does.
    #[command(hide = true)]
    Tether(child::Tether),
    /// The embedded server as a process: what the rig starts where there is no redis-server.
    #[command(hide = true)]
    Server {
        #[arg(long)]
        spin: bool,
        /// A Kafka instead of a Redis.
        #[arg(long, conflicts_with = "spin")]
        kafka: bool,
    },
}

/// Runs the rig, or one of the parts that it starts.
///
/// # Errors
/// [`RigError`] says what could not be measured at all. A contestant that fails is named in the report, and the run
/// goes on.
pub fn run(args: RigArgs) -> Result<(), RigError> {
    match &args.what {
        Some(What::Client(client)) => client::run(client),
        Some(What::Server { kafka: true, .. }) => kafka::serve(),
        Some(What::Server { spin, .. }) => server::serve(*spin),
        Some(What::Tether(tether)) => child::tether(tether),
        Some(What::Kafka(args)) => kafka::run(args),
        Some(What::Check { peers }) => check::run(peers.as_deref(), &own_words()?),
        None => measure(&args),
    }
}

/// This program, called as the rig.
pub(crate) fn own_words() -> Result<Vec<String>, RigError> {
    let program =
        std::env::current_exe().map_err(|error| RigError::system("finding this program", &error))?;
    Ok(vec![program.to_string_lossy().into_owned(), OWN_WORD.to_owned()])
}

fn measure(args: &RigArgs) -> Result<(), RigError> {
    let own = own_words()?;
    let cores = Cores::divide(&machine::allowed());
    cores.keep_away();
    let (contestants, absent) = contestants::find(args.peers.as_deref(), &own);
    let plan = Plan::new(args, contestants)?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("ringwire-bench-{}", machine::date("%Y%m%d-%H%M%S"))));
    // Before five minutes are spent: a folder that cannot be written is known now.
    std::fs::create_dir_all(&out)
        .map_err(|error| RigError::system(&format!("making the folder {}", out.display()), &error))?;
    let probe = Probe::of_redis(plan.needs_probe().then_some(&cores.all[..]));
    let spins = cores.all.len() > 1;
    let mut conditions = Conditions { cores: cores.words(), seed: plan.seed, ..Conditions::read() };
    let server = Server::start(args.embedded, &own, &cores.server, spins)?;
    conditions.server.clone_from(&server.words);
    let absent = absent.into_iter().filter(|it| plan.wants(&it.name)).collect();
    let mut results = Results {
        format: FORMAT,
        conditions,
        repetitions: plan.repetitions,
        absent,
        notes: notes::notes(&plan, &cores),
        ..Results::default()
    };
    let mut measure = Measure::new(&cores, server.address, Some(&server), plan.seed, plan.seconds)?;
    scenarios::run(&plan, &mut measure, (&server, &cores, &probe), &mut results)?;
    results.goals = goals::judge(&results);
    report::write(&out, &results, measure.histograms())?;
    println!("{}", report::table::render(&results));
    println!("written to {}: open report.html", out.display());
    Ok(())
}
