//! What became of messages, counted.

use ringwire::{KafkaErrorCode, Outcome, Reason, Refusal, Report};
use serde::Serialize;

/// Counts of one publisher. Once every outcome is in, `accepted = delivered + not_sent + unknown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    /// Messages that the engine took.
    pub(crate) accepted: u64,
    /// Messages that it refused at first.
    pub(crate) refused: u64,
    pub(crate) delivered: u64,
    pub(crate) not_sent: u64,
    pub(crate) unknown: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Delivered => self.delivered += 1,
            Outcome::NotSent => self.not_sent += 1,
            Outcome::Unknown => self.unknown += 1,
        }
    }

    /// Accepted messages whose outcome has not come yet.
    pub(crate) fn outstanding(&self) -> u64 {
        self.accepted.saturating_sub(self.delivered + self.not_sent + self.unknown)
    }

    /// Whether each accepted message has one outcome, no more and no less.
    pub(crate) fn adds_up(&self) -> bool {
        self.accepted == self.delivered + self.not_sent + self.unknown
    }
}

/// Why a message was not accepted, in the words of somebody who did not write the program.
pub(crate) fn refusal_cause(refusal: Refusal) -> String {
    match refusal {
        Refusal::NotConnected => "the server was not connected".to_owned(),
        Refusal::BackPressured | Refusal::ReportsFull => {
            "as many messages as are allowed had no outcome yet".to_owned()
        }
        other => other.to_string(),
    }
}

/// Why a message was not delivered, in words.
pub(crate) fn cause(report: &Report) -> String {
    match report.reason {
        Reason::ServerError => {
            format!("the server answered `{}`", String::from_utf8_lossy(report.error_text()))
        }
        Reason::BrokerError => {
            let info = report.broker_error().info();
            format!("the broker answered {} ({}): {}", info.name, report.broker_error().0, info.advice)
        }
        Reason::Expired | Reason::Shutdown if report.broker_error() != KafkaErrorCode::NONE => {
            let (code, words) = (report.broker_error(), report.reason.text());
            let info = code.info();
            format!("{words}; the broker answered {} ({}) last: {}", info.name, code.0, info.advice)
        }
        reason => reason.text().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_is_counted_once() {
        let mut tally = Tally { accepted: 3, refused: 5, ..Tally::default() };
        assert_eq!((tally.outstanding(), tally.adds_up()), (3, false));
        for outcome in [Outcome::Delivered, Outcome::NotSent, Outcome::Unknown] {
            tally.count(outcome);
        }
        assert_eq!((tally.outstanding(), tally.adds_up()), (0, true));
        tally.count(Outcome::Delivered);
        assert_eq!((tally.outstanding(), tally.adds_up()), (0, false));
    }

    #[test]
    fn the_servers_own_words_are_quoted() {
        let mut report = Report { reason: Reason::ServerError, ..Report::default() };
        report.detail[..6].copy_from_slice(b"NOPERM");
        assert_eq!(cause(&report), "the server answered `NOPERM`");
        let report = Report { reason: Reason::ConnectionLost, ..Report::default() };
        assert_eq!(cause(&report), "the connection was lost");
        assert_eq!(refusal_cause(Refusal::NotConnected), "the server was not connected");
        assert_eq!(refusal_cause(Refusal::Closed), "the engine was shut down");
    }
}
