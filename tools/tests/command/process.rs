//! Running the command, with a deadline, and files for it.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ringwire::{Config, Engine, Refusal};
use ringwire_loopback::front::{self, RedisFront};
use ringwire_loopback::redis::Options;
use rustix::process::{Pid, Signal, kill_process};
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
    stdout: Option<Collected>,
    stderr: Option<Collected>,
}

/// What a pipe has given so far, and the thread that reads it.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
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
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RINGWIRE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the command to its end.
pub(crate) fn ringwire<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    Running::start(command(arguments)).end()
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Option<Collected> {
    let mut pipe = pipe?;
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let shared = bytes.clone();
    let thread = std::thread::spawn(move || {
        let mut piece = [0; 64 << 10];
        loop {
            let len = pipe.read(&mut piece).unwrap();
            if len == 0 {
                return;
            }
            shared.lock().unwrap().extend_from_slice(&piece[..len]);
        }
    });
    Some(Collected { bytes, thread })
}

fn so_far(collected: Option<&Collected>) -> String {
    let bytes = collected.unwrap().bytes.lock().unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        Self { child, stdout, stderr }
    }

    /// The same, with a pipe to its standard input.
    pub(crate) fn start_fed(mut command: Command) -> (Self, ChildStdin) {
        let mut running = Self::start({
            command.stdin(Stdio::piped());
            command
        });
        let stdin = running.child.stdin.take().unwrap();
        (running, stdin)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has printed so far.
    pub(crate) fn stdout(&self) -> String {
        so_far(self.stdout.as_ref())
    }

    pub(crate) fn stderr(&self) -> String {
        so_far(self.stderr.as_ref())
    }

    pub(crate) fn end(mut self) -> Ended {
        let mut status = None;
        until("the end of the command", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let text = |collected: Option<Collected>| {
            let Some(Collected { bytes, thread }) = collected else { return String::new() };
            thread.join().unwrap();
            String::from_utf8(std::mem::take(&mut bytes.lock().unwrap())).unwrap()
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
    pub(crate) fn object(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The same of a command that sends.
    pub(crate) fn json(&self) -> Value {
        let value = self.object();
        let [accepted, delivered, not_sent, unknown] =
            ["accepted", "delivered", "not_sent", "unknown"].map(|key| value[key].as_u64().unwrap());
        assert_eq!(accepted, delivered + not_sent + unknown, "{self:?}");
        assert_eq!(self.code == Some(0), value["error"].is_null(), "{self:?}");
        value
    }

    pub(crate) fn count(&self, key: &str) -> u64 {
        self.json()[key].as_u64().unwrap()
    }

    /// Asserts that the command line or the configuration was turned down, in one line with these words.
    pub(crate) fn turned_down(&self, words: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{self:?}");
        assert!(self.stderr.starts_with("ringwire: ") && self.stderr.contains(words), "{words}: {self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(self.stderr.len() < 1_000 && !self.stderr.contains("hunter2"), "{self:?}");
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

/// The same with their channels.
pub(crate) fn executed_on(front: &RedisFront) -> Vec<(Vec<u8>, Vec<u8>)> {
    let executed = front.with(ringwire_loopback::redis::Server::take_executed).unwrap();
    executed.into_iter().map(|it| (it.channel, it.payload)).collect()
}

/// The longest message that the command sends without a configuration file.
pub(crate) fn longest() -> usize {
    let config = Config::new().ring_bytes(8 << 20);
    let engine = Engine::start(config).unwrap();
    let (mut publisher, _reports) = engine.publisher().unwrap();
    match publisher.try_claim(&engine.channel("c").unwrap(), usize::MAX).err() {
        Some(Refusal::TooLong { max }) => max,
        other => panic!("{other:?}"),
    }
}

/// Replays `file` to `front`, with further options.
pub(crate) fn replay(file: &str, front: &RedisFront, options: &[&str]) -> Ended {
    let url = front.url();
    let arguments = ["replay", file, "--channel", "c", "--redis", &url, "--json"];
    ringwire(arguments.iter().chain(options))
}
