//! The three modes, for any client on tokio.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::Failure;
use crate::measure::{FAILED, Mark, now_ns, print_result, progress, sleep_until, write_words};
use crate::plan::{Mode, Plan};

/// Between the start of the schedule and its first message.
const LEAD_NS: u64 = 10_000_000;
/// A subscriber ends after so long without a message.
pub(crate) const QUIET: Duration = Duration::from_secs(3);

/// A library under measurement.
pub(crate) trait Client: Clone + Send + Sync + 'static {
    /// What Cargo.lock calls it.
    const PACKAGE: &'static str;

    fn connect(plan: &'static Plan) -> impl Future<Output = Result<Self, Failure>> + Send;

    fn settings(plan: &Plan) -> Vec<String>;

    /// One message; ready when its answer is known.
    fn publish(&self, message: usize) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Several messages as one pipeline; ready when all answers are known.
    fn pipeline(&self, from: usize, to: usize) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Calls `ready` once every channel is confirmed, then `received` with each payload until that answers false or no
    /// message comes for [`QUIET`].
    fn subscribe(
        plan: &'static Plan,
        ready: impl FnOnce() + Send,
        received: impl FnMut(&[u8]) -> bool + Send,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

pub(crate) fn run<C: Client>(plan: &'static Plan) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (failed, passed) = match plan.mode {
        Mode::Ack => ack::<C>(plan, runtime)?,
        Mode::Flood => flood::<C>(plan, &runtime)?,
        Mode::Subscribe => subscribe::<C>(plan, &runtime)?,
    };
    print_result(plan, &version(C::PACKAGE), &C::settings(plan), failed, passed);
    Ok(())
}

/// What the lock file pins.
fn version(package: &str) -> String {
    let lock = include_str!("../Cargo.lock");
    let entry = lock.split_once(&format!("name = \"{package}\"\nversion = \"")).map_or("", |(_, rest)| rest);
    entry.split('"').next().unwrap_or_default().to_owned()
}

/// What the answers leave behind.
struct Answers {
    latencies_ns: Vec<AtomicU64>,
    open: AtomicUsize,
    waiting: Thread,
}

type Measured = (usize, (u64, u64));

/// Open loop: this thread paces, and the runtime has a thread of its own. Each message is a task of the runtime, so
/// that no message waits for the answer to another.
fn ack<C: Client>(plan: &'static Plan, runtime: Runtime) -> Result<Measured, Failure> {
    let client = runtime.block_on(C::connect(plan))?;
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    let answers = Arc::new(Answers {
        latencies_ns: (0..plan.total()).map(|_| AtomicU64::new(FAILED)).collect(),
        open: AtomicUsize::new(plan.total()),
        waiting: std::thread::current(),
    });
    let mut late_ns = vec![0; plan.total()];
    let mut mark = Mark::now();
    let start_ns = now_ns() + LEAD_NS;
    for (message, late_ns) in late_ns.iter_mut().enumerate() {
        if message == plan.warmup {
            mark = Mark::now();
        }
        let due_ns = start_ns + plan.schedule[message];
        sleep_until(due_ns);
        *late_ns = now_ns() - due_ns;
        let (client, answers) = (client.clone(), answers.clone());
        handle.spawn(async move {
            let outcome = client.publish(message).await;
            answers.settle(message, outcome.is_ok(), due_ns);
        });
    }
    while answers.open.load(Ordering::Acquire) > 0 {
        std::thread::park_timeout(Duration::from_secs(1));
    }
    let passed = mark.elapsed();
    let counted = &answers.latencies_ns[plan.warmup..];
    let latencies: Vec<u64> = counted.iter().map(|latency| latency.load(Ordering::Relaxed)).collect();
    write_words(&plan.out, latencies.iter().copied())?;
    write_words(&format!("{}.late", plan.out), late_ns[plan.warmup..].iter().copied())?;
    Ok((latencies.iter().filter(|latency| **latency == FAILED).count(), passed))
}

impl Answers {
    fn settle(&self, message: usize, is_ok: bool, due_ns: u64) {
        if is_ok {
            self.latencies_ns[message].store(now_ns() - due_ns, Ordering::Relaxed);
        }
        progress();
        if self.open.fetch_sub(1, Ordering::Release) == 1 {
            self.waiting.unpark();
        }
    }
}

/// As many as it takes: the warm-up, then the counted messages.
fn flood<C: Client>(plan: &'static Plan, runtime: &Runtime) -> Result<Measured, Failure> {
    runtime.block_on(async {
        let client = C::connect(plan).await?;
        let mut failed = 0;
        let mut mark = Mark::now();
        for (from, to) in [(0, plan.warmup), (plan.warmup, plan.total())] {
            mark = Mark::now();
            failed = if plan.throughput {
                in_pipelines(&client, plan, from, to).await
            } else {
                in_tasks(&client, plan, from, to).await?
            };
        }
        Ok((failed, mark.elapsed()))
    })
}

/// One pipeline of the window's size after the other.
async fn in_pipelines<C: Client>(client: &C, plan: &Plan, from: usize, to: usize) -> usize {
    let mut failed = 0;
    for first in (from..to).step_by(plan.window) {
        let end = to.min(first + plan.window);
        if client.pipeline(first, end).await.is_err() {
            failed += end - first;
        }
        progress();
    }
    failed
}

/// A task for each message of the window, and the library puts together what they say at the same time.
async fn in_tasks<C: Client>(
    client: &C,
    plan: &'static Plan,
    from: usize,
    to: usize,
) -> Result<usize, Failure> {
    let next = Arc::new(AtomicUsize::new(from));
    let mut tasks = Vec::with_capacity(plan.window);
    for _ in 0..plan.window {
        let (client, next) = (client.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut failed = 0;
            loop {
                let message = next.fetch_add(1, Ordering::Relaxed);
                if message >= to {
                    return failed;
                }
                failed += usize::from(client.publish(message).await.is_err());
                progress();
            }
        }));
    }
    let mut failed = 0;
    for task in tasks {
        failed += task.await?;
    }
    Ok(failed)
}

fn subscribe<C: Client>(plan: &'static Plan, runtime: &Runtime) -> Result<Measured, Failure> {
    let mut latencies = Vec::with_capacity(plan.total());
    let mut mark = Mark::now();
    let mut passed = (0, 0);
    let received = |payload: &[u8]| {
        let now_ns = now_ns();
        let due_ns = payload.get(..16).and_then(|hex| std::str::from_utf8(hex).ok());
        let due_ns = due_ns.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        latencies.push(due_ns.map_or(FAILED, |due_ns| now_ns.saturating_sub(due_ns)));
        progress();
        if latencies.len() == plan.warmup {
            mark = Mark::now();
        }
        // Asked for once: it reads the process' usage.
        let is_last = latencies.len() == plan.total();
        if is_last {
            passed = mark.elapsed();
        }
        !is_last
    };
    runtime.block_on(C::subscribe(plan, || println!("ready"), received))?;
    if latencies.len() < plan.total() {
        // What is missing has failed; the wait for it is counted.
        passed = mark.elapsed();
    }
    latencies.resize(plan.total(), FAILED);
    write_words(&plan.out, latencies[plan.warmup..].iter().copied())?;
    Ok((latencies[plan.warmup..].iter().filter(|latency| **latency == FAILED).count(), passed))
}
