//! A `redis-server` of one test: started, paused, killed and restarted by it, and gone with it.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ringwire::monotonic_ns;
use ringwire_tests::patience::until;
pub(crate) use ringwire_tests::ports::free_port;
use ringwire_tests::{folders, ports::APART, signals};

use crate::client::Client;

/// Another process may take a port between our look at it and the server's: then there is the next one.
const START_ATTEMPTS: usize = 20;
/// What the server says when it takes connections and has its data.
const READY: &str = "Ready to accept connections";
/// What it says when it has its port, and begins to load its data.
const INITIALIZED: &str = "Server initialized";
/// Where a server listens: apart, and where the engine looks for it.
const EVERYWHERE: [&str; 2] = ["127.0.0.2", "127.0.0.1"];
/// Before Redis 7.0 `DEBUG` is always allowed, and this option is unknown.
const ENABLE_DEBUG: [&str; 2] = ["--enable-debug-command", "yes"];

pub(crate) struct Server {
    process: Option<Child>,
    port: u16,
    folder: PathBuf,
    options: Vec<String>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with further options, as in `["--requirepass", "secret"]`.
    pub(crate) fn with(options: &[&str]) -> Self {
        let mut options: Vec<String> =
            ENABLE_DEBUG.iter().chain(options).map(|option| (*option).to_owned()).collect();
        let mut log = String::new();
        for _ in 0..START_ATTEMPTS {
            let port = free_port();
            let folder = folders::for_server("redis", port);
            let mut server = Self { process: None, port, folder, options: options.clone() };
            match server.launch(&EVERYWHERE, READY) {
                Ok(()) => return server,
                Err(words) => log = words,
            }
            if log.contains(ENABLE_DEBUG[0]) && options[0] == ENABLE_DEBUG[0] {
                options.drain(..ENABLE_DEBUG.len());
            }
        }
        panic!("redis-server does not start: {log}");
    }

    fn launch(&mut self, places: &[&str], words: &str) -> Result<(), String> {
        let path = self.folder.join("log");
        let log = File::create(&path).expect("a log file can be made");
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--daemonize", "no", "--bind"])
            .args(places)
            .args(["--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(self.socket())
            .arg("--dir")
            .arg(&self.folder)
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be had twice"))
            .stderr(log)
            .spawn()
            .expect("these tests need redis-server 7.0 or later on PATH (apt-get install redis-server)");
        let mut exit = None;
        let child = self.process.insert(child);
        let said = || fs::read_to_string(&path).unwrap_or_default();
        until("redis-server", || {
            exit = child.try_wait().expect("a child can be asked");
            exit.is_some() || said().contains(words)
        });
        if let Some(status) = exit {
            self.process = None;
            return Err(format!("{status}: {}", said()));
        }
        // Any answer will do: with a password it is an error.
        Client::connect_apart(self).ask(&["PING"]);
        Ok(())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where tests alone connect.
    pub(crate) fn addr_apart(&self) -> SocketAddr {
        (APART, self.port).into()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Path of its Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    fn child(&self) -> &Child {
        self.process.as_ref().expect("the server runs")
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("the server runs");
        process.kill().expect("a child can be killed");
        process.wait().expect("a killed child ends");
    }

    /// Starts it again where it was. It remembers nothing.
    pub(crate) fn restart(&mut self) {
        assert!(self.process.is_none(), "it was killed before");
        self.launch(&EVERYWHERE, READY).expect("it starts again on its own port");
    }

    /// Starts it again with further options, and waits for no more than its port: it may still be loading.
    pub(crate) fn restart_loading(&mut self, options: &[&str]) {
        assert!(self.process.is_none(), "it was killed before");
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
        self.launch(&EVERYWHERE, INITIALIZED).expect("it starts again on its own port");
    }

    /// Starts it again where the engine does not look for it: see [`Server::let_in`].
    pub(crate) fn restart_apart(&mut self) {
        assert!(self.process.is_none(), "it was killed before");
        self.launch(&EVERYWHERE[..1], READY).expect("it starts again on its own port");
    }

    /// Lets the engine in, and answers when a plain client had its first answer (as [`monotonic_ns`] gives it).
    pub(crate) fn let_in(&self) -> u64 {
        Client::connect_apart(self).order(&["CONFIG", "SET", "bind", &EVERYWHERE.join(" ")]);
        assert_eq!(Client::connect(self).ask(&["PING"]), "PONG");
        monotonic_ns()
    }

    /// Stops it in its tracks: the kernel keeps taking connections and bytes for it.
    pub(crate) fn pause(&self) {
        signals::stop(self.child());
    }

    pub(crate) fn resume(&self) {
        signals::go_on(self.child());
    }

    /// `redis-cli`, pointed at this server.
    pub(crate) fn cli(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--raw"]);
        command
    }

    /// Runs `redis-cli` with these arguments and `input` as its last, and answers what it printed, without the
    /// newline at the end.
    pub(crate) fn cli_with_input(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = self
            .cli()
            .arg("-x")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need redis-cli on PATH (apt-get install redis-tools)");
        let mut stdin = child.stdin.take().expect("its input is piped");
        stdin.write_all(input).expect("redis-cli takes its input");
        drop(stdin);
        let output = child.wait_with_output().expect("redis-cli ends");
        assert!(output.status.success(), "redis-cli {args:?}: {output:?}");
        let mut text = output.stdout;
        assert_eq!(text.pop(), Some(b'\n'));
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = fs::remove_dir_all(Path::new(&self.folder));
    }
}
