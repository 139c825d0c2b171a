//! A core, a cluster and the network between them, in virtual time.

use std::collections::HashMap;

use ringwire_codec::kafka::ErrorCode;
use ringwire_core::{
    Channel, Charge, ConnectionId, Core, Delivery, EndpointId, EndpointState, Frame, KafkaSettings,
    LaneStatus, Leg, LinkError, MILLISECOND_NS, NotTaken, Now, Outcome, Outlet, PublisherId, Reason, Report,
    Role, SECOND_NS, SubscriberId, WhenDown,
};
use ringwire_loopback::kafka::{self, Broker, Cluster, ClusterOptions, LoggedRecord, TopicOptions};

const KAFKA: EndpointId = EndpointId(0);
const PORT: u16 = 9092;
/// The wall clock, which stands still.
pub(crate) const WALL_MS: i64 = 1_750_000_000_000;
/// One step of time.
const STEP_NS: u64 = MILLISECOND_NS;
/// Nothing that settles takes longer.
const PATIENCE_NS: u64 = 60 * SECOND_NS;

/// What a test looks at in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) sequence: u64,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    pub(crate) position: (i32, i64),
    pub(crate) error: ErrorCode,
}

#[derive(Default)]
struct Driver {
    told: Vec<Told>,
    opens: Vec<ConnectionId>,
    closes: Vec<ConnectionId>,
}

impl Outlet for Driver {
    fn outcome(&mut self, _: Charge, report: &Report) {
        self.told.push(Told {
            sequence: report.sequence,
            outcome: report.outcome,
            reason: report.reason,
            position: report.position(),
            error: report.broker_error(),
        });
    }

    fn deliver(&mut self, _: SubscriberId, _: &Delivery<'_>) -> Result<(), NotTaken> {
        Ok(())
    }

    fn connect(&mut self, connection: ConnectionId) {
        self.opens.push(connection);
    }

    fn close(&mut self, connection: ConnectionId) {
        self.closes.push(connection);
    }

    fn state(&mut self, _: EndpointId, _: Role, _: EndpointState) {}
}

/// What a broker's answers go through.
pub(crate) type Garble = Box<dyn FnMut(&mut Vec<u8>)>;

pub(crate) struct Scene {
    core: Core,
    cluster: Cluster,
    driver: Driver,
    now: Now,
    sockets: HashMap<ConnectionId, kafka::ConnectionId>,
    sequence: u64,
    numbered: usize,
    garble: Option<Garble>,
    /// One answer comes in a millisecond, and no more; and whether this one's has come.
    drips: bool,
    has_dripped: bool,
}

/// One bootstrap address, and everything else as it is by default.
pub(crate) fn settings() -> KafkaSettings {
    let bootstrap_servers = vec![("broker1".to_owned(), PORT)];
    KafkaSettings { bootstrap_servers, ..KafkaSettings::default() }
}

/// A record of one byte for a partition.
pub(crate) fn to_partition(partition: i32) -> Frame<'static> {
    Frame { payload: Some(b"x"), partition, ..Frame::default() }
}

pub(crate) fn outcomes(told: &[Told]) -> Vec<(u64, Outcome, Reason)> {
    told.iter().map(|told| (told.sequence, told.outcome, told.reason)).collect()
}

impl Scene {
    /// A topic of two partitions, which the brokers lead in turn, with a record in each.
    pub(crate) fn with_two_partitions(
        settings: KafkaSettings,
        options: ClusterOptions,
        brokers: i32,
    ) -> Self {
        let mut scene = Self::new(settings, options, brokers);
        scene.cluster().create_topic("fx", 2, TopicOptions::default()).unwrap();
        for partition in 0..2 {
            assert_eq!(scene.cluster().leader("fx", partition), Some((partition % brokers + 1, 0)));
            scene.publish(&to_partition(partition));
        }
        scene.settle();
        assert_eq!(scene.take_told().len(), 2);
        scene
    }

    /// Brokers 1 to `brokers`, and one channel, `fx`.
    pub(crate) fn new(settings: KafkaSettings, options: ClusterOptions, brokers: i32) -> Self {
        let brokers =
            (1..=brokers).map(|id| Broker { id, host: format!("broker{id}"), port: PORT }).collect();
        let now = Now { mono_ns: SECOND_NS, wall_ns: WALL_MS * MILLISECOND_NS as i64 };
        let mut core = Core::new(vec![settings], 7);
        let legs = vec![Leg::kafka_topic(KAFKA, b"fx", "fx", WhenDown::Buffer)];
        core.open_channel(now, Channel { index: 0, name: (*b"fx").into(), legs });
        let cluster = Cluster::new(brokers, options);
        Self {
            core,
            cluster,
            driver: Driver::default(),
            now,
            sockets: HashMap::new(),
            sequence: 0,
            numbered: 0,
            garble: None,
            drips: false,
            has_dripped: false,
        }
    }

    /// Another channel, whose topic has its name.
    pub(crate) fn open(&mut self, name: &str) {
        let legs = vec![Leg::kafka_topic(KAFKA, name.as_bytes(), name, WhenDown::Buffer)];
        self.core.open_channel(self.now, Channel { index: 1, name: name.as_bytes().into(), legs });
    }

    pub(crate) fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    pub(crate) fn publish(&mut self, frame: &Frame<'_>) {
        let frame = Frame { sequence: self.sequence, ..*frame };
        self.sequence += 1;
        self.core.publish(self.now, PublisherId(0), &frame, &mut self.driver);
    }

    pub(crate) fn publish_text(&mut self, payload: &[u8]) {
        self.publish(&Frame { payload: Some(payload), ..Frame::default() });
    }

    pub(crate) fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.driver.told)
    }

    pub(crate) fn status(&self) -> LaneStatus {
        self.core.status(KAFKA).publish
    }

    pub(crate) fn log(&mut self, topic: &str, partition: i32) -> Vec<LoggedRecord> {
        self.cluster.records(topic, partition, 0).expect("the log can be read")
    }

    /// From now on what brokers answer goes through this; or no longer.
    pub(crate) fn garble(&mut self, garble: Option<Garble>) {
        self.garble = garble;
    }

    /// From now on brokers are slow: one answer comes in a millisecond.
    pub(crate) fn drip(&mut self) {
        self.drips = true;
    }

    /// Connections that the core has numbered so far.
    pub(crate) fn connections(&self) -> usize {
        self.numbered
    }

    pub(crate) fn expire(&mut self) {
        self.core.expire(self.now, &mut self.driver);
    }

    /// Polls at this moment until a connection has something to send, which it does not send yet. Answers how often, and
    /// how many requests that are.
    pub(crate) fn poll_until_output(&mut self) -> (usize, usize) {
        for polls in 1..1_000 {
            self.core.poll(self.now, &mut self.driver);
            let mut requests = 0;
            for connection in self.sockets.keys() {
                let output = self.output(*connection);
                let mut output = &output[..];
                while let Some((len, rest)) = output.split_first_chunk::<4>() {
                    output = &rest[u32::from_be_bytes(*len) as usize..];
                    requests += 1;
                }
            }
            if requests > 0 {
                return (polls, requests);
            }
        }
        panic!("there is nothing to send: {:?}", self.core.status(KAFKA));
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, ns: u64) {
        let end_ns = self.now.mono_ns + ns;
        while self.now.mono_ns < end_ns {
            self.turn();
            self.step();
        }
        self.turn();
    }

    fn step(&mut self) {
        self.now.mono_ns += STEP_NS;
        if std::mem::take(&mut self.has_dripped) {
            // What did not come in this millisecond.
            for connection in self.sockets.keys().copied().collect::<Vec<_>>() {
                self.receive(self.sockets[&connection]);
            }
        }
    }

    /// Lets time pass until every message has its outcome.
    pub(crate) fn settle(&mut self) {
        let end_ns = self.now.mono_ns + PATIENCE_NS;
        self.turn();
        while !self.core.is_drained() || !self.core.is_ready() {
            assert!(self.now.mono_ns < end_ns, "it does not settle: {:?}", self.core.status(KAFKA));
            self.step();
            self.turn();
        }
    }

    /// Everything that happens at one moment.
    fn turn(&mut self) {
        // A busy loop at one moment would be a defect.
        for _ in 0..10_000 {
            let mut moved = self.core.poll(self.now, &mut self.driver);
            moved |= self.obey();
            while let Some(connection) = self.core.take_writable() {
                moved |= self.send(connection);
            }
            while let Some(id) = self.cluster.next_ready() {
                moved |= self.receive(id);
            }
            if !moved {
                return;
            }
        }
        panic!("the core is busy for ever: {:?}", self.core.status(KAFKA));
    }

    fn obey(&mut self) -> bool {
        let (opens, closes) =
            (std::mem::take(&mut self.driver.opens), std::mem::take(&mut self.driver.closes));
        for connection in &closes {
            if let Some(id) = self.sockets.remove(connection) {
                self.cluster.closed(id);
            }
        }
        for connection in &opens {
            self.numbered = self.numbered.max(connection.index() + 1);
            let (host, port) = self.core.address(*connection).expect("a broker has an address");
            let broker = host.strip_prefix("broker").and_then(|number| number.parse().ok());
            match broker.filter(|_| port == PORT) {
                Some(broker) => {
                    self.sockets.insert(*connection, self.cluster.accept(self.now.mono_ns, broker));
                    self.core.connected(self.now, *connection);
                }
                None => {
                    let words = format!("{host}:{port}: nobody listens there");
                    self.core.disconnected(*connection, LinkError::Connect(words));
                }
            }
        }
        !opens.is_empty() || !closes.is_empty()
    }

    fn output(&self, connection: ConnectionId) -> Vec<u8> {
        self.core.pieces(connection).flatten().copied().collect()
    }

    fn send(&mut self, connection: ConnectionId) -> bool {
        let Some(id) = self.sockets.get(&connection) else { return false };
        let output = self.output(connection);
        let len = output.len();
        self.cluster.receive(self.now.mono_ns, *id, &output);
        self.core.sent(connection, len);
        len > 0
    }

    fn receive(&mut self, id: kafka::ConnectionId) -> bool {
        let found = self.sockets.iter().find(|(_, other)| **other == id).map(|(connection, _)| *connection);
        let Some(connection) = found else { return false };
        let mut output = self.cluster.output(id).to_vec();
        if self.drips {
            let first = output.first_chunk().map_or(0, |len| 4 + u32::from_be_bytes(*len) as usize);
            output.truncate(if self.has_dripped { 0 } else { first });
            self.has_dripped |= first > 0;
        }
        self.cluster.sent(id, output.len());
        if let Some(garble) = &mut self.garble
            && !output.is_empty()
        {
            garble(&mut output);
        }
        for bytes in output.chunks(1_000) {
            self.core.space(connection)[..bytes.len()].copy_from_slice(bytes);
            self.core.received(self.now, connection, bytes.len());
        }
        let closes = self.cluster.wants_close(id);
        if closes {
            self.sockets.remove(&connection);
            self.cluster.closed(id);
            self.core.disconnected(connection, LinkError::ClosedByPeer);
        }
        closes || !output.is_empty()
    }
}
