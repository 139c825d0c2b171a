//! One real Kafka broker as a process of the rig: formatted, started, pinned to the server's cores, and gone with it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::PARTITIONS;
use crate::child::{self, Running};
use crate::rig::{RigError, own_words};
use crate::server::on_path;

/// A JVM on a busy core takes some ten seconds to the first word, and not a minute.
const START: Duration = Duration::from_secs(90);
/// Memory of the broker, in MiB: what its own start script gives it.
const MEMORY_MIB: u32 = 1_024;
/// Any will do: 16 bytes in base64.
const CLUSTER_ID: &str = "cmluZ3dpcmUtYmVuY2gtMQ";
/// What a broker prints once it serves.
const STARTED: &str = "Kafka Server started";

/// A broker that runs; ended when dropped, with what it kept.
pub(super) struct Broker {
    pub(super) address: SocketAddr,
    /// What it is, in words.
    pub(super) words: String,
    folder: PathBuf,
    /// Until it is dropped.
    process: Option<Running>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        // First the process: it would go on writing.
        self.process = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Broker {
    /// Starts the newest Kafka whose jars the tests have fetched.
    ///
    /// # Errors
    /// There is no Java or no Kafka, or it does not start.
    pub(super) fn start(cores: &[usize]) -> Result<Self, RigError> {
        let missing = |told: &str| RigError::failed("Kafka", told);
        on_path("java")
            .ok_or_else(|| missing("java is not on PATH (apt-get install default-jdk-headless)"))?;
        let library =
            library().ok_or_else(|| missing("its jars are not there: tests/kafka/fetch gets them"))?;
        let name = library.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let folder = std::env::temp_dir().join(format!("ringwire-bench-kafka-{}", std::process::id()));
        let failed = |what: &str, error: &dyn std::fmt::Display| RigError::system(what, error);
        fs::create_dir_all(&folder).map_err(|error| failed("making a folder for Kafka", &error))?;
        let (port, controller) = (free_port()?, free_port()?);
        let properties = folder.join("server.properties");
        fs::write(&properties, text(&folder, port, controller))
            .map_err(|error| failed("writing server.properties", &error))?;
        let mut format = java(&library);
        format.args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config"]);
        format.arg(&properties);
        child::start("kafka format", format, cores)?.finish(START)?;
        let mut broker = java(&library);
        broker.arg("kafka.Kafka").arg(&properties);
        let mut process = child::start_tethered("kafka", &own_words()?, &broker, cores)?;
        process.wait_line(|line| line.contains(STARTED), START)?;
        let words = format!("{name}, one broker, {PARTITIONS} partitions, started and ended by this run");
        Ok(Self { address: ([127, 0, 0, 1], port).into(), words, folder, process: Some(process) })
    }
}

fn java(library: &Path) -> Command {
    let mut java = Command::new("java");
    java.arg(format!("-Xmx{MEMORY_MIB}m")).arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=info");
    // Logs go to standard output, where the rig waits for the line that says that it serves.
    java.arg("-Dorg.slf4j.simpleLogger.logFile=System.out");
    java.arg("-cp").arg(library.join("*"));
    java
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
