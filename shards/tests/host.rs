//! Both hosts: turns, pinning, panics, and what they leave alone in the process.

#![cfg(not(loom))]

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ringwire_shards::clock::monotonic_ns;
use ringwire_shards::cores;
use ringwire_shards::host::{Duty, HostError, HostHandle, HostKind, HostPanic, Turn, spawn};
use ringwire_shards::net::{Events, Interest, Poller};
use ringwire_shards::wake::{Fence, Sleeper, sleeper};

/// The kinds that this machine can host. Where io_uring is blocked, glommio must say so in words.
fn kinds() -> Vec<HostKind> {
    match spawn("probe".to_owned(), None, HostKind::Glommio, || Turns::new(1)) {
        Ok(host) => {
            host.join().unwrap();
            vec![HostKind::Glommio, HostKind::Thread]
        }
        Err(HostError::Glommio { reason }) => {
            assert!(reason.contains("io_uring"), "{reason}");
            vec![HostKind::Thread]
        }
        Err(error) => panic!("{error}"),
    }
}

/// Finishes after some turns. Not `Send`: it is made where it runs.
struct Turns {
    left: u64,
    _local: Rc<()>,
}

impl Turns {
    fn new(left: u64) -> Self {
        Self { left, _local: Rc::new(()) }
    }
}

impl Duty for Turns {
    fn turn(&mut self) -> Turn {
        self.left -= 1;
        if self.left == 0 { Turn::Finished } else { Turn::Continue }
    }
}

/// A duty made of a closure.
struct Each<F>(F);

impl<F: FnMut() -> Turn> Duty for Each<F> {
    fn turn(&mut self) -> Turn {
        (self.0)()
    }
}

#[test]
fn turns_run_until_the_duty_has_finished() {
    for kind in kinds() {
        for turns in [1, 63, 64, 65, 100_000] {
            let seen = Arc::new(AtomicU64::new(0));
            let counter = seen.clone();
            let host = spawn("counts".to_owned(), None, kind, move || {
                let mut duty = Turns::new(turns);
                Each(move || {
                    counter.fetch_add(1, Ordering::Relaxed);
                    duty.turn()
                })
            })
            .unwrap();
            assert_eq!(host.kind(), kind);
            assert_eq!(host.fallback(), None);
            assert_eq!(host.join(), Ok(()));
            assert_eq!(seen.load(Ordering::Relaxed), turns, "{kind}");
        }
    }
}

#[test]
fn auto_takes_the_best_that_there_is() {
    let host = spawn("auto".to_owned(), None, HostKind::Auto, || Turns::new(9)).unwrap();
    assert_eq!(host.kind(), kinds()[0]);
    assert_eq!(host.fallback().is_some(), host.kind() == HostKind::Thread);
    host.join().unwrap();
}

/// Long enough for several reactor passes on glommio.
#[test]
fn turns_go_on_after_reactor_passes() {
    const PASSES_NS: u64 = 60_000_000;
    for kind in kinds() {
        let end_ns = monotonic_ns() + PASSES_NS;
        let host = spawn("passes".to_owned(), None, kind, move || {
            Each(move || if monotonic_ns() < end_ns { Turn::Continue } else { Turn::Finished })
        })
        .unwrap();
        assert_eq!(host.join(), Ok(()), "{kind}");
    }
}

#[test]
fn a_thread_has_its_name_and_its_core() {
    let granted = {
        // What the kernel grants, as opposed to what this thread inherited.
        let Err(HostError::Core(error)) =
            spawn("nowhere".to_owned(), Some(usize::MAX), HostKind::Thread, || Turns::new(1))
        else {
            panic!("there is no such core");
        };
        error.allowed
    };
    for kind in kinds() {
        for &core in &granted {
            let seen = Arc::new(Mutex::new(None));
            let there = seen.clone();
            let host = spawn(format!("ringwire-s{core}"), Some(core), kind, move || {
                let name = thread::current().name().map(str::to_owned);
                *there.lock().unwrap() = Some((cores::allowed(), name, rustix::thread::gettid()));
                Turns::new(1)
            })
            .unwrap();
            assert_eq!(host.thread().name(), Some(format!("ringwire-s{core}").as_str()));
            let tid = host.tid();
            host.join().unwrap();
            let (cores, name, there) = seen.lock().unwrap().take().unwrap();
            assert_eq!(cores, [core], "{kind}");
            assert_eq!(name, Some(format!("ringwire-s{core}")));
            assert_eq!(there.as_raw_nonzero().get(), tid);
        }
    }
}

#[test]
fn a_core_that_is_not_there_is_an_error_that_names_the_others() {
    for kind in [HostKind::Auto, HostKind::Glommio, HostKind::Thread] {
        for core in [1_023, 1_024, usize::MAX] {
            let error = spawn("nowhere".to_owned(), Some(core), kind, || Turns::new(1)).unwrap_err();
            let HostError::Core(refused) = &error else { panic!("{error}") };
            assert_eq!(refused.core, core);
            assert!(!refused.allowed.is_empty());
            for allowed in &refused.allowed {
                assert!(error.to_string().contains(&allowed.to_string()), "{error}");
            }
        }
    }
}

struct PanicsWhenDropped;

impl Duty for PanicsWhenDropped {
    fn turn(&mut self) -> Turn {
        Turn::Finished
    }
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

#[test]
fn a_panic_comes_back_from_join() {
    let panicked = |text: &str| Err(HostPanic { message: text.to_owned() });
    for kind in kinds() {
        let made = spawn("make".to_owned(), None, kind, || -> Turns { panic!("in make") }).unwrap();
        assert_eq!(made.join(), panicked("in make"), "{kind}");

        let dropped = Arc::new(());
        let held = dropped.clone();
        let turned = spawn("turn".to_owned(), None, kind, move || {
            let mut turn = 0;
            Each(move || {
                let _held = &held;
                turn += 1;
                assert!(turn < 1_000, "in turn {turn}");
                Turn::Continue
            })
        })
        .unwrap();
        assert_eq!(turned.join(), panicked("in turn 1000"), "{kind}");
        assert_eq!(Arc::strong_count(&dropped), 1, "the duty is dropped after its panic");

        let at_end = spawn("drop".to_owned(), None, kind, || PanicsWhenDropped).unwrap();
        assert_eq!(at_end.join(), panicked("in drop"), "{kind}");

        let odd = spawn("odd".to_owned(), None, kind, || Each(|| std::panic::panic_any(7_u8))).unwrap();
        assert_eq!(odd.join(), panicked("a panic without a message"), "{kind}");
    }
}

/// A shard as it will be: it parks in its own epoll until it is woken.
struct Parks {
    poller: Poller,
    events: Events,
    sleeper: Sleeper,
    stop: Arc<AtomicBool>,
    parked: Arc<AtomicU64>,
}

impl Duty for Parks {
    fn turn(&mut self) -> Turn {
        self.sleeper.drain();
        self.sleeper.arm();
        if self.stop.load(Ordering::Acquire) {
            return Turn::Finished;
        }
        self.parked.fetch_add(1, Ordering::Release);
        self.poller.wait(None, &mut self.events).unwrap();
        self.sleeper.disarm();
        Turn::Continue
    }
}

#[test]
fn a_parked_duty_is_woken_to_finish() {
    for kind in kinds() {
        let (sleeper, waker) = sleeper(Fence::Membarrier).unwrap();
        let (stop, parked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let duty = (stop.clone(), parked.clone());
        let host = spawn("parks".to_owned(), None, kind, move || {
            let poller = Poller::new().unwrap();
            poller.add(sleeper.fd(), 0, Interest::Read).unwrap();
            Parks { poller, events: Events::with_capacity(1), sleeper, stop: duty.0, parked: duty.1 }
        })
        .unwrap();
        wait_until("it parks", || parked.load(Ordering::Acquire) > 0);
        assert!(!host.is_finished());
        stop.store(true, Ordering::Release);
        waker.notify();
        wait_until("it finishes", || host.is_finished());
        assert_eq!(host.join(), Ok(()), "{kind}");
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        thread::yield_now();
    }
}

/// The masks of caught and ignored signals, which belong to the process.
fn signal_dispositions() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status
        .lines()
        .filter(|line| line.starts_with("SigIgn") || line.starts_with("SigCgt"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_host_installs_a_signal_handler() {
    let before = signal_dispositions();
    assert_eq!(before.len(), 2);
    for kind in kinds() {
        let end_ns = monotonic_ns() + 30_000_000;
        let host = spawn("signals".to_owned(), None, kind, move || {
            Each(move || if monotonic_ns() < end_ns { Turn::Continue } else { Turn::Finished })
        })
        .unwrap();
        assert_eq!(signal_dispositions(), before, "{kind}, running");
        host.join().unwrap();
        assert_eq!(signal_dispositions(), before, "{kind}, ended");
    }
}

#[test]
fn host_kinds_have_names() {
    for kind in [HostKind::Auto, HostKind::Glommio, HostKind::Thread] {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    let error = "tokio".parse::<HostKind>().unwrap_err();
    assert_eq!(error.to_string(), "unknown host `tokio`: use `auto`, `glommio` or `thread`");
}

/// A handle can be kept and joined by another thread than the one that started the host.
#[test]
fn handles_move_between_threads() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    let host: HostHandle = spawn("moves".to_owned(), None, HostKind::Thread, || Turns::new(5)).unwrap();
    is_send_and_sync(&host);
    assert_eq!(thread::spawn(move || host.join()).join().unwrap(), Ok(()));
}
