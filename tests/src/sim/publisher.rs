//! The publishers: what the engine's handle does, with the real ring, credits and report slots.
//!
//! ```text
//!   publish: every leg rejects? ─► report slots? ─► credit of each leg? ─► room in the ring? ─► take all, commit
//!   reports: read ─► compared with what the core told ─► slots given back
//! ```

use std::collections::VecDeque;

use ringwire_core::{Frame, Leg, Report, WhenDown};
use ringwire_shards::credit::{Account, Amount, Grantor};
use ringwire_shards::ring::{ClaimError, FrameWriter};
use ringwire_shards::slots::SlotReader;

use super::context::Context;
use super::ledger::{self, LegRecord, Message, PAYLOAD_HEAD, one};
use super::scenario::PublisherPlan;

/// The reading side of a publisher's reports.
#[derive(Debug)]
pub(crate) struct ReportReader {
    pub(crate) reader: SlotReader<Report>,
    /// One slot for each accepted leg.
    pub(crate) slots: Account,
    pub(crate) slots_back: Grantor,
}

#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) index: usize,
    pub(crate) plan: PublisherPlan,
    pub(crate) ring: FrameWriter,
    /// By endpoint.
    pub(crate) accounts: Vec<Account>,
    pub(crate) reports: Option<ReportReader>,
}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotConnected,
    BackPressured,
    ReportsFull,
}

impl Publisher {
    /// Publishes one message, or is refused. `connected` is what the shard last said of each endpoint.
    pub(crate) fn publish(
        &mut self,
        ctx: &mut Context,
        channel: u32,
        legs: &[Leg],
        connected: &[bool],
    ) -> Result<u64, Refusal> {
        let rejects = |leg: &Leg| {
            leg.endpoint()
                .is_some_and(|it| leg.when_down() == WhenDown::Reject && !connected[usize::from(it.0)])
        };
        // The shard's word may be late: a publisher that has not heard it yet has its message accepted.
        if legs.iter().all(rejects) && ctx.random.percent(70) {
            ctx.coverage.refused_not_connected += 1;
            return Err(Refusal::NotConnected);
        }
        let longest = self.plan.payload_max.min(self.ring.frame_len_max() - ringwire_core::frame::PLAIN_LEN);
        let payload_len = ctx.random.between(PAYLOAD_HEAD as u64, longest as u64) as usize;
        // Redis has no keys: one changes nothing but the frame's layout and its cost.
        let key = ctx.random.percent(10).then_some(&b"key"[..]);
        let body_len = payload_len + key.map_or(0, <[u8]>::len);
        let slots = Amount { messages: legs.len() as u64, bytes: 0 };
        if self.reports.as_mut().is_some_and(|reports| !reports.slots.fits(slots)) {
            ctx.coverage.reports_full += 1;
            return Err(Refusal::ReportsFull);
        }
        let costs: Vec<(usize, u32)> = legs
            .iter()
            .filter_map(|leg| Some((usize::from(leg.endpoint()?.0), leg.cost(body_len))))
            .collect();
        if !costs.iter().all(|(endpoint, cost)| self.accounts[*endpoint].fits(one(*cost))) {
            ctx.coverage.back_pressured += 1;
            return Err(Refusal::BackPressured);
        }
        self.commit(ctx, channel, legs, payload_len, key)?;
        for (endpoint, cost) in costs {
            self.accounts[endpoint].take(one(cost));
        }
        if let Some(reports) = &mut self.reports {
            reports.slots.take(slots);
        }
        ctx.coverage.accepted += 1;
        Ok(ctx.ledger.messages[self.index].len() as u64 - 1)
    }

    /// Puts the message into the ring and into the books.
    fn commit(
        &mut self,
        ctx: &mut Context,
        channel: u32,
        legs: &[Leg],
        payload_len: usize,
        key: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let sequence = ctx.ledger.messages[self.index].len() as u64;
        // Most messages are only a payload.
        let is_labelled = ctx.random.percent(50);
        let (tag, intended_ns) = if is_labelled { (ctx.random.next(), ctx.random.next()) } else { (0, 0) };
        let payload = ledger::payload(self.index, sequence, payload_len);
        let frame =
            Frame { channel, sequence, tag, intended_ns, key, payload: Some(&payload), ..Frame::default() };
        let mut claim = match self.ring.try_claim(frame.encoded_len()) {
            Ok(claim) => claim,
            Err(ClaimError::Full | ClaimError::TooLong { .. }) => {
                ctx.coverage.back_pressured += 1;
                return Err(Refusal::BackPressured);
            }
        };
        frame.encode(&mut claim);
        claim.commit();
        let record = |leg: &Leg| LegRecord {
            endpoint: leg.endpoint().map(|it| usize::from(it.0)),
            cost: leg.cost(frame.body_len()),
            when_down: leg.when_down(),
            executed: 0,
            receivers: 0,
            position: 0,
            outcome: None,
            waited: false,
            trips: 0,
        };
        let legs = legs.iter().map(record).collect();
        let message = Message { channel, payload_len, tag, intended_ns, handed_ns: None, legs };
        ctx.ledger.accept(self.index, message);
        Ok(())
    }

    /// Reads some reports: each must be what the core told, in that order.
    pub(crate) fn read_reports(&mut self, ctx: &mut Context, told: &mut VecDeque<Report>, limit: usize) {
        let Some(ReportReader { reader, slots_back, .. }) = &mut self.reports else { return };
        let read = reader.read(limit, |report| {
            let expected = told.pop_front();
            ctx.judge.require(expected == Some(*report), "reports arrive as they were told", || {
                format!("expected {expected:?}, read {report:?}")
            });
        });
        slots_back.give_back(Amount { messages: read as u64, bytes: 0 });
        slots_back.publish();
    }
}
