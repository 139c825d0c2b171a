//! What a reader must know to judge the figures, in the words of every output.

use super::measure::{REPEATS_OF_A_CELL, REPEATS_OF_A_RUN, STOLEN_SHARE_MAX};
use super::plan::{Plan, WINDOW, thousands};
use crate::machine::Cores;
use crate::noise::GAP_MIN_NS;

pub(super) fn notes(plan: &Plan, cores: &Cores) -> Vec<String> {
    let mut notes = vec![
        format!(
            "{} repetitions of {} s ({} of what decoding is judged by, {} of {:.1} s for the cost of publish and the \
             tails of acknowledgement and subscriber at 100,000/s: a stall of the host, which takes milliseconds, spoils one short run and not the \
             middle of a few long ones; {} for what no promise hangs on, and half as long under many loads), each \
             a process of its own; in every round the contestants run in an order shuffled by seed {}.",
            plan.repetitions,
            plan.seconds,
            plan.judged,
            plan.tail.1,
            plan.seconds * plan.tail.0,
            plan.others,
            plan.seed
        ),
        "Figures are medians of the repetitions with the lowest and the highest; intervals are 95 % bootstrap intervals \
         over the repetitions, which are few: take them as rough."
            .to_owned(),
        "Latency counts from the time at which a message was due, also when it was handed over late. The generator skips \
         nothing and never slows down."
            .to_owned(),
        format!(
            "INVALID marks a run in which messages failed, or whose generator was so late (99th percentile) that the \
             figure tells more of the rig or the machine than of the contestant, or of whose time the hypervisor gave more \
             than {:.0} % to others. One that was late or robbed is repeated, up to {REPEATS_OF_A_RUN} times and up to {REPEATS_OF_A_CELL} times for a contestant in a comparison, \
             and only the last repetition is kept: each table says how many there were. What is still invalid then stays \
             in the medians: leaving it out would flatter the fastest. Where more than half are invalid, a goal is not \
             judged. Gaps are counted from {} µs.",
            STOLEN_SHARE_MAX * 100.0,
            GAP_MIN_NS / 1_000
        ),
        "null and null-sleep are the rig itself: a message is answered the moment it is handed over, so that what they show \
         is the lateness of a generator that spins, and of one that sleeps as the foreign clients' do."
            .to_owned(),
        "CPU is the contestant's whole process, user and system, from the first counted message to the last answer, as \
         it says itself; the kernel's figure for its whole life stands beside it in results.json. redis-benchmark tells \
         no such time: its whole life counts."
            .to_owned(),
        "Where a contestant spins (ringwire and the floor, for latency) its CPU is the time that passed, and says \
         nothing about its work."
            .to_owned(),
        "Every client has a configuration for latency and one for throughput, printed above. The latency goals are judged \
         in the first, the CPU goals in the second. ringwire's second one (idle: moderate) sleeps a fixed time between \
         turns: it costs up to that time each way, as its latency beside it shows."
            .to_owned(),
        format!(
            "In the flood ringwire has its default credit outstanding, as an application has that does not ask for less; \
             `ringwire, {WINDOW}` is the same with the others' window, where its shard parks between windows."
        ),
    ];
    if plan.repetitions < 5 {
        notes
            .push(format!("{} repetitions are too few to rely on: this was a quick look.", plan.repetitions));
    }
    if cores.all.len() < 3 {
        notes.push(format!(
            "There are {} cores: ringwire's latency is measured with a shard that its publisher drives, as the bare \
             socket is, and the cost of publish with the shard on the server's core, while no server works.",
            cores.all.len()
        ));
    }
    if plan.seconds * plan.repetitions as f64 * 20_000.0 < 100_000.0 {
        notes.push(format!(
            "With {} messages a second and so short a time p99.9 rests on few messages.",
            thousands(20_000)
        ));
    }
    notes
}
