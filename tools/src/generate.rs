//! `ringwire completions` and `ringwire man`: made from the definition of the command line.

use std::path::Path;
use std::process::ExitCode;

use crate::args::{self, Completions, Man};
use crate::output;

/// The command's name, as a shell knows it.
const NAME: &str = "ringwire";

/// Prints the completions; answers the exit code.
pub(crate) fn completions(plan: &Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(plan.shell, &mut args::definition(), NAME, &mut script);
    output::finish_with(&String::from_utf8_lossy(&script))
}

/// Prints the manual page, or writes all of them; answers the exit code.
pub(crate) fn man(plan: &Man) -> ExitCode {
    let written = match &plan.folder {
        None => page(),
        Some(folder) => pages(folder),
    };
    match written {
        Ok(text) => output::finish_with(&text),
        Err(words) => output::end(Some(&words.into())),
    }
}

fn page() -> Result<String, String> {
    let mut page = Vec::new();
    let written = clap_mangen::Man::new(args::definition()).render(&mut page);
    written.map_err(|error| format!("the manual page cannot be written: {error}"))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Answers nothing to print.
fn pages(folder: &Path) -> Result<String, String> {
    let named = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(named)?;
    clap_mangen::generate_to(args::definition(), folder).map_err(named)?;
    Ok(String::new())
}
