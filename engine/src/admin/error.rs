//! Why a cluster did not answer, or not as it was hoped.

use std::fmt;

use ringwire_core::KafkaErrorCode;

/// What went wrong, with which broker, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminError {
    /// No connection, or it broke.
    Unreachable {
        /// Host and port.
        broker: String,
        /// The system's words.
        why: String,
    },
    /// It answered what is no answer, or speaks no version that we do.
    Protocol {
        /// Host and port.
        broker: String,
        /// What was wrong.
        why: String,
    },
    /// It answered with an error.
    Refused {
        /// Host and port.
        broker: String,
        /// What was asked about.
        what: String,
        /// The error.
        code: KafkaErrorCode,
        /// The broker's own words; empty if it had none.
        words: String,
    },
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { broker, why } => write!(
                f,
                "{broker} does not answer: {why}; check the address, and that a Kafka listens there without TLS"
            ),
            Self::Protocol { broker, why } => {
                write!(f, "{broker} does not answer as a Kafka of version 2.1 or newer does: {why}")
            }
            Self::Refused { broker, what, code, words } => {
                write!(f, "{what}: {broker} answered {code}")?;
                if !words.is_empty() {
                    write!(f, ", `{words}`")?;
                }
                write!(f, "; {}", code.info().advice)
            }
        }
    }
}

impl std::error::Error for AdminError {}
