//! `ringwire completions` and `ringwire man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Args)]
pub(super) struct RawCompletions {
    /// The shell
    shell: Shell,
}

#[derive(Args)]
pub(super) struct RawMan {
    /// Write a page for each command into this folder, instead of printing the first
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Completions {
    pub(crate) shell: Shell,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Man {
    /// `None` prints the page of the whole command.
    pub(crate) folder: Option<PathBuf>,
}

impl RawCompletions {
    pub(super) fn resolve(self) -> Completions {
        Completions { shell: self.shell }
    }
}

impl RawMan {
    pub(super) fn resolve(self) -> Man {
        Man { folder: self.dir }
    }
}
