//! One Kafka broker as a process of the rig, with the rig's topic: a real one, formatted, started as its own scripts do,
//! pinned to the server's cores and gone with the rig; or, where that is asked for, the embedded loopback.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ringwire::admin::{Admin, NewTopic};
use ringwire_loopback::front::{self, KafkaOptions};
use rustix::fs::{FsWord, statfs};

use super::{PARTITIONS, TOPIC};
use crate::child::{self, Running};
use crate::folder::Folder;
use crate::noise;
use crate::rig::{RigError, own_words};
use crate::server::{LISTENING, live_with_parent, on_path};

/// A JVM on a busy core takes some ten seconds to the first word, and not a minute.
const START: Duration = Duration::from_secs(90);
/// What its own start scripts give it: memory, and the collector. Left to itself a JVM that sees one core takes the serial
/// one, and stops for its young generation every 1.4 s.
const JAVA_OPTIONS: [&str; 6] = [
    "-Xmx1g",
    "-Xms1g",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];
/// Threads that compile, as the kernel knows them: by the first 15 characters.
const COMPILERS: [&str; 2] = ["C1 Compiler", "C2 Compiler"];
/// Where a file system in memory usually is, and how the kernel calls it.
const MEMORY: &str = "/dev/shm";
const TMPFS: FsWord = 0x0102_1994;
/// The log takes some three before it is cut.
const MEMORY_MIN_GIB: u64 = 6;
/// Any will do: 16 bytes in base64.
const CLUSTER_ID: &str = "cmluZ3dpcmUtYmVuY2gtMQ";
/// What a broker prints once it serves.
const STARTED: &str = "Kafka Server started";

/// A topic is there in less, on a broker that serves already.
const TOPIC_WITHIN: Duration = Duration::from_secs(30);

/// A broker that runs, with its topic; ended when dropped, with what it kept.
pub(super) struct Broker {
    pub(super) address: SocketAddr,
    /// What it is, in words.
    pub(super) words: String,
    /// Dropped before its folder: it would go on writing.
    process: Running,
    /// What it keeps.
    folder: Option<Folder>,
}

impl Broker {
    /// Starts the newest Kafka whose jars the tests have fetched, or the embedded one; and makes the topic.
    ///
    /// # Errors
    /// There is no Java or no Kafka, it does not start, or it makes no topic.
    pub(super) fn start(is_embedded: bool, cores: &[usize]) -> Result<Self, RigError> {
        let broker = if is_embedded { Self::embedded(cores)? } else { Self::real(cores)? };
        let name = TOPIC.to_owned();
        let topic = NewTopic {
            name,
            partitions: Some(PARTITIONS),
            replication_factor: Some(1),
            ..NewTopic::default()
        };
        let admin =
            Admin::new(&broker.address.to_string()).map_err(|error| RigError::failed("Kafka", error))?;
        let made = admin.timeout(TOPIC_WITHIN).create_topic(&topic);
        made.map_err(|error| RigError::failed("Kafka", error))?;
        Ok(broker)
    }

    /// How long it has compiled so far; `None`: it is none that does.
    pub(super) fn compiled_ns(&self) -> Option<u64> {
        self.folder.as_ref().map(|_| noise::ran_ns(self.process.id(), &COMPILERS))
    }

    fn embedded(cores: &[usize]) -> Result<Self, RigError> {
        let own = own_words()?;
        let name = "embedded Kafka";
        let mut command = Command::new(&own[0]);
        command.args(&own[1..]).args(["server", "--kafka"]);
        let mut process = child::start(name, command, cores)?;
        let line = process.wait_line(|line| line.starts_with(LISTENING), START)?;
        let address = line[LISTENING.len()..].trim().parse();
        let address = address.map_err(|_| RigError::failed(name, format_args!("it said `{line}`")))?;
        let words = "Ringwire's embedded loopback: not a real Kafka".to_owned();
        Ok(Self { address, words, process, folder: None })
    }

    fn real(cores: &[usize]) -> Result<Self, RigError> {
        let missing = |told: &str| RigError::failed("Kafka", told);
        on_path("java")
            .ok_or_else(|| missing("java is not on PATH (apt-get install default-jdk-headless)"))?;
        let library =
            library().ok_or_else(|| missing("its jars are not there: tests/kafka/fetch gets them"))?;
        let name = library.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_in_memory = has_memory();
        let base = if is_in_memory { PathBuf::from(MEMORY) } else { std::env::temp_dir() };
        let folder = Folder::new(&base, "kafka")?;
        let failed = |what: &str, error: &dyn std::fmt::Display| RigError::system(what, error);
        let (port, controller) = (free_port()?, free_port()?);
        let properties = folder.join("server.properties");
        fs::write(&properties, text(folder.path(), port, controller))
            .map_err(|error| failed("writing server.properties", &error))?;
        let mut format = java(&library, folder.path());
        format.args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config"]);
        format.arg(&properties);
        child::start("kafka format", format, cores)?.finish(START)?;
        let mut broker = java(&library, folder.path());
        broker.arg("kafka.Kafka").arg(&properties);
        let mut process = child::start_tethered("kafka", &own_words()?, &broker, cores)?;
        process.wait_line(|line| line.contains(STARTED), START)?;
        let log = if is_in_memory { "in memory, so that no disk is measured" } else { "on a disk" };
        let words = format!(
            "{name}, one broker, {PARTITIONS} partitions, its log {log}, started and ended by this run; java {}",
            JAVA_OPTIONS.join(" ")
        );
        let address = ([127, 0, 0, 1], port).into();
        Ok(Self { address, words, process, folder: Some(folder) })
    }
}

/// Serves as the embedded broker until it is killed, or until whoever started it is gone.
///
/// # Errors
/// It cannot listen.
pub(crate) fn serve() -> Result<(), RigError> {
    let front = front::spawn_kafka("127.0.0.1:0", KafkaOptions::default())
        .map_err(|error| RigError::system("listening on 127.0.0.1", &error))?;
    println!("{LISTENING}{}", front.bootstrap());
    live_with_parent();
    Ok(())
}

fn java(library: &Path, folder: &Path) -> Command {
    let mut java = Command::new("java");
    // Libraries that it unpacks go with the folder.
    java.arg(format!("-Djava.io.tmpdir={}", folder.display()));
    java.args(JAVA_OPTIONS).arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=info");
    // Logs go to standard output, where the rig waits for the line that says that it serves.
    java.arg("-Dorg.slf4j.simpleLogger.logFile=System.out");
    java.arg("-cp").arg(library.join("*"));
    java
}

/// Whether there is a file system in memory, with room.
fn has_memory() -> bool {
    const GIB: u64 = 1 << 30;
    let room = statfs(MEMORY).ok().filter(|it| it.f_type == TMPFS);
    let room = room.map_or(0, |it| it.f_bavail * it.f_bsize.unsigned_abs());
    // It counts as free what somebody else may have taken already.
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0);
    room.min(kib * 1_024) >= MEMORY_MIN_GIB * GIB
}

/// The newest Kafka in the tests' cache.
fn library() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    let entries = fs::read_dir(cache.join("ringwire")).ok()?;
    let version = |path: &PathBuf| -> Option<Vec<u32>> {
        let name = path.file_name()?.to_str()?.strip_prefix("kafka-")?;
        name.split('.').map(|number| number.parse().ok()).collect()
    };
    let found = entries.filter_map(|entry| Some(entry.ok()?.path()));
    found.filter_map(|path| Some((version(&path)?, path))).max().map(|(_, path)| path)
}

fn free_port() -> Result<u16, RigError> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| RigError::system("finding a free port", &error))
}

fn text(folder: &Path, port: u16, controller: u16) -> String {
    let log = folder.join("log");
    let log = log.display();
    format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\nlog.dirs={log}\n\
         offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\nnum.partitions={PARTITIONS}\nlog.retention.bytes=268435456\n\
         log.segment.bytes=67108864\nlog.retention.check.interval.ms=10000\n"
    )
}
