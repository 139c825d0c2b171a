//! What can go wrong with the rig, said so that the reader knows what to do.

use std::fmt;

/// Why the rig, or one run of it, failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RigError {
    /// The system refused something.
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        cause: String,
    },
    /// A contestant or a server failed.
    Contestant {
        /// Its name.
        name: String,
        /// What it said.
        told: String,
    },
    /// A contestant did not end in time and was killed.
    TooSlow {
        /// Its name.
        name: String,
        /// How long it was given.
        seconds: u64,
    },
    /// An option cannot be.
    Option {
        /// The option.
        name: String,
        /// What it was given.
        value: String,
        /// What would be accepted.
        accepted: String,
    },
    /// The rig does not measure what it should.
    Check(String),
}

impl RigError {
    pub(crate) fn system(what: &str, cause: &dyn fmt::Display) -> Self {
        Self::System { what: what.to_owned(), cause: cause.to_string() }
    }

    pub(crate) fn failed(name: &str, told: impl fmt::Display) -> Self {
        Self::Contestant { name: name.to_owned(), told: told.to_string() }
    }
}

impl fmt::Display for RigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System { what, cause } => write!(f, "{what}: {cause}"),
            Self::Contestant { name, told } => write!(f, "{name}: {told}"),
            Self::TooSlow { name, seconds } => {
                write!(
                    f,
                    "{name}: not done after {seconds} s, and ended; fewer messages (--seconds) may help"
                )
            }
            Self::Option { name, value, accepted } => write!(f, "{name}: `{value}` cannot be: {accepted}"),
            Self::Check(words) => write!(f, "the rig does not measure rightly: {words}"),
        }
    }
}

impl std::error::Error for RigError {}
