//! `ringwire config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::origin::{Origin, RawOrigin};
use crate::help;

#[derive(Args)]
pub(super) struct Raw {
    #[command(subcommand)]
    task: RawTask,
}

#[derive(Subcommand)]
enum RawTask {
    /// Say whether the configuration can be used
    #[command(after_help = help::CONFIG_CHECK_EXAMPLES)]
    Check(RawCheck),
    /// Print the settings that are in force, as TOML; passwords are masked
    #[command(after_help = help::CONFIG_SHOW_EXAMPLES)]
    Show(RawLook),
    /// Print the reference of all settings, as Markdown
    #[command(after_help = help::CONFIG_REFERENCE_EXAMPLES)]
    Reference,
}

#[derive(Args)]
struct RawCheck {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    look: RawLook,
}

#[derive(Args)]
struct RawLook {
    /// The same as --config FILE
    #[arg(value_name = "FILE", conflicts_with_all = ["config", "redis", "kafka"])]
    path: Option<PathBuf>,
    #[command(flatten)]
    origin: RawOrigin,
}

#[derive(Debug, PartialEq)]
pub(crate) struct ConfigPlan {
    pub(crate) task: ConfigTask,
    pub(crate) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfigTask {
    Check { json: bool },
    Show,
    Reference,
}

impl Raw {
    pub(super) fn resolve(self) -> Result<ConfigPlan, String> {
        match self.task {
            RawTask::Check(RawCheck { json, look }) => {
                Ok(ConfigPlan { task: ConfigTask::Check { json }, origin: look.resolve()? })
            }
            RawTask::Show(look) => Ok(ConfigPlan { task: ConfigTask::Show, origin: look.resolve()? }),
            RawTask::Reference => Ok(ConfigPlan { task: ConfigTask::Reference, origin: Origin::default() }),
        }
    }
}

impl RawLook {
    fn resolve(self) -> Result<Origin, String> {
        let mut origin = self.origin.resolve()?;
        origin.file = self.path.or(origin.file);
        Ok(origin)
    }
}
