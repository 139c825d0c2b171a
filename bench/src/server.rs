//! The server of a run, on core 1: the embedded loopback, spinning, or a real `redis-server` as a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ringwire_loopback::front::{self, RedisFront};
use ringwire_loopback::redis::Options;

use crate::rounds::pin;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Option<Child>,
    _front: Option<RedisFront>,
}

impl Server {
    pub(crate) fn start(real: bool) -> Result<Self, Box<dyn std::error::Error>> {
        if real { Self::real() } else { Self::embedded() }
    }

    fn embedded() -> Result<Self, Box<dyn std::error::Error>> {
        // The front's thread inherits the affinity of whoever starts it.
        let front = std::thread::spawn(|| {
            pin(1);
            front::spawn_idling("127.0.0.1:0", Options::default(), front::Idle::Spin)
        });
        let front = front.join().expect("starting a server does not panic")?;
        let address = front.addr().ok_or("a TCP front has an address")?;
        Ok(Self { address, child: None, _front: Some(front) })
    }

    fn real() -> Result<Self, Box<dyn std::error::Error>> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let port = address.port().to_string();
        let child = Command::new("taskset")
            .args(["-c", "1", "redis-server", "--bind", "127.0.0.1", "--port", &port])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("taskset and redis-server are needed on PATH: {error}"))?;
        let server = Self { address, child: Some(child), _front: None };
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(address).is_err() {
            if Instant::now() > deadline {
                return Err("redis-server did not listen within 10 s".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
