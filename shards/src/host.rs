//! Where a shard's loop runs: a pinned thread, with or without a glommio executor on it.
//!
//! ```text
//!   spawn(name, core, kind, make)
//!     new thread: pin -> executor (glommio) or none (thread) -> tell the spawner -> duty = make()
//!       loop:  TURNS x duty.turn()          sends, receives and parks by itself, on raw descriptors
//!              every PASS: reactor pass     glommio only: 7 to 13 us for its timers and foreign wakes
//!     Turn::Finished, or a panic  ------->  HostHandle::join
//! ```
//!
//! glommio is not in the data path: the duty is one task that polls raw descriptors and parks in its own
//! `epoll_wait`. That is 3 to 7 times faster than its sockets and wakers, and it keeps this file the only one
//! that names it.
//!
//! # What runs besides the loop
//!
//! glommio starts one helper thread for each executor (its pool for blocking calls), which bears the same name
//! and sleeps on a channel for as long as the executor lives; the plain thread starts nothing. glommio installs no signal
//! handler here: only its stall detector does (`signal-hook`, SIGUSR1), and that is off unless asked for,
//! which this file never does. `tests/host.rs` compares the process's signal masks.
//!
//! # The park bug
//!
//! glommio-ng 0.12.0 can park for ever with runnable tasks if its preemption timer is 1 ms or less. So that timer
//! is an hour (nothing else runs on this executor that could want the core), the loop makes explicit passes,
//! and a guard task sleeps in a loop, so that a timer is always armed: should the executor park wrongly, it
//! is for 10 ms at most.
//!
//! # Panics
//!
//! A panic in `make`, in `turn` or in the duty's `Drop` ends that host alone, and [`HostHandle::join`] returns
//! it. It never unwinds further, aborts or exits. The process's panic hook runs as for any panic; what it
//! prints is the application's to decide.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};

use crate::clock::monotonic_ns;
use crate::cores::{self, CoreNotAllowed};

/// How often glommio's reactor gets a pass. Nothing of ours waits for it: it serves glommio's own timers and wakes. A
/// pass costs about 10 us, for which every message waits, and an allocation or two of glommio's own: both a second
/// apart, they are in no percentile.
const PASS: Duration = Duration::from_secs(1);

/// What one pass sleeps: the shortest time that makes glommio run its reactor (a sleep of zero does not
/// yield to it).
const PASS_SLEEP: Duration = Duration::from_micros(1);

/// How long a wrong park can last.
const GUARD: Duration = Duration::from_millis(10);

/// Turns between two looks at the clock: makes its 20 ns invisible, and keeps a shard that has just been
/// woken, whose clock says that a pass is long overdue, from making the pass before it has handled the
/// message that woke it.
const TURNS: usize = 64;

/// glommio's memory for its own storage I/O, which is not used: the least that it accepts.
const IO_MEMORY_BYTES: usize = 64 << 10;

/// glommio's preemption timer: out of the way (see the park bug).
const PREEMPT: Duration = Duration::from_secs(3600);

/// How long a pass may spin for its timer before it parks.
const SPIN_BEFORE_PARK: Duration = Duration::from_millis(1);

/// A loop's body: the shard.
pub trait Duty {
    /// Does a bounded amount of work, and parks by itself if its idle strategy says so.
    fn turn(&mut self) -> Turn;
}

/// Whether there will be another turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Yes.
    Continue,
    /// No: the duty is dropped, on its thread, and the host ends.
    Finished,
}

/// What hosts the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostKind {
    /// glommio where io_uring works, else a thread; [`HostHandle::fallback`] says why.
    #[default]
    Auto,
    /// A glommio executor, or an error.
    Glommio,
    /// A plain thread.
    Thread,
}

impl fmt::Display for HostKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Glommio => "glommio",
            Self::Thread => "thread",
        })
    }
}

impl FromStr for HostKind {
    type Err = UnknownHostKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "auto" => Ok(Self::Auto),
            "glommio" => Ok(Self::Glommio),
            "thread" => Ok(Self::Thread),
            _ => Err(UnknownHostKind { name: name.to_owned() }),
        }
    }
}

/// Starts a thread called `name`, pinned to `core` if given, makes the duty on it and runs its turns.
///
/// Returns when the thread is pinned and its executor stands; `make` runs after that. Without a core the
/// thread inherits the affinity of the caller.
///
/// # Errors
///
/// [`HostError`]; then no thread is left behind.
pub fn spawn<D, F>(
    name: String,
    core: Option<usize>,
    kind: HostKind,
    make: F,
) -> Result<HostHandle, HostError>
where
    F: FnOnce() -> D + Send + 'static,
    D: Duty + 'static,
{
    let (report, reported) = sync_channel(1);
    let thread = thread::Builder::new()
        .name(name)
        .spawn(move || match caught(|| run(core, kind, make, &report)) {
            Ok(outcome) => outcome,
            Err(panic) => Err(panic),
        })
        .map_err(|error| HostError::Thread { reason: error.to_string() })?;
    match reported.recv() {
        Ok(Ok(Started { kind, fallback, tid })) => Ok(HostHandle { thread, kind, fallback, tid }),
        Ok(Err(error)) => {
            let _ = thread.join();
            Err(error)
        }
        // The thread ended without a report, which it can only by a panic.
        Err(_) => {
            let panic = joined(thread).err();
            let reason = panic.map_or_else(|| "it ended at once".to_owned(), |panic| panic.message);
            Err(HostError::Thread { reason })
        }
    }
}

/// A running host. Dropping it lets the thread go on alone.
#[derive(Debug)]
pub struct HostHandle {
    thread: JoinHandle<Result<(), HostPanic>>,
    kind: HostKind,
    fallback: Option<String>,
    tid: i32,
}

impl HostHandle {
    /// What hosts the loop: [`HostKind::Glommio`] or [`HostKind::Thread`].
    #[must_use]
    pub fn kind(&self) -> HostKind {
        self.kind
    }

    /// Why [`HostKind::Auto`] took a thread, and what to change if glommio is wanted.
    #[must_use]
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// The thread: its name and its identity in this process.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        self.thread.thread()
    }

    /// The kernel's id of the thread, for `taskset`, `chrt` and `/proc`.
    #[must_use]
    pub fn tid(&self) -> i32 {
        self.tid
    }

    /// Whether the loop has ended; `join` then does not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until the loop has ended.
    ///
    /// # Errors
    ///
    /// [`HostPanic`] if it ended by a panic.
    pub fn join(self) -> Result<(), HostPanic> {
        joined(self.thread)
    }
}

fn joined(thread: JoinHandle<Result<(), HostPanic>>) -> Result<(), HostPanic> {
    thread.join().unwrap_or_else(|payload| Err(HostPanic::new(payload.as_ref())))
}

/// What the thread tells its spawner.
struct Started {
    kind: HostKind,
    fallback: Option<String>,
    tid: i32,
}

/// The thread's main function.
fn run<D: Duty + 'static>(
    core: Option<usize>,
    kind: HostKind,
    make: impl FnOnce() -> D + 'static,
    report: &SyncSender<Result<Started, HostError>>,
) -> Result<(), HostPanic> {
    // The spawner waits for exactly one report, so a send cannot fail and never blocks.
    if let Some(Err(error)) = core.map(cores::pin) {
        let _ = report.send(Err(HostError::Core(error)));
        return Ok(());
    }
    let tid = rustix::thread::gettid().as_raw_nonzero().get();
    let executor = if kind == HostKind::Thread { None } else { Some(executor(core)) };
    let (executor, fallback) = match executor {
        None => (None, None),
        Some(Ok(executor)) => (Some(executor), None),
        Some(Err(reason)) if kind == HostKind::Auto => (None, Some(reason)),
        Some(Err(reason)) => {
            let _ = report.send(Err(HostError::Glommio { reason }));
            return Ok(());
        }
    };
    let kind = if executor.is_some() { HostKind::Glommio } else { HostKind::Thread };
    let _ = report.send(Ok(Started { kind, fallback, tid }));
    match executor {
        Some(executor) => executor.run(on_glommio(make)),
        None => on_thread(make),
    }
}

/// A glommio executor on the calling thread, or why there is none.
fn executor(core: Option<usize>) -> Result<LocalExecutor, String> {
    let placement = core.map_or(Placement::Unbound, Placement::Fixed);
    let made = caught(|| {
        LocalExecutorBuilder::new(placement)
            .io_memory(IO_MEMORY_BYTES)
            .preempt_timer(PREEMPT)
            .spin_before_park(SPIN_BEFORE_PARK)
            .make()
    });
    let reason = match made {
        Ok(Ok(executor)) => return Ok(executor),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic.message,
    };
    Err(format!(
        "glommio cannot run here: {reason}; it needs Linux 5.12, io_uring (sysctl kernel.io_uring_disabled=0, and \
         a container policy that allows io_uring_setup) and a locked-memory limit of 512 KiB (ulimit -l)"
    ))
}

async fn on_glommio<D: Duty>(make: impl FnOnce() -> D) -> Result<(), HostPanic> {
    let guard = glommio::spawn_local(async {
        loop {
            glommio::timer::sleep(GUARD).await;
        }
    });
    let mut duty = caught(make)?;
    let mut pass_due_ns = monotonic_ns() + PASS.as_nanos() as u64;
    let ended = loop {
        match caught(|| turns(&mut duty)) {
            Ok(Turn::Continue) => {}
            Ok(Turn::Finished) => break Ok(()),
            Err(panic) => break Err(panic),
        }
        if monotonic_ns() >= pass_due_ns {
            glommio::timer::sleep(PASS_SLEEP).await;
            pass_due_ns = monotonic_ns() + PASS.as_nanos() as u64;
        }
    };
    let dropped = caught(move || drop(duty));
    guard.cancel().await;
    ended.and(dropped)
}

fn on_thread<D: Duty>(make: impl FnOnce() -> D) -> Result<(), HostPanic> {
    let mut duty = caught(make)?;
    let ended = loop {
        match caught(|| turns(&mut duty)) {
            Ok(Turn::Continue) => {}
            Ok(Turn::Finished) => break Ok(()),
            Err(panic) => break Err(panic),
        }
    };
    ended.and(caught(move || drop(duty)))
}

/// A few turns, or fewer if one is the last.
fn turns(duty: &mut impl Duty) -> Turn {
    for _ in 0..TURNS {
        if duty.turn() == Turn::Finished {
            return Turn::Finished;
        }
    }
    Turn::Continue
}

/// The caller never touches again what a panic may have left inconsistent, except to drop it.
fn caught<T>(call: impl FnOnce() -> T) -> Result<T, HostPanic> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| HostPanic::new(payload.as_ref()))
}

/// The loop ended by a panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPanic {
    /// The panic's message.
    pub message: String,
}

impl HostPanic {
    fn new(payload: &(dyn Any + Send)) -> Self {
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (_, Some(text)) => text.clone(),
            _ => "a panic without a message".to_owned(),
        };
        Self { message }
    }
}

impl fmt::Display for HostPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a shard's loop panicked: {}", self.message)
    }
}

impl Error for HostPanic {}

/// Why a host could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostError {
    /// The thread cannot be pinned there.
    Core(CoreNotAllowed),
    /// There is no glommio here; the text says what it needs.
    Glommio {
        /// Why.
        reason: String,
    },
    /// The thread could not be started.
    Thread {
        /// What the system answered.
        reason: String,
    },
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core(error) => error.fmt(f),
            Self::Glommio { reason } => f.write_str(reason),
            Self::Thread { reason } => write!(f, "the shard's thread could not be started: {reason}"),
        }
    }
}

impl Error for HostError {}

/// There is no such host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownHostKind {
    /// What was given.
    pub name: String,
}

impl fmt::Display for UnknownHostKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown host `{}`: use `auto`, `glommio` or `thread`", self.name)
    }
}

impl Error for UnknownHostKind {}
