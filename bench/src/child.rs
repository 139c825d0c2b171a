//! One contestant as a child process: started on its cores, waited for with a deadline, measured from outside.
//!
//! ```text
//!   start: a pinned thread spawns it ──► lines of its standard output ──► its end seen through a pidfd
//!          while it is a zombie: CPU and waiting times from /proc ──► reaped
//! ```

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, getppid, kill_process, pidfd_open, set_parent_process_death_signal,
};

use crate::machine::{on_cores, pin};
use crate::rig::RigError;

/// What is kept of a standard error: its end says why.
const ERROR_BYTES_MAX: usize = 4_096;
/// The kernel counts a dead process' time in ticks of 10 ms.
const TICK_NS: u64 = 10_000_000;
/// A process ended: what is left in its pipes comes within this, or a grandchild holds them.
const DRAIN: Duration = Duration::from_secs(5);

/// A child that runs. Dropping it ends it.
pub(crate) struct Running {
    name: String,
    child: Child,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

/// A child that ended well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finished {
    /// What it printed, line by line, without what was taken before.
    pub(crate) lines: Vec<String>,
    /// CPU time of the whole process, seen from outside: to a nanosecond for one thread, to 10 ms for more.
    pub(crate) cpu_ns: u64,
    /// How long its main thread was ready and did not run.
    pub(crate) waited_ns: u64,
}

/// Starts `command` confined to `cores`.
///
/// # Errors
/// The program cannot be started.
pub(crate) fn start(name: &str, mut command: Command, cores: &[usize]) -> Result<Running, RigError> {
    pipe(&mut command);
    match on_cores(cores, move || command.spawn()) {
        Ok(spawned) => running(name, spawned),
        Err(_) => Err(RigError::failed(name, "starting it panicked")),
    }
}

/// Starts `command` confined to `cores`, by way of this program (`own`): it ends when the calling thread does, whatever
/// ends that. For servers, which would serve on for ever.
///
/// # Errors
/// The program cannot be started.
pub(crate) fn start_tethered(
    name: &str,
    own: &[String],
    command: &Command,
    cores: &[usize],
) -> Result<Running, RigError> {
    let [program, words @ ..] = own else {
        return Err(RigError::failed(name, "this program does not know its own name"));
    };
    let mut tether = Command::new(program);
    tether.args(words).arg("tether").args(["--parent", &std::process::id().to_string()]);
    let cores: Vec<String> = cores.iter().map(usize::to_string).collect();
    tether.args(["--cores", &cores.join(","), "--"]).arg(command.get_program()).args(command.get_args());
    pipe(&mut tether);
    // Here and not on a thread of its own: the kernel counts the thread that forked as the parent.
    running(name, tether.spawn())
}

/// What [`start_tethered`] starts.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Tether {
    #[arg(long)]
    parent: i32,
    #[arg(long, value_delimiter = ',')]
    cores: Vec<usize>,
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// Becomes the program, with the kernel's promise that it ends with its parent.
///
/// # Errors
/// The promise is not given, the parent is gone already, or there is no such program.
pub(crate) fn tether(tether: &Tether) -> Result<(), RigError> {
    let name = &tether.command[0];
    pin(&tether.cores);
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| RigError::system("asking to end with the rig", &error))?;
    // Whoever ended before the promise was given is not noticed by it.
    if getppid().map(|parent| parent.as_raw_nonzero().get()) != Some(tether.parent) {
        return Err(RigError::failed(name, "the rig has ended"));
    }
    let error = Command::new(name).args(&tether.command[1..]).exec();
    Err(RigError::system(&format!("starting {name}"), &error))
}

fn pipe(command: &mut Command) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

fn running(name: &str, spawned: std::io::Result<Child>) -> Result<Running, RigError> {
    let mut child = spawned.map_err(|error| RigError::system(&format!("starting {name}"), &error))?;
    let lines = read_lines(child.stdout.take());
    let errors = child.stderr.take().map(|stderr| std::thread::spawn(move || read_end(stderr)));
    Ok(Running { name: name.to_owned(), child, lines, errors })
}

fn read_lines(stdout: Option<ChildStdout>) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let Some(stdout) = stdout else { return };
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn read_end(mut from: impl Read) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; 1_024]);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..count]);
        let surplus = kept.len().saturating_sub(ERROR_BYTES_MAX);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

impl Running {
    /// Waits for the line `wanted` on its standard output.
    ///
    /// # Errors
    /// It ended or the time passed before.
    pub(crate) fn wait_line(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        within: Duration,
    ) -> Result<String, RigError> {
        let deadline = Instant::now() + within;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if wanted(&line) => return Ok(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.failed(format_args!("it was not ready within {} s", within.as_secs())));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let _ = self.child.wait();
                    let told = self.told();
                    return Err(self.failed(format_args!("it ended before it was ready: {told}")));
                }
            }
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// A process that has ended is not there to be signalled, which is well.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It failed, or did not end within the time and was killed.
    pub(crate) fn finish(mut self, within: Duration) -> Result<Finished, RigError> {
        if !self.ends(within)? {
            let _ = self.child.kill();
            let _ = self.child.wait();
            return Err(RigError::TooSlow { name: self.name.clone(), seconds: within.as_secs() });
        }
        let pid = self.child.id();
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let (cpu_ns, waited_ns) = usage(&read("schedstat"), &read("stat"));
        let status = self
            .child
            .wait()
            .map_err(|error| RigError::system(&format!("waiting for {}", self.name), &error))?;
        if !status.success() {
            let told = self.told();
            return Err(self.failed(format_args!("{status}: {told}")));
        }
        let deadline = Instant::now() + DRAIN;
        let mut lines = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            lines.push(line);
        }
        Ok(Finished { lines, cpu_ns, waited_ns })
    }

    /// Whether it ends within the time. It is not reaped: /proc still knows it.
    fn ends(&self, within: Duration) -> Result<bool, RigError> {
        let failed = |error: rustix::io::Errno| RigError::system(&format!("watching {}", self.name), &error);
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| self.failed("it has no process number"))?;
        let fd = pidfd_open(pid, PidfdFlags::empty()).map_err(failed)?;
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&wait)) {
                Ok(0) if left.is_zero() => return Ok(false),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// What it said on its standard error; only of one that has ended.
    fn told(&mut self) -> String {
        self.errors.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }

    fn failed(&self, told: impl std::fmt::Display) -> RigError {
        RigError::failed(&self.name, told)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of a process, and how long its main thread waited for a core, from /proc/PID/schedstat and stat.
///
/// `schedstat` knows nanoseconds, of the main thread alone; `stat` knows all threads, in ticks. Where they agree within
/// the ticks' rounding there was one thread, and the nanoseconds are taken.
fn usage(schedstat: &str, stat: &str) -> (u64, u64) {
    let number =
        |text: &str, at: usize| text.split_whitespace().nth(at).and_then(|it| it.parse().ok()).unwrap_or(0);
    let (main_ns, waited_ns): (u64, u64) = (number(schedstat, 0), number(schedstat, 1));
    // Behind the name, which may hold anything, user and system time are the 12th and 13th field.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let all_ns = (number(fields, 11) + number(fields, 12)) * TICK_NS;
    (if all_ns <= main_ns + 2 * TICK_NS { main_ns } else { all_ns }, waited_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Running {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        start("sh", command, &crate::machine::allowed()).expect("there is a shell")
    }

    #[test]
    fn a_child_is_heard_and_measured() {
        let mut child = shell("echo one; echo ready; echo two; echo three");
        assert_eq!(child.wait_line(|it| it == "ready", DRAIN), Ok("ready".to_owned()));
        let finished = child.finish(DRAIN).expect("it ends well");
        assert_eq!(finished.lines, ["two", "three"]);
        assert!(finished.cpu_ns > 0);
    }

    #[test]
    fn what_went_wrong_is_told() {
        let error = shell("echo broken >&2; exit 3").finish(DRAIN).expect_err("it fails");
        assert!(error.to_string().contains("broken") && error.to_string().contains('3'), "{error}");
        let error =
            shell("exec cat /dev/zero >/dev/null").finish(Duration::from_millis(50)).expect_err("too slow");
        assert!(matches!(error, RigError::TooSlow { .. }), "{error}");
        let error = shell("exit 1").wait_line(|_| true, DRAIN).expect_err("it never was ready");
        assert!(error.to_string().contains("before it was ready"), "{error}");
    }

    #[test]
    fn times_are_the_main_threads_where_it_is_alone() {
        let stat = "7 (a) b) Z 1 1 1 0 -1 0 0 0 0 0 12 3 0 0 20 0 1 0";
        assert_eq!(usage("145000000 99 34", stat), (145_000_000, 99));
        assert_eq!(usage("20000000 99 34", stat), (150_000_000, 99));
        assert_eq!(usage("", ""), (0, 0));
    }
}
