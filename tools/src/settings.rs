//! `ringwire config`: what the settings are, and whether they can be.

use std::process::ExitCode;

use serde::Serialize;

use crate::args::{ConfigPlan, ConfigTask, Origin};
use crate::configuration::{Configuration, FileHere};
use crate::output::{self, Failure, Summary};

/// What a check found.
#[derive(Debug, Default, Serialize)]
struct CheckSummary {
    file: Option<String>,
    /// The endpoints' names.
    endpoints: Vec<String>,
    error: Option<Failure>,
}

/// Does what the plan says; answers the exit code.
pub(crate) fn run(plan: &ConfigPlan) -> ExitCode {
    match plan.task {
        ConfigTask::Check { json } => output::finish(&check(&plan.origin), json),
        ConfigTask::Show => match Configuration::load(&plan.origin, FileHere::Read) {
            Ok(configuration) => output::finish_with(&configuration.config.to_toml()),
            Err(failure) => output::end(Some(&failure)),
        },
        ConfigTask::Reference => output::finish_with(&ringwire::config::reference()),
    }
}

fn check(origin: &Origin) -> CheckSummary {
    match Configuration::load(origin, FileHere::Read) {
        Ok(configuration) => CheckSummary {
            file: configuration.file.as_ref().map(|file| file.display().to_string()),
            endpoints: configuration.endpoints.into_iter().map(|endpoint| endpoint.name).collect(),
            error: None,
        },
        Err(failure) => CheckSummary { error: Some(failure), ..CheckSummary::default() },
    }
}

impl Summary for CheckSummary {
    fn table(&self) -> String {
        if self.error.is_some() {
            return String::new();
        }
        let file = self.file.as_deref().unwrap_or("no configuration file");
        let endpoints = match self.endpoints.as_slice() {
            [] => "no endpoint: every channel stays in the process".to_owned(),
            [one] => format!("1 endpoint, {one}"),
            several => format!("{} endpoints: {}", several.len(), several.join(", ")),
        };
        format!("{file}: well; {endpoints}\n")
    }

    fn failure(&self) -> Option<&Failure> {
        self.error.as_ref()
    }
}
