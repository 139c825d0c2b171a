//! The server of a run, as a process of its own: a real `redis-server` where there is one, else the embedded loopback.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ringwire_loopback::front::{self, Idle};
use ringwire_loopback::redis::Options;

use crate::child::{self, Running};
use crate::rig::RigError;
use rustix::process::Signal;

/// A server on this machine listens long before that, or never.
const START: Duration = Duration::from_secs(10);
/// How often the rig looks whether it listens already.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Starts of `redis-server`: the free port that was found may be taken by somebody else meanwhile.
const ATTEMPTS: usize = 3;

/// A server that runs; ended when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// What it is, in words.
    pub(crate) words: String,
    child: Running,
}

/// The server does not run until this is dropped.
pub(crate) struct Paused<'a>(&'a Server);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.child.signal(Signal::CONT);
    }
}

/// A program on PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

impl Server {
    /// A real one if there is one and `embedded` does not forbid it.
    ///
    /// # Errors
    /// None can be started.
    pub(crate) fn start(
        embedded: bool,
        own: &[String],
        cores: &[usize],
        spins: bool,
    ) -> Result<Self, RigError> {
        match on_path("redis-server") {
            Some(program) if !embedded => Self::real(&program, own, cores),
            found => {
                let why = if found.is_some() { "asked for" } else { "no redis-server on PATH" };
                Self::embedded(own, cores, spins, why)
            }
        }
    }

    /// Has it run before all others on its core whenever there is work for it. Answers whether the kernel agreed, which it
    /// does for those who may set priorities.
    pub(crate) fn goes_first(&self) -> bool {
        let process = self.child.id().to_string();
        let mut chrt = Command::new("chrt");
        chrt.args(["--fifo", "--pid", "1", &process]).stdout(Stdio::null()).stderr(Stdio::null());
        chrt.status().is_ok_and(|status| status.success())
    }

    /// Stops it: it keeps its connections, and uses no core.
    pub(crate) fn pause(&self) -> Paused<'_> {
        self.child.signal(Signal::STOP);
        Paused(self)
    }

    fn real(program: &PathBuf, own: &[String], cores: &[usize]) -> Result<Self, RigError> {
        let mut last = RigError::failed("redis-server", "it was not started");
        for _ in 0..ATTEMPTS {
            match Self::real_once(program, own, cores) {
                Ok(server) => return Ok(server),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn real_once(program: &PathBuf, own: &[String], cores: &[usize]) -> Result<Self, RigError> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| RigError::system("finding a free port", &error))?;
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
        let mut child = child::start_tethered("redis-server", own, &command, cores)?;
        child.wait_line(|line| line.contains("Ready to accept connections"), START)?;
        let deadline = Instant::now() + START;
        while let Err(error) = TcpStream::connect(address) {
            if Instant::now() > deadline {
                return Err(RigError::system("connecting to redis-server", &error));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let words = format!("{}, no persistence, started and ended by this run", version(program));
        Ok(Self { address, words, child })
    }

    fn embedded(own: &[String], cores: &[usize], spins: bool, why: &str) -> Result<Self, RigError> {
        let [program, words @ ..] = own else {
            return Err(RigError::failed("embedded server", "this program does not know its own name"));
        };
        let mut command = Command::new(program);
        command.args(words).arg("server").args(spins.then_some("--spin"));
        let mut child = child::start("embedded server", command, cores)?;
        let line = child.wait_line(|line| line.starts_with(LISTENING), START)?;
        let address = line[LISTENING.len()..].trim().parse();
        let address =
            address.map_err(|_| RigError::failed("embedded server", format_args!("it said `{line}`")))?;
        let idle = if spins { ", spinning" } else { "" };
        let words = format!("Ringwire's embedded loopback{idle} ({why}): not a real Redis");
        Ok(Self { address, words, child })
    }
}

/// `Redis server v=7.0.15 sha=…` in two words.
fn version(program: &PathBuf) -> String {
    let output = Command::new(program).arg("--version").output().map(|it| it.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output).into_owned();
    let number =
        text.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("of unknown version");
    format!("redis-server {number}")
}

/// An embedded server's first words.
pub(crate) const LISTENING: &str = "listening on ";

/// Serves until it is killed, or until whoever started it is gone.
///
/// # Errors
/// It cannot listen.
pub(crate) fn serve(spins: bool) -> Result<(), RigError> {
    let idle = if spins { Idle::Spin } else { Idle::Block };
    let front = front::spawn_idling("127.0.0.1:0", Options::default(), idle)
        .map_err(|error| RigError::system("listening on 127.0.0.1", &error))?;
    let address = front.addr().ok_or_else(|| RigError::failed("embedded server", "it has no address"))?;
    println!("{LISTENING}{address}");
    live_with_parent();
    Ok(())
}

/// Returns once whoever started this process is gone.
pub(crate) fn live_with_parent() {
    let parent = rustix::process::getppid();
    while rustix::process::getppid() == parent {
        std::thread::sleep(PARENT_EVERY);
    }
}

/// How often an embedded server looks whether the rig still lives.
const PARENT_EVERY: Duration = Duration::from_millis(500);
