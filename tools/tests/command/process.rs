//! Running the command, with a deadline, and files for it.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ringwire_loopback::front::{self, RedisFront};
use ringwire_loopback::redis::Options;
use serde_json::Value;

/// Longer than anything here takes, on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// The project's recorded quotes.
pub(crate) const QUOTES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/data/eurusd-quotes.csv");
/// Nothing listens on the discard port of the loopback interface.
pub(crate) const NOBODY: &str = "redis://127.0.0.1:9";

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// A command that runs; it is killed if it is dropped before it ended.
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringwire"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the command to its end.
pub(crate) fn ringwire<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    Running::start(command(arguments)).end()
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Option<JoinHandle<Vec<u8>>> {
    let mut pipe = pipe?;
    Some(std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    }))
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        Self { child, stdout, stderr }
    }

    pub(crate) fn end(mut self) -> Ended {
        let mut status = None;
        until("the end of the command", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let text = |pipe: Option<JoinHandle<Vec<u8>>>| {
            let bytes = pipe.map_or_else(Vec::new, |thread| thread.join().unwrap());
            String::from_utf8(bytes).unwrap()
        };
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        let ended = Ended { code: status.unwrap().code(), stdout, stderr };
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The one JSON object on standard output.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        let value: Value = serde_json::from_str(&self.stdout).unwrap();
        let [accepted, delivered, not_sent, unknown] =
            ["accepted", "delivered", "not_sent", "unknown"].map(|key| value[key].as_u64().unwrap());
        assert_eq!(accepted, delivered + not_sent + unknown, "{self:?}");
        assert_eq!(self.code == Some(0), value["error"].is_null(), "{self:?}");
        value
    }

    pub(crate) fn count(&self, key: &str) -> u64 {
        self.json()[key].as_u64().unwrap()
    }

    /// Asserts that it failed, as it should, with these words on standard error.
    pub(crate) fn failed(&self, words: &str) {
        assert_eq!(self.code, Some(1), "{self:?}");
        let last = self.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("ringwire: ") && last.contains(words), "{words}: {self:?}");
    }
}

/// A file that is removed in the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(bytes: impl AsRef<[u8]>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ringwire-command-{}-{number}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A Redis that remembers what it executed.
pub(crate) fn journalling() -> RedisFront {
    front::spawn("127.0.0.1:0", Options { journal: true, ..Options::default() }).unwrap()
}

/// The messages that were executed since the last call.
pub(crate) fn executed(front: &RedisFront) -> Vec<Vec<u8>> {
    let executed = front.with(ringwire_loopback::redis::Server::take_executed).unwrap();
    executed.into_iter().map(|it| it.payload).collect()
}

/// Replays `file` to `front`, with further options.
pub(crate) fn replay(file: &str, front: &RedisFront, options: &[&str]) -> Ended {
    let url = front.url();
    let arguments = ["replay", file, "--channel", "c", "--redis", &url, "--json"];
    ringwire(arguments.iter().chain(options))
}
