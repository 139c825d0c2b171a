//! A Kafka cluster of one test or of several: started, frozen, killed and restarted by them, and gone with them.
//!
//! ```text
//!   folder/1/server.properties      each node is broker and controller, with ports and a folder of its own
//!         /1/log/TOPIC-PARTITION    what it keeps
//!         /1/said                   what it printed
//! ```
//!
//! A node ends when its standard input does: also when the test process is killed, and with clusters that stand in
//! statics, which nobody drops.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use ringwire_codec::kafka::{MetadataRequest, MetadataResponse};
use ringwire_tests::folders;
use ringwire_tests::patience::until;
use ringwire_tests::ports::free_port;
use ringwire_tests::signals;

use super::client::Client;
use super::judge::Judge;
use super::line::Line;

/// A node takes 350 MiB when it may have more.
const NODE_MEMORY_MAX_MIB: u32 = 512;
/// Another process may take a port between our look at it and the node's: then there are the next ones.
const START_ATTEMPTS: usize = 3;
/// Topics may have lists of who may do what; without one everybody may.
const LISTS: [(&str, &str); 2] = [
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("allow.everyone.if.no.acl.found", "true"),
];
/// Any will do: 16 bytes in base64.
const CLUSTER_ID: &str = "cmluZ3dpcmUtdGVzdHMhIQ";
/// Of what a node said, in bytes: the end is what matters.
const SAID_MAX: usize = 4096;

/// What a cluster should be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KafkaOptions<'a> {
    /// Nodes 1 to this one.
    pub(crate) brokers: i32,
    /// Further lines of `server.properties`.
    pub(crate) properties: &'a [(&'a str, &'a str)],
}

impl Default for KafkaOptions<'_> {
    fn default() -> Self {
        Self { brokers: 1, properties: &[] }
    }
}

/// A cluster that several tests use, each with topics of its own.
pub(crate) struct Shared {
    pub(crate) kafka: Kafka,
    judge: Mutex<Judge>,
}

impl Shared {
    /// The one of this line.
    pub(crate) fn of(line: Line) -> &'static Self {
        static CLUSTERS: Mutex<Vec<(Line, &'static OnceLock<Shared>)>> = Mutex::new(Vec::new());
        let mut clusters = CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = match clusters.iter().find(|cluster| cluster.0 == line) {
            Some(cluster) => cluster.1,
            None => {
                let cell: &'static OnceLock<Self> = Box::leak(Box::default());
                clusters.push((line, cell));
                cell
            }
        };
        drop(clusters);
        cell.get_or_init(|| {
            let kafka = Kafka::start(line, &KafkaOptions { properties: &LISTS, ..KafkaOptions::default() });
            let judge = Mutex::new(kafka.judge());
            Self { kafka, judge }
        })
    }

    /// Kafka's own clients, one question at a time.
    pub(crate) fn judge<T>(&self, ask: impl FnOnce(&mut Judge) -> T) -> T {
        ask(&mut self.judge.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new connection to it.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.kafka.addr(1))
    }
}

/// A running cluster.
pub(crate) struct Kafka {
    line: Line,
    folder: PathBuf,
    nodes: Vec<Node>,
}

struct Node {
    id: i32,
    port: u16,
    controller_port: u16,
    folder: PathBuf,
    process: Option<Child>,
}

impl Kafka {
    /// Starts a cluster, and returns when each broker knows every other one.
    pub(crate) fn start(line: Line, options: &KafkaOptions<'_>) -> Self {
        let mut said = String::new();
        for _ in 0..START_ATTEMPTS {
            let mut cluster = Self::prepare(line, options);
            match cluster.launch(&cluster.ids()) {
                Ok(()) => return cluster,
                Err(words) => said = words,
            }
        }
        panic!("Kafka {} does not start: {said}", line.version);
    }

    fn prepare(line: Line, options: &KafkaOptions<'_>) -> Self {
        let ports: Vec<(u16, u16)> = (0..options.brokers).map(|_| (free_port(), free_port())).collect();
        let folder = folders::for_server("kafka", ports[0].0);
        let mut nodes = Vec::new();
        for (id, (port, controller_port)) in (1..).zip(ports) {
            let folder = folder.join(id.to_string());
            fs::create_dir_all(&folder).expect("a temporary folder can be made");
            nodes.push(Node { id, port, controller_port, folder, process: None });
        }
        let voters: Vec<String> =
            nodes.iter().map(|node| format!("{}@127.0.0.1:{}", node.id, node.controller_port)).collect();
        for node in &nodes {
            let text = node.properties(&voters.join(","), options);
            fs::write(node.folder.join("server.properties"), text).expect("a temporary file can be written");
        }
        Self { line, folder, nodes }
    }

    /// Starts these nodes, and waits until they know every node that runs.
    fn launch(&mut self, ids: &[i32]) -> Result<(), String> {
        for id in ids {
            let line = self.line;
            let node = self.node_mut(*id);
            assert!(node.process.is_none(), "node {id} runs already");
            node.launch(line);
        }
        let running = self.nodes.iter().filter(|node| node.process.is_some()).count();
        for id in ids {
            let mut exit = None;
            let node = self.node_mut(*id);
            until("Kafka", || {
                exit = node
                    .process
                    .as_mut()
                    .and_then(|process| process.try_wait().expect("a child can be asked"));
                exit.is_some() || node.knows(running)
            });
            if let Some(status) = exit {
                node.process = None;
                return Err(format!("node {id}: {status}: {}", node.said()));
            }
        }
        Ok(())
    }

    fn ids(&self) -> Vec<i32> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    fn node(&self, id: i32) -> &Node {
        self.nodes.iter().find(|node| node.id == id).expect("a node of this cluster")
    }

    fn node_mut(&mut self, id: i32) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id == id).expect("a node of this cluster")
    }

    /// Where a node listens, the first being 1.
    pub(crate) fn addr(&self, id: i32) -> SocketAddr {
        self.node(id).addr()
    }

    /// Where they listen.
    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::addr).collect()
    }

    /// Kills a node, as a power cut would.
    pub(crate) fn kill(&mut self, id: i32) {
        self.node_mut(id).kill();
    }

    /// Starts nodes again that were killed, all at once: two of three are needed before one of them is ready.
    pub(crate) fn restart(&mut self, ids: &[i32]) {
        self.launch(ids).unwrap_or_else(|said| panic!("it starts again on its own port: {said}"));
    }

    /// Stops a node in its tracks: the kernel keeps taking connections and bytes for it.
    pub(crate) fn freeze(&self, id: i32) {
        signals::stop(self.node(id).process.as_ref().expect("the node runs"));
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self, id: i32) {
        signals::go_on(self.node(id).process.as_ref().expect("the node runs"));
    }

    /// Kafka's own clients, for this cluster.
    pub(crate) fn judge(&self) -> Judge {
        Judge::start(self.line, &self.addrs(), &self.scratch("judge"))
    }

    /// A folder for a test's own files, which goes with the cluster.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).expect("a temporary folder can be made");
        folder
    }

    /// Where a node keeps a partition, oldest segment first.
    pub(crate) fn segments(&self, id: i32, topic: &str, partition: i32) -> Vec<PathBuf> {
        let folder = self.node(id).folder.join("log").join(format!("{topic}-{partition}"));
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let paths = entries.map(|entry| entry.expect("a folder of the node can be read").path());
        let mut segments: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect();
        segments.sort();
        segments
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            node.kill();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Node {
    fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn properties(&self, voters: &str, options: &KafkaOptions<'_>) -> String {
        let Self { id, port, controller_port, folder, .. } = self;
        let (log, replicas) = (folder.join("log"), options.brokers.to_string());
        let mut text = String::new();
        let mut put = |name: &str, value: &str| {
            writeln!(text, "{name}={value}").expect("a text takes what is written");
        };
        let listener = format!("PLAINTEXT://127.0.0.1:{port}");
        put("process.roles", "broker,controller");
        put("node.id", &id.to_string());
        put("controller.quorum.voters", voters);
        put("listeners", &format!("{listener},CONTROLLER://127.0.0.1:{controller_port}"));
        put("advertised.listeners", &listener);
        put("controller.listener.names", "CONTROLLER");
        put("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT");
        put("log.dirs", &log.to_string_lossy());
        put("offsets.topic.replication.factor", &replicas);
        put("transaction.state.log.replication.factor", &replicas);
        put("transaction.state.log.min.isr", "1");
        put("group.initial.rebalance.delay.ms", "0");
        // The quotes are from 2020: by default they would be deleted within minutes.
        put("log.retention.ms", "-1");
        for (name, value) in options.properties {
            put(name, value);
        }
        text
    }

    fn launch(&mut self, line: Line) {
        let path = self.folder.join("said");
        let said = OpenOptions::new().create(true).append(true).open(path);
        let said: File = said.expect("a temporary file can be written");
        let process = line
            .java(NODE_MEMORY_MAX_MIB, &self.folder)
            .arg("Node")
            .arg(&self.folder)
            .arg(CLUSTER_ID)
            .stdin(Stdio::piped())
            .stdout(said.try_clone().expect("a file can be had twice"))
            .stderr(said)
            .spawn()
            .unwrap_or_else(|error| panic!("java: {error}"));
        self.process = Some(process);
    }

    /// It answers, and its cluster has so many brokers, itself among them.
    fn knows(&self, brokers: usize) -> bool {
        let Some(mut client) = Client::try_connect(self.addr()) else { return false };
        let Some(answer) =
            client.try_ask(client.newest::<MetadataRequest<'_>>(), &MetadataRequest::default())
        else {
            return false;
        };
        let metadata: MetadataResponse<'_> = answer.read::<MetadataRequest<'_>>();
        metadata.brokers.len() >= brokers && metadata.brokers.iter().any(|broker| broker.node_id == self.id)
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The end of what it printed.
    fn said(&self) -> String {
        let text = fs::read(Path::new(&self.folder).join("said")).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(SAID_MAX)..]).into_owned()
    }
}
