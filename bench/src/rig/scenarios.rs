//! Every scenario of a plan, one after the other.

use super::RigError;
use super::measure::Measure;
use super::plan::{CasePlan, Plan, Scenario};
use super::progress::{self, Progress};
use crate::machine::Cores;
use crate::probe::Probe;
use crate::results::Results;
use crate::server::Server;

/// Measures everything that is planned, into `results`.
pub(super) fn run(
    plan: &Plan,
    measure: &mut Measure<'_>,
    (server, cores, probe): (&Server, &Cores, &Probe),
    results: &mut Results,
) -> Result<(), RigError> {
    let count = cores.all.len();
    let all: Vec<CasePlan> = plan.scenarios.iter().flat_map(|it| plan.cases(*it, &[], count)).collect();
    let runs = all.iter().map(CasePlan::runs).sum();
    let seconds = all.iter().map(CasePlan::estimate).sum();
    let mut progress = Progress::new(runs, seconds);
    let (length, on) = (progress::words(seconds), &results.conditions.server);
    progress.say(&format!("{runs} runs, {length}; server: {on}; seed {}", plan.seed));
    let url = format!("redis://{}", server.address);
    for scenario in &plan.scenarios {
        match scenario {
            Scenario::Allocations => results.facts.push(probe.allocations(&url, &cores.client)),
            Scenario::Memory => results.facts.push(probe.memory(&url, &cores.all)),
            _ => {}
        }
        for case in plan.cases(*scenario, &results.cases, count) {
            let measured = measure.case(&case, results, &mut progress)?;
            results.cases.push(measured);
        }
    }
    progress.done();
    // In the order of the tables, and not of the shuffled runs.
    let place = |name: &str| plan.contestants.iter().position(|it| it.name == name);
    results.contestants.sort_by_key(|it| place(&it.name));
    Ok(())
}
