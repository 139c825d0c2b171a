//! Folders for what a run of the rig needs until its end.

use std::fs;
use std::path::{Path, PathBuf};

use crate::rig::RigError;

/// What all of them are called, before what they are for, the process and the time.
const PREFIX: &str = "ringwire-rig-";

/// A folder of its own, removed when dropped. What rigs left that were killed before they could is removed when the next one
/// makes such a folder.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// In `base`; `purpose` is a word of the name.
    pub(crate) fn new(base: &Path, purpose: &str) -> Result<Self, RigError> {
        let prefix = format!("{PREFIX}{purpose}-");
        remove_stale(base, &prefix);
        // The time tells apart those of one process.
        let path = base.join(format!("{prefix}{}-{}", std::process::id(), ringwire::monotonic_ns()));
        fs::create_dir_all(&path)
            .map_err(|error| RigError::system(&format!("making the folder {}", path.display()), &error))?;
        Ok(Self(path))
    }

    /// Where temporary files belong on this system.
    pub(crate) fn temporary(purpose: &str) -> Result<Self, RigError> {
        Self::new(&std::env::temp_dir(), purpose)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes those whose process is gone.
fn remove_stale(base: &Path, prefix: &str) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let numbers = name.to_str().and_then(|name| name.strip_prefix(prefix)?.split_once('-'));
        let process = numbers.and_then(|(process, _)| process.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_rig_left_is_removed_and_nothing_else() {
        let base = Folder::temporary("test").expect("the folder can be made");
        let make = |name: String| {
            fs::create_dir_all(base.join(&name).join("log")).expect("the folder can be made");
            base.join(&name)
        };
        // No process has this number: the kernel's limit is 2^22.
        let nobody = u32::MAX;
        let gone = make(format!("{PREFIX}a-{nobody}-1"));
        let kept = [
            make(format!("{PREFIX}a-{}-1", std::process::id())),
            make(format!("{PREFIX}b-{nobody}-1")),
            make(format!("{PREFIX}a-x-1")),
            make(format!("ringwire-bench-{nobody}-1")),
        ];
        let own = Folder::new(base.path(), "a").expect("the folder can be made");
        assert!(!gone.exists() && kept.iter().all(|it| it.exists()) && own.path().exists());
        let path = own.path().to_owned();
        drop(own);
        assert!(!path.exists());
    }
}
