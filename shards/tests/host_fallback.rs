//! What happens where glommio cannot run: here the limit of locked memory is too low for it. One test alone in
//! its process, because the limit is the process's.

#![cfg(not(loom))]

use ringwire_shards::host::{Duty, HostError, HostKind, Turn, spawn};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Below the 512 KiB that glommio asks for.
const TOO_LITTLE: u64 = 64 << 10;

struct Once;

impl Duty for Once {
    fn turn(&mut self) -> Turn {
        Turn::Finished
    }
}

#[test]
fn without_glommio_auto_takes_a_thread_and_says_why() {
    let before = getrlimit(Resource::Memlock);
    setrlimit(Resource::Memlock, Rlimit { current: Some(TOO_LITTLE), maximum: before.maximum }).unwrap();

    let host = spawn("auto".to_owned(), None, HostKind::Auto, || Once).unwrap();
    assert_eq!(host.kind(), HostKind::Thread);
    let why = host.fallback().unwrap();
    assert!(why.contains("ulimit -l") && why.contains("io_uring"), "{why}");
    assert_eq!(host.join(), Ok(()));

    let error = spawn("glommio".to_owned(), None, HostKind::Glommio, || Once).unwrap_err();
    assert!(matches!(&error, HostError::Glommio { reason } if reason.contains("ulimit -l")), "{error}");

    let host = spawn("thread".to_owned(), None, HostKind::Thread, || Once).unwrap();
    assert_eq!((host.kind(), host.fallback()), (HostKind::Thread, None));
    assert_eq!(host.join(), Ok(()));
}
