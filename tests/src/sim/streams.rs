//! What each subscription was told, against the journal of its source.
//!
//! ```text
//!   journal   a   b   c   d   e   f   g        (what matches the subscription)
//!   told      Subscribed  c   Gap(1)  e   Gap(reconnected)  g
//!                           d lost ─┘           f, unknown to the core ─┘
//! ```

use ringwire_core::GapReason;

use super::context::Context;
use super::ledger::Execution;
use super::subscriber::{Record, Told};

/// Reasons whose messages the core saw and counted.
fn is_local(reason: GapReason) -> bool {
    !reason.contains(GapReason::RECONNECTED) && !reason.contains(GapReason::UNSUBSCRIBED)
}

/// What stands between two messages of one subscription.
#[derive(Clone, Copy, Debug, Default)]
struct Between {
    gap: GapReason,
    lost: u64,
    gaps: u64,
}

/// Where the stream is.
#[derive(Clone, Copy, Debug)]
enum Last {
    Nothing,
    Subscribed { at_ns: u64, socket: usize },
    Message { position: usize, socket: usize },
}

/// Checks a whole stream. `complete`: the subscription lived on until everything was quiet, and read everything:
/// what is missing at the end is missing for good.
pub(crate) fn stream_is_true(ctx: &mut Context, record: &Record, complete: bool) {
    let journal_index = record.journal(ctx.ledger.bus());
    let bus = journal_index == ctx.ledger.bus();
    if !bus && ctx.ledger.liars[journal_index] {
        return;
    }
    let channels = &ctx.ledger.channels;
    let matching: Vec<(usize, Execution)> = ctx.ledger.journals[journal_index]
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, execution)| record.matches(&channels[execution.channel as usize]))
        .collect();
    let id = record.subscription.id;
    let mut last = Last::Nothing;
    let mut between = Between::default();
    let mut lost_sum = 0;
    for told in &record.told {
        match told {
            Told::Refused => {}
            Told::Subscribed { at_ns, socket } => {
                let first = matches!(last, Last::Nothing) && between.gaps == 0;
                ctx.judge.require(first, "a subscription comes into force once, and before all else", || {
                    format!("subscription {id}: {:?}", record.told)
                });
                last = Last::Subscribed { at_ns: *at_ns, socket: *socket };
            }
            Told::Gap { reason, lost } => {
                ctx.judge.require(!reason.is_none(), "a gap has a reason", || format!("subscription {id}"));
                between.gap = between.gap.with(*reason);
                between.lost += lost;
                between.gaps += 1;
                lost_sum += lost;
            }
            Told::Message { position, socket, .. } => {
                let Some(position) = *position else {
                    ctx.judge.broken(
                        "what arrives was executed before",
                        format!("subscription {id} got a message that its source never executed: {told:?}"),
                    );
                    return;
                };
                let skipped = skipped(&matching, last, position);
                step_is_true(ctx, id, last, between, position, *socket, skipped);
                last = Last::Message { position, socket: *socket };
                between = Between::default();
            }
        }
    }
    if complete {
        end_is_true(ctx, id, last, between, &matching);
        lost_is_counted(ctx, record, lost_sum);
    }
}

/// Entries of the journal that the subscription should have got before `position`, and did not.
fn skipped(matching: &[(usize, Execution)], last: Last, position: usize) -> u64 {
    let missing = matching.iter().filter(|(at, execution)| {
        *at < position
            && match last {
                Last::Nothing => false,
                Last::Subscribed { at_ns, .. } => execution.at_ns > at_ns,
                Last::Message { position, .. } => *at > position,
            }
    });
    missing.count() as u64
}

/// From one message (or the beginning) to the next: in order, once, and what is missing has its gap.
fn step_is_true(
    ctx: &mut Context,
    id: u32,
    last: Last,
    between: Between,
    position: usize,
    socket: usize,
    skipped: u64,
) {
    let words = || {
        format!(
            "subscription {id}: from {last:?} to {position} on socket {socket}: {skipped} skipped, {between:?}"
        )
    };
    let judge = &mut ctx.judge;
    match last {
        Last::Nothing => judge.broken("no message before Subscribed", words()),
        Last::Subscribed { socket: before, .. } | Last::Message { socket: before, .. } => {
            judge.require(
                socket == before || !is_local(between.gap),
                "a gap after every interruption",
                words,
            );
        }
    }
    if let Last::Message { position: before, .. } = last {
        judge.require(position != before, "no message arrives twice", words);
        judge.require(position > before, "messages arrive in the order of their execution", words);
        if is_local(between.gap) {
            judge.require(skipped == between.lost, "lost counts what the ring did not take", words);
        }
    }
    judge.require(skipped == 0 || between.gaps > 0, "what is missing has its gap", words);
    if is_local(between.gap) {
        judge.require(skipped <= between.lost, "lost counts what the ring did not take", words);
    } else if matches!(last, Last::Message { .. }) {
        judge.require(skipped >= between.lost, "lost counts what the ring did not take", words);
    }
}

/// After the last message nothing is missing without a gap.
fn end_is_true(ctx: &mut Context, id: u32, last: Last, between: Between, matching: &[(usize, Execution)]) {
    let skipped = skipped(matching, last, usize::MAX);
    ctx.judge.require(!matches!(last, Last::Nothing), "a subscription comes into force in the end", || {
        format!("subscription {id} was never told so")
    });
    let ok = if is_local(between.gap) { skipped == between.lost } else { between.gaps > 0 };
    let unknown_start = matches!(last, Last::Nothing | Last::Subscribed { .. });
    let ok = ok || (unknown_start && skipped <= between.lost);
    ctx.judge.require(ok, "what is missing has its gap", || {
        format!("subscription {id}: from {last:?} to the end: {skipped} skipped, {between:?}")
    });
}

/// All gaps of a subscription together count each message that its ring refused, and each that stood behind a
/// refused notice.
fn lost_is_counted(ctx: &mut Context, record: &Record, lost_sum: u64) {
    let refused = record.full + record.too_long;
    ctx.judge.require(lost_sum >= refused, "lost counts what the ring did not take", || {
        format!("subscription {}: {lost_sum} in gaps, {refused} refused", record.subscription.id)
    });
}
