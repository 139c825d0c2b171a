//! One channel of one endpoint with both its ends: a publisher with reports, and a subscriber.

use ringwire::{
    Channel, Config, Counters, EndpointReport, EndpointState, Engine, Event, Outcome, Publisher, Refusal,
    Report, Reports, Subscriber,
};

use crate::patience::{PATIENCE, until};

pub(crate) const CHANNEL: &str = "fx.eurusd";

pub(crate) struct Line {
    pub(crate) engine: Engine,
    pub(crate) channel: Channel,
    pub(crate) publisher: Publisher,
    pub(crate) reports: Reports,
    pub(crate) subscriber: Subscriber,
}

impl Line {
    /// Opens it; nothing is waited for.
    pub(crate) fn open(config: Config) -> Self {
        let engine = Engine::start(config).expect("the engine starts");
        let channel = engine.channel(CHANNEL).expect("a channel opens");
        let (publisher, reports) = engine.publisher().expect("a publisher opens");
        let mut subscriber = engine.subscriber().expect("a subscriber opens");
        subscriber.subscribe(CHANNEL).expect("a subscription opens");
        Self { engine, channel, publisher, reports, subscriber }
    }

    /// Opens it, and waits for both connections.
    pub(crate) fn up(config: Config) -> Self {
        let line = Self::open(config);
        line.await_ready();
        line
    }

    pub(crate) fn await_ready(&self) {
        assert!(self.engine.wait_ready(PATIENCE), "{:?}", self.engine.status());
    }

    pub(crate) fn status(&self) -> EndpointReport {
        self.engine.status().remove(0)
    }

    /// Waits until `holds` is true of the status, and answers that.
    pub(crate) fn await_status(
        &self,
        what: &str,
        mut holds: impl FnMut(&EndpointReport) -> bool,
    ) -> EndpointReport {
        let mut status = self.status();
        until(what, || {
            status = self.status();
            holds(&status)
        });
        status
    }

    /// Waits until the publish lane is in `state`, and `word` in its error; answers the status.
    pub(crate) fn await_publish(&self, state: EndpointState, word: &str) -> EndpointReport {
        self.await_status(&format!("{} publishing with {word:?}", state.name()), |status| {
            let error = status.publish.last_error.as_ref().map(ToString::to_string);
            status.publish.state == state && error.unwrap_or_default().contains(word)
        })
    }

    pub(crate) fn publish(&mut self, payload: &[u8]) -> Result<u64, Refusal> {
        self.publisher.publish(&self.channel, payload)
    }

    /// Waits for the next outcome.
    pub(crate) fn outcome(&mut self) -> Report {
        let mut found = None;
        until("an outcome", || self.reports.poll(1, |report| found = Some(*report)) == 1);
        found.expect("it was polled")
    }

    /// One message, which has to be delivered.
    pub(crate) fn deliver(&mut self, payload: &[u8]) {
        self.publish(payload).expect("it is accepted");
        let report = self.outcome();
        assert_eq!(report.outcome, Outcome::Delivered, "{report:?}");
    }

    /// What the subscriber is told until a message with `payload`: payloads, and notices in words.
    pub(crate) fn hear(&mut self, payload: &str) -> Vec<String> {
        let mut told = Vec::new();
        until("a message", || {
            self.subscriber.poll(1, |delivery| told.push(in_words(&delivery.event)));
            told.last().is_some_and(|last| last == payload)
        });
        told
    }
}

/// A message by its payload, a notice by its name.
pub(crate) fn in_words(event: &Event<'_>) -> String {
    match event {
        Event::Message { payload, .. } => String::from_utf8_lossy(payload).into_owned(),
        Event::Gap { reason, lost } => format!("gap: {reason}, {lost}"),
        Event::Subscribed => "subscribed".to_owned(),
        Event::Refused { error } => format!("refused: {}", String::from_utf8_lossy(error)),
    }
}

/// The first endpoint's counters, once they tell the outcome of every message: a shard tells them at the end of each
/// of its turns, behind the reports.
pub(crate) fn settled(engine: &Engine) -> Counters {
    let mut counters = Counters::default();
    until("the counters to add up", || {
        counters = engine.status().remove(0).counters;
        let ended = counters.delivered + counters.not_sent + counters.unknown;
        counters.in_flight == 0 && counters.accepted == ended
    });
    counters
}
