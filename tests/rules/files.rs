//! The project's files, as they lie in the checkout.

use std::fs;
use std::path::{Path, PathBuf};

/// What is built, and what git keeps for itself.
const NOT_OURS: [&str; 2] = ["target", ".git"];

pub(crate) struct SourceFile {
    /// From the workspace's root, with `/` between.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the tests lie in the workspace").to_path_buf()
}

/// Every text file whose name `wanted` takes. Other files (data, pictures) hold no rules.
pub(crate) fn all(wanted: impl Fn(&str) -> bool) -> Vec<SourceFile> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the project can be read") {
            let path = entry.expect("a folder of the project can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                if !NOT_OURS.contains(&name) {
                    folders.push(path);
                }
            } else if wanted(name)
                && let Ok(text) = fs::read_to_string(&path)
            {
                let path = path.strip_prefix(&root).expect("it lies below the root");
                found.push(SourceFile { path: path.to_string_lossy().into_owned(), text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Every Rust file.
pub(crate) fn rust() -> Vec<SourceFile> {
    let files = all(|name| name.ends_with(".rs"));
    // A walk that finds nothing would prove nothing.
    for known in ["codec/src/lib.rs", "engine/core/src/lib.rs", "shards/src/ring.rs", "tests/rules/files.rs"]
    {
        assert!(files.iter().any(|file| file.path == known), "{known} is among the files");
    }
    files
}

#[test]
fn what_is_built_is_not_ours() {
    let files = all(|_| true);
    assert!(files.iter().any(|file| file.path == "Cargo.toml"));
    assert!(!files.iter().any(|file| file.path.starts_with("target/") || file.path.starts_with(".git/")));
}
