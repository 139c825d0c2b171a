//! Instructions per message, counted by callgrind, against the committed figures: the guard that no change makes the
//! hot loop dearer unseen.
//!
//! ```text
//!   check ── valgrind --tool=callgrind ──► case NAME: only `measured` counts ──► instructions / messages
//!     └──── bench/instructions.txt: more than 3 % above it fails ◄──────────────────────┘
//! ```
//!
//! Everything runs on one thread: the application, the shard that it drives, and a server without threads behind a
//! socket. What the kernel does is not counted, no clock decides how many turns there are, and each turn does what is
//! done every so often ([`TURNS_APART`]), so two runs differ by less than a percent, however fast the machine is.
//! `check --write` commits new figures; they belong to one compiler, which the file names.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{ErrorKind, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use ringwire::{Channel, Config, Engine, HostShard, Publisher, Reports, Subscriber};
use ringwire_codec::kafka::{BatchLimits, Compression, Compressors, OpenBatch, Producer, Record};
use ringwire_codec::resp::{CommandPrefix, FrameReader, Limits, encode};
use ringwire_loopback::kafka::{self, Broker, Cluster, ClusterOptions};
use ringwire_loopback::redis::{ClientId, Options, Server};

type Failure = Box<dyn std::error::Error>;

/// A quote with its headers.
const PAYLOAD: [u8; 128] = [b'q'; 128];
const CHANNEL: &str = "fx.eurusd";
/// What one send or receive carries at 100,000 messages a second when a server takes its time.
const BATCH: usize = 64;
/// Batches that are counted: enough for the timers' commands, one a second, to disappear.
const BATCHES: usize = 100;
/// Uncounted batches before them, in which buffers grow.
const WARM_UP: usize = 5;
/// A shard that works tells its counters every 50 µs. Where turns were closer, a slow machine would count more of that for
/// a message than a fast one.
const TURNS_APART: Duration = Duration::from_micros(100);
/// More than this above the committed figure is a regression; below it, the figure is out of date.
const TOLERANCE: f64 = 0.03;

/// Runs a case, and answers how many messages it counted.
type Run = fn() -> Result<usize, Failure>;

/// What is counted, by name.
const CASES: [(&str, Run); 10] = [
    ("publish: the call alone", publish),
    ("publish: a lent place, without the copy", publish_lent),
    ("encode: one PUBLISH", encode_publish),
    ("decode: one reply", decode_reply),
    ("decode: one message", decode_message),
    ("loop: ring to report, one at a time", loop_of_one),
    ("loop: ring to report, 64 at a time", loop_of_batches),
    ("loop: server to subscriber, 64 at a time", deliveries),
    ("encode: one record into a frozen batch", encode_record),
    ("loop: ring to report by Kafka, 64 at a time", loop_to_kafka),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["case", index] => case(index),
        ["check"] => check(false),
        ["check", "--write"] => check(true),
        _ => Err("usage: instructions check [--write]".into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn case(index: &str) -> Result<bool, Failure> {
    let (_, run) = CASES.get(index.parse::<usize>()?).ok_or("there is no such case")?;
    println!("messages {}", run()?);
    Ok(true)
}

/// The only function whose instructions count.
#[inline(never)]
fn measured<T>(body: impl FnOnce() -> T) -> T {
    black_box(body())
}

fn counted(turn: &mut dyn FnMut() -> usize) -> usize {
    std::thread::sleep(TURNS_APART);
    measured(turn)
}

/// Counts all cases, and compares them with the committed figures, or commits them.
fn check(write: bool) -> Result<bool, Failure> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt");
    let compiler = version("rustc", "--version")?;
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let is_same_compiler = committed.lines().any(|line| line == format!("# {compiler}"));
    let mut text =
        format!("# Instructions per message, by callgrind: `instructions check --write`\n# {compiler}\n");
    let (mut passed, mut failed) = (0, 0);
    for (index, (name, _)) in CASES.iter().enumerate() {
        let count = count(index)?;
        writeln!(text, "{count:>8.1}  {name}")?;
        let before =
            committed.lines().find_map(|line| line.trim().strip_suffix(name)?.trim().parse::<f64>().ok());
        let verdict = match before {
            Some(before) if is_same_compiler && count > before * (1.0 + TOLERANCE) => {
                failed += 1;
                format!("FAILED: {:+.1} % against {before:.1}", (count / before - 1.0) * 100.0)
            }
            Some(before) => {
                passed += 1;
                format!("{:+.1} % against {before:.1}", (count / before - 1.0) * 100.0)
            }
            None if write => "new".to_owned(),
            None => {
                failed += 1;
                "FAILED: no figure is committed".to_owned()
            }
        };
        println!("{count:>8.1}  {name:<44} {verdict}");
    }
    if write {
        std::fs::write(&file, text)?;
        println!("written to {}", file.display());
        return Ok(true);
    }
    if !is_same_compiler {
        println!("not compared: the committed figures are another compiler's, not {compiler}'s");
    }
    if failed > 0 {
        println!("find what grew, or, if it is worth it, commit the new figures: instructions check --write");
    }
    println!("test result: {}. {passed} passed; {failed} failed", if failed == 0 { "ok" } else { "FAILED" });
    Ok(failed == 0)
}

fn version(program: &str, flag: &str) -> Result<String, Failure> {
    let output =
        Command::new(program).arg(flag).output().map_err(|error| format!("{program} {flag}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Instructions per message of one case, in a process of its own.
fn count(index: usize) -> Result<f64, Failure> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=instructions::measured*")
        .arg(std::env::current_exe()?)
        .args(["case", &index.to_string()])
        .output()
        .map_err(|error| format!("valgrind is needed on PATH (apt-get install valgrind): {error}"))?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let number = |text: &str, after: &str| -> Option<f64> {
        text.lines().find_map(|line| line.split_once(after)?.1.trim().parse().ok())
    };
    match (number(&out, "messages "), number(&err, "Collected : ")) {
        (Some(messages), Some(collected)) if collected > 0.0 => Ok(collected / messages),
        _ => Err(format!("callgrind counted nothing of case {index}:\n{out}{err}").into()),
    }
}

fn encode_publish() -> Result<usize, Failure> {
    let prefix = CommandPrefix::new(&[b"PUBLISH", CHANNEL.as_bytes()], 1);
    let mut output = Vec::with_capacity(1 << 20);
    measured(|| {
        for _ in 0..BATCH * BATCHES {
            output.clear();
            prefix.encode1(&mut output, black_box(&PAYLOAD));
        }
    });
    Ok(BATCH * BATCHES)
}

fn decode_reply() -> Result<usize, Failure> {
    let mut input = Vec::new();
    encode::integer(&mut input, 3);
    decode(&input)
}

fn decode_message() -> Result<usize, Failure> {
    let mut input = b">3\r\n".to_vec();
    for part in [&b"message"[..], CHANNEL.as_bytes(), &PAYLOAD] {
        encode::bulk(&mut input, part);
    }
    decode(&input)
}

/// Decodes one frame over and over.
fn decode(frame: &[u8]) -> Result<usize, Failure> {
    let input = frame.repeat(BATCH);
    let mut reader = FrameReader::new(Limits::default());
    let mut frames = 0;
    measured(|| -> Result<(), Failure> {
        for _ in 0..BATCHES {
            let mut rest = black_box(&input[..]);
            while let Some(frame) = reader.next(rest)? {
                black_box(frame.head());
                rest = &rest[frame.len()..];
                frames += 1;
            }
        }
        Ok(())
    })?;
    Ok(frames)
}

/// A server without threads: what it has received it answers when it is told to.
struct Wire {
    path: PathBuf,
    listener: UnixListener,
    server: Server,
    streams: Vec<(ClientId, UnixStream)>,
}

impl Wire {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("ringwire-instructions-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { path, listener, server: Server::new(Options::default()), streams: Vec::new() })
    }

    /// Answers everything that has come.
    fn serve(&mut self) -> Result<(), Failure> {
        if let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true)?;
            let name = format!("{}:{}", self.path.display(), self.streams.len());
            self.streams.push((self.server.accept(0, &name), stream));
        }
        let mut buffer = [0; 64 << 10];
        for (client, stream) in &mut self.streams {
            match stream.read(&mut buffer) {
                Ok(n) => self.server.receive(0, *client, &buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        while let Some(client) = self.server.next_ready() {
            let Some((_, stream)) = self.streams.iter_mut().find(|(id, _)| *id == client) else { continue };
            let output = self.server.output(client);
            stream.write_all(output)?;
            let n = output.len();
            self.server.sent(client, n);
        }
        self.server.take_executed();
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// An engine whose shard this thread drives, and its server.
struct Scene {
    wire: Wire,
    engine: Engine,
    shard: HostShard,
    channel: Channel,
    publisher: Publisher,
    reports: Reports,
    subscriber: Subscriber,
}

impl Scene {
    fn new() -> Result<Self, Failure> {
        let wire = Wire::new()?;
        let url = format!("unix://{}", wire.path.display());
        let engine = Engine::start(Config::new().redis("main", &url)?.host_driven())?;
        let shard = engine.take_shard(0).ok_or("a host-driven engine has its first shard")?;
        let channel = engine.channel(CHANNEL)?;
        let (publisher, reports) = engine.publisher()?;
        let subscriber = engine.subscriber()?;
        let mut scene = Self { wire, engine, shard, channel, publisher, reports, subscriber };
        scene.settle()?;
        Ok(scene)
    }

    fn settle(&mut self) -> Result<(), Failure> {
        while !self.engine.is_ready() {
            self.shard.poll();
            self.wire.serve()?;
        }
        Ok(())
    }

    /// Publishes `batch` messages and drives them to their reports, each turn through `count`.
    fn round(&mut self, batch: usize, count: fn(&mut dyn FnMut() -> usize) -> usize) -> Result<(), Failure> {
        for _ in 0..batch {
            self.publisher.publish(&self.channel, &PAYLOAD)?;
        }
        let Self { shard, wire, reports, .. } = self;
        let mut turn = || {
            shard.poll();
            reports.poll(usize::MAX, |_| ())
        };
        let mut reported = count(&mut turn);
        wire.serve()?;
        while reported < batch {
            reported += count(&mut turn);
        }
        Ok(())
    }
}

fn publish() -> Result<usize, Failure> {
    in_batches(|Scene { publisher, channel, .. }| {
        measured(|| {
            for _ in 0..BATCH {
                let _ = black_box(publisher.publish(channel, black_box(&PAYLOAD)));
            }
        });
    })
}

fn publish_lent() -> Result<usize, Failure> {
    in_batches(|Scene { publisher, channel, .. }| {
        measured(|| {
            for _ in 0..BATCH {
                // As the C ABI has it: what one call leaves is taken up by the next.
                let lent = black_box(publisher.try_lend(channel, black_box(PAYLOAD.len())));
                let _ = black_box(lent.and_then(|mut lent| publisher.publish_lent(&mut lent)));
            }
        });
    })
}

/// Has a batch published at a time, and sees to it that it is reported.
fn in_batches(publish: impl Fn(&mut Scene)) -> Result<usize, Failure> {
    let mut scene = Scene::new()?;
    for _ in 0..BATCHES {
        publish(&mut scene);
        let mut reported = 0;
        while reported < BATCH {
            scene.shard.poll();
            scene.wire.serve()?;
            reported += scene.reports.poll(usize::MAX, |_| ());
        }
    }
    Ok(BATCHES * BATCH)
}

fn loop_of_one() -> Result<usize, Failure> {
    rounds(1, BATCHES * 10)
}

fn loop_of_batches() -> Result<usize, Failure> {
    rounds(BATCH, BATCHES)
}

fn rounds(batch: usize, rounds: usize) -> Result<usize, Failure> {
    let mut scene = Scene::new()?;
    for _ in 0..WARM_UP {
        scene.round(batch, |turn| turn())?;
    }
    for _ in 0..rounds {
        scene.round(batch, counted)?;
    }
    Ok(batch * rounds)
}

fn deliveries() -> Result<usize, Failure> {
    let mut scene = Scene::new()?;
    scene.subscriber.subscribe(CHANNEL)?;
    scene.settle()?;
    let mut other = UnixStream::connect(&scene.wire.path)?;
    let mut commands = Vec::new();
    for _ in 0..BATCH {
        encode::command(&mut commands, &[b"PUBLISH", CHANNEL.as_bytes(), &PAYLOAD]);
    }
    let mut replies = [0; BATCH * b":1\r\n".len()];
    let mut received = 0;
    scene.wire.serve()?;
    for round in 0..WARM_UP + BATCHES {
        other.write_all(&commands)?;
        scene.wire.serve()?;
        other.read_exact(&mut replies)?;
        let Scene { shard, subscriber, .. } = &mut scene;
        let mut polled = 0;
        while polled < BATCH {
            let mut turn = || {
                shard.poll();
                subscriber.poll(usize::MAX, |delivery| {
                    black_box(&delivery.event);
                })
            };
            polled += if round < WARM_UP { turn() } else { measured(turn) };
        }
        received += if round < WARM_UP { 0 } else { polled };
    }
    Ok(received)
}

/// Pushing, and the checksum over all: what a message costs until its bytes are as they are sent.
fn encode_record() -> Result<usize, Failure> {
    let mut compressors = Compressors::new();
    let mut batch = OpenBatch::new(BatchLimits::default(), Compression::None);
    let producer = Producer { id: 1, epoch: 0, sequence: 0, transactional: false };
    let mut spare = Vec::new();
    let mut fill = |count: fn(&mut dyn FnMut() -> usize) -> usize| -> Result<(), Failure> {
        let mut refused = None;
        count(&mut || {
            for number in 0..BATCH as i64 {
                let record = Record { timestamp: number, value: Some(&PAYLOAD), ..Record::default() };
                refused = refused.take().or(batch.push(black_box(&record)).err());
            }
            spare = batch.freeze(producer, &mut compressors, std::mem::take(&mut spare)).into_buffer();
            BATCH
        });
        refused.map_or(Ok(()), |error| Err(error.into()))
    };
    for _ in 0..WARM_UP {
        fill(|turn| turn())?;
    }
    for _ in 0..BATCHES {
        fill(counted)?;
    }
    Ok(BATCH * BATCHES)
}

/// One broker without threads.
struct Brokers {
    listener: TcpListener,
    cluster: Cluster,
    streams: Vec<(kafka::ConnectionId, TcpStream)>,
}

impl Brokers {
    fn new() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let broker = Broker { id: 1, host: "127.0.0.1".to_owned(), port };
        Ok(Self {
            listener,
            cluster: Cluster::new(vec![broker], ClusterOptions::default()),
            streams: Vec::new(),
        })
    }

    /// Answers everything that has come.
    fn serve(&mut self) -> Result<(), Failure> {
        if let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            self.streams.push((self.cluster.accept(0, 1), stream));
        }
        let mut buffer = [0; 64 << 10];
        for (id, stream) in &mut self.streams {
            match stream.read(&mut buffer) {
                Ok(n) => self.cluster.receive(0, *id, &buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        while let Some(id) = self.cluster.next_ready() {
            let Some((_, stream)) = self.streams.iter_mut().find(|(it, _)| *it == id) else { continue };
            let output = self.cluster.output(id);
            stream.write_all(output)?;
            let n = output.len();
            self.cluster.sent(id, n);
        }
        Ok(())
    }
}

fn loop_to_kafka() -> Result<usize, Failure> {
    let mut brokers = Brokers::new()?;
    let port = brokers.listener.local_addr()?.port();
    let engine = Engine::start(Config::new().kafka("main", &format!("127.0.0.1:{port}"))?.host_driven())?;
    let mut shard = engine.take_shard(0).ok_or("a host-driven engine has its first shard")?;
    let channel = engine.channel(CHANNEL)?;
    let (mut publisher, mut reports) = engine.publisher()?;
    while !engine.is_ready() {
        shard.poll();
        brokers.serve()?;
    }
    for round in 0..WARM_UP + BATCHES {
        let count: fn(&mut dyn FnMut() -> usize) -> usize =
            if round < WARM_UP { |turn| turn() } else { counted };
        for _ in 0..BATCH {
            publisher.publish(&channel, &PAYLOAD)?;
        }
        let mut reported = 0;
        while reported < BATCH {
            reported += count(&mut || {
                shard.poll();
                reports.poll(usize::MAX, |_| ())
            });
            brokers.serve()?;
        }
    }
    Ok(BATCH * BATCHES)
}
