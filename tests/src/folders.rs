//! Temporary folders of servers: each says whose it is, so that what a killed test process left behind can be removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// Before the server's kind, the test process' id and the server's port.
const NAME: &str = "ringwire-test";

/// A new folder for a server of this kind, which listens at this port.
///
/// # Panics
///
/// Temporary folders cannot be made.
pub fn for_server(kind: &str, port: u16) -> PathBuf {
    static SWEEP: Once = Once::new();
    SWEEP.call_once(sweep);
    let folder = std::env::temp_dir().join(format!("{NAME}-{}-{kind}-{port}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder can be made");
    folder
}

/// Removes the folders of test processes that are no more.
fn sweep() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(NAME).and_then(|rest| rest.split('-').nth(1)?.parse::<u32>().ok());
        if owner.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
            // Another test process may do the same just now.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
