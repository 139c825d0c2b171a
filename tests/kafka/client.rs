//! A client that does one thing at a time, over the codec under test and a plain socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use ringwire_codec::kafka::*;
use ringwire_tests::patience::{PATIENCE, until};

/// Milliseconds that a broker may take, in requests that ask.
pub(crate) const TIMEOUT_MS: i32 = 30_000;

pub(crate) struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    last_id: i32,
    /// By key.
    offered: Vec<(i16, Versions)>,
}

/// The payload of a response, and the version of it.
#[derive(Debug)]
pub(crate) struct Answer {
    version: i16,
    payload: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn read<'a, R: Request<'a>>(&'a self) -> R::Response {
        decode_response::<R>(self.version, &self.payload).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Client {
    /// Connects, and asks what the broker speaks.
    #[track_caller]
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        Self::try_connect(addr).expect("the broker answers")
    }

    /// The same; `None` where nobody answers.
    pub(crate) fn try_connect(addr: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(addr).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        let mut client = Self { stream, input: Vec::new(), last_id: 0, offered: Vec::new() };
        let answer = client.try_ask(Api::ApiVersions.versions().max, &SOFTWARE)?;
        let versions = answer.read::<ApiVersionsRequest<'_>>();
        assert_eq!(versions.error_code, ErrorCode::NONE);
        let offered = versions.api_keys.iter();
        let offered = offered.map(|it| (it.api_key, Versions { min: it.min_version, max: it.max_version }));
        client.offered = offered.collect();
        Some(client)
    }

    /// Connects again, if the broker has ended the connection; waits until it has.
    #[track_caller]
    pub(crate) fn reconnect(&mut self) {
        let addr = self.stream.peer_addr().expect("it was connected");
        assert_eq!(
            self.stream.read(&mut [0]).unwrap_or(0),
            0,
            "the broker ends the connection, and says nothing"
        );
        *self = Self::connect(addr);
    }

    /// What the broker offers of a message.
    pub(crate) fn offered(&self, api: Api) -> Versions {
        self.offered.iter().find(|(key, _)| *key == api.key()).expect("every broker offers it").1
    }

    /// The versions that both sides speak.
    pub(crate) fn in_common(&self, api: Api) -> impl Iterator<Item = i16> + use<> {
        let (ours, theirs) = (api.versions(), self.offered(api));
        ours.min.max(theirs.min)..=ours.max.min(theirs.max)
    }

    /// The newest of them.
    pub(crate) fn newest<'a, R: Request<'a>>(&self) -> i16 {
        R::API.choose(self.offered(R::API), i16::MAX).expect("there is a version in common")
    }

    /// Sends a request and waits for its answer.
    #[track_caller]
    pub(crate) fn ask<'a, R: Request<'a>>(&mut self, version: i16, request: &R) -> Answer {
        self.try_ask(version, request).expect("the broker answers")
    }

    /// The same; `None` if the broker ends the connection.
    pub(crate) fn try_ask<'a, R: Request<'a>>(&mut self, version: i16, request: &R) -> Option<Answer> {
        let id = self.send(version, request)?;
        self.answer(version, id)
    }

    /// Sends a request that has no answer.
    pub(crate) fn tell<'a, R: Request<'a>>(&mut self, version: i16, request: &R) {
        self.send(version, request).expect("the broker takes it");
    }

    fn send<'a, R: Request<'a>>(&mut self, version: i16, request: &R) -> Option<i32> {
        self.last_id += 1;
        let header =
            RequestHeader { version, correlation_id: self.last_id, client_id: Some("ringwire-tests") };
        let mut out = Vec::new();
        encode_request(&mut out, &header, request).unwrap_or_else(|error| panic!("{error}"));
        self.stream.write_all(&out).ok()?;
        Some(self.last_id)
    }

    /// Sends a batch in a version that the encoder does not know: it is laid out as version 3, without the
    /// transactional id that came with it. Answers the error, or `None` if the broker ends the connection.
    pub(crate) fn produce_below_the_floor(
        &mut self,
        version: i16,
        topic: &str,
        records: &[u8],
    ) -> Option<ErrorCode> {
        let mut frame = vec![0; 4];
        frame.extend(Api::Produce.key().to_be_bytes());
        frame.extend(version.to_be_bytes());
        frame.extend([0, 0, 0, 1]);
        // No client id; acks 1; timeout; one topic; its name; one partition, number 0; the records.
        frame.extend([0xff, 0xff, 0, 1]);
        frame.extend(TIMEOUT_MS.to_be_bytes());
        frame.extend(1_i32.to_be_bytes());
        frame.extend((topic.len() as i16).to_be_bytes());
        frame.extend(topic.as_bytes());
        frame.extend(1_i32.to_be_bytes());
        frame.extend(0_i32.to_be_bytes());
        frame.extend((records.len() as i32).to_be_bytes());
        frame.extend(records);
        let size = (frame.len() - 4) as i32;
        frame[..4].copy_from_slice(&size.to_be_bytes());
        let answer = self.try_ask_raw(version, 1, &frame)?;
        // Behind the correlation id, two counts, the topic and the partition's number.
        let at = 4 + 4 + 2 + topic.len() + 4 + 4;
        let error = answer.payload[at..].first_chunk().expect("the partition was answered");
        Some(ErrorCode(i16::from_be_bytes(*error)))
    }

    /// Sends a frame as it is, in which the correlation id is `id`.
    pub(crate) fn try_ask_raw(&mut self, version: i16, id: i32, frame: &[u8]) -> Option<Answer> {
        self.stream.write_all(frame).ok()?;
        self.answer(version, id)
    }

    fn answer(&mut self, version: i16, id: i32) -> Option<Answer> {
        let frames = FrameReader::new(RESPONSE_LEN_MAX);
        loop {
            if let Some(frame) = frames.next(&self.input).unwrap_or_else(|error| panic!("{error}")) {
                assert_eq!(frame.correlation_id(), id, "answers come in the order of the requests");
                let payload = frame.payload().to_vec();
                let len = frame.len();
                self.input.drain(..len);
                return Some(Answer { version, payload });
            }
            let start = self.input.len();
            self.input.resize(frames.wanted(&self.input), 0);
            match self.stream.read(&mut self.input[start..]) {
                Ok(0) => return None,
                Ok(len) => self.input.truncate(start + len),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no answer: {error}"),
            }
        }
    }
}

const SOFTWARE: ApiVersionsRequest<'static> =
    ApiVersionsRequest { client_software_name: "ringwire-tests", client_software_version: "0.1" };

/// What tests do again and again.
impl Client {
    /// Makes a topic with one replica, and returns its id when every partition has a leader.
    #[track_caller]
    pub(crate) fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> [u8; 16] {
        let topic_id = self.create_replicated_topic(name, partitions, 1, configs);
        // The broker tells of a leader before it leads.
        until("the leader to lead", || {
            (0..partitions).all(|partition| self.try_end_of(name, partition).is_ok())
        });
        topic_id
    }

    #[track_caller]
    pub(crate) fn create_replicated_topic(
        &mut self,
        name: &str,
        num_partitions: i32,
        replication_factor: i16,
        configs: &[(&str, &str)],
    ) -> [u8; 16] {
        let configs = configs.iter().map(|(name, value)| NewTopicConfig { name, value: Some(value) });
        let configs: Vec<NewTopicConfig<'_>> = configs.collect();
        let configs = List::new(&configs);
        let topics = [NewTopic { name, num_partitions, replication_factor, configs, ..NewTopic::default() }];
        let request =
            CreateTopicsRequest { topics: List::new(&topics), timeout_ms: TIMEOUT_MS, validate_only: false };
        let answer = self.ask(self.newest::<CreateTopicsRequest<'_>>(), &request);
        let created: Vec<CreatedTopic<'_>> = answer.read::<CreateTopicsRequest<'_>>().topics.iter().collect();
        assert_eq!(created[0].error_code, ErrorCode::NONE, "{:?}", created[0].error_message);
        until("the new topic's leaders", || {
            let leaders = self.leaders(name);
            leaders.len() == num_partitions as usize && leaders.iter().all(|leader| leader.leader_id > 0)
        });
        created[0].topic_id
    }

    /// Who leads the partitions of a topic, by their number.
    pub(crate) fn leaders(&mut self, topic: &str) -> Vec<LeaderHint> {
        self.partitions(topic, |it| LeaderHint { leader_id: it.leader_id, leader_epoch: it.leader_epoch })
    }

    /// How many replicas of the partitions of a topic keep up, by their number.
    pub(crate) fn in_sync(&mut self, topic: &str) -> Vec<usize> {
        self.partitions(topic, |it| it.isr_nodes.iter().count())
    }

    /// Something of each partition of a topic, by their number.
    fn partitions<T>(&mut self, topic: &str, of: impl Fn(&MetadataPartition<'_>) -> T) -> Vec<T> {
        let topics = [MetadataRequestTopic::named(topic)];
        let request = MetadataRequest {
            topics: Some(List::new(&topics)),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let answer = self.ask(self.newest::<MetadataRequest<'_>>(), &request);
        let metadata = answer.read::<MetadataRequest<'_>>();
        let Some(topic) = metadata.topics.iter().next() else { return Vec::new() };
        let partitions = topic.partitions.iter().map(|it| (it.partition_index, of(&it)));
        let mut partitions: Vec<(i32, T)> = partitions.collect();
        partitions.sort_by_key(|partition| partition.0);
        partitions.into_iter().map(|partition| partition.1).collect()
    }

    /// A new producer id, at epoch 0.
    #[track_caller]
    pub(crate) fn producer(&mut self) -> Producer {
        self.producer_by(self.newest::<InitProducerIdRequest<'_>>())
    }

    /// The same in a version. A young broker waits for its first ids, and says so meanwhile.
    #[track_caller]
    pub(crate) fn producer_by(&mut self, version: i16) -> Producer {
        let mut producer = Producer::NONE;
        until("a producer id", || {
            let answer = self.ask(version, &InitProducerIdRequest::default());
            let given = answer.read::<InitProducerIdRequest<'_>>();
            let error = given.error_code.info();
            assert!(given.error_code == ErrorCode::NONE || error.retriable, "{}", given.error_code);
            producer = Producer {
                id: given.producer_id,
                epoch: given.producer_epoch,
                sequence: 0,
                transactional: false,
            };
            given.error_code == ErrorCode::NONE
        });
        producer
    }

    /// Where a partition ends.
    #[track_caller]
    pub(crate) fn end_of(&mut self, name: &str, partition: i32) -> i64 {
        self.try_end_of(name, partition).unwrap_or_else(|error| panic!("{name}-{partition}: {error}"))
    }

    fn try_end_of(&mut self, name: &str, partition: i32) -> Result<i64, ErrorCode> {
        let listed = self.list_offset(self.newest::<ListOffsetsRequest<'_>>(), name, partition, LATEST);
        if listed.error_code == ErrorCode::NONE { Ok(listed.offset) } else { Err(listed.error_code) }
    }

    /// The first offset whose record has this time or a later one.
    #[track_caller]
    pub(crate) fn list_offset(
        &mut self,
        version: i16,
        name: &str,
        partition_index: i32,
        timestamp: i64,
    ) -> ListedPartition {
        let partitions =
            [ListOffsetsPartition { partition_index, timestamp, ..ListOffsetsPartition::default() }];
        let topics = [ListOffsetsTopic { name, partitions: List::new(&partitions) }];
        let request = ListOffsetsRequest { topics: List::new(&topics), ..ListOffsetsRequest::default() };
        let answer = self.ask(version, &request);
        let listed = answer.read::<ListOffsetsRequest<'_>>();
        let listed = listed.topics.iter().next().and_then(|topic| topic.partitions.iter().next());
        listed.expect("the partition was listed")
    }

    /// Appends one batch, and returns what became of it; with acks 0 that is `None`.
    #[track_caller]
    pub(crate) fn produce(&mut self, to: &Target<'_>, acks: i16, records: &[u8]) -> Option<Produced> {
        let partitions = [PartitionProduceData { index: to.partition, records: Some(records) }];
        let (name, topic_id) =
            if to.version >= TOPIC_ID_VERSION { ("", to.topic_id) } else { (to.topic, NO_UUID) };
        let topics = [TopicProduceData { name, topic_id, partition_data: List::new(&partitions) }];
        let request = ProduceRequest {
            acks,
            timeout_ms: TIMEOUT_MS,
            topic_data: List::new(&topics),
            ..ProduceRequest::default()
        };
        if acks == 0 {
            self.tell(to.version, &request);
            return None;
        }
        let answer = self.ask(to.version, &request);
        let response = answer.read::<ProduceRequest<'_>>();
        let topic = response.responses.iter().next().expect("the topic was answered");
        assert_eq!((topic.name, topic.topic_id), (name, topic_id));
        let answered = topic.partition_responses.iter().next().expect("the partition was answered");
        assert_eq!(answered.index, to.partition);
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let record_errors = answered.record_errors.iter();
        Some(Produced {
            error_code: answered.error_code,
            base_offset: answered.base_offset,
            log_append_time_ms: answered.log_append_time_ms,
            log_start_offset: answered.log_start_offset,
            record_errors: record_errors
                .map(|it| (it.batch_index, owned(it.batch_index_error_message)))
                .collect(),
            error_message: owned(answered.error_message),
            current_leader: answered.current_leader,
            node_endpoints: response.node_endpoints.iter().map(|node| (node.node_id, node.port)).collect(),
        })
    }
}

/// Where a batch goes, and in which version of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) version: i16,
    pub(crate) topic: &'a str,
    pub(crate) topic_id: [u8; 16],
    pub(crate) partition: i32,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Produced {
    pub(crate) error_code: ErrorCode,
    pub(crate) base_offset: i64,
    pub(crate) log_append_time_ms: i64,
    pub(crate) log_start_offset: i64,
    pub(crate) record_errors: Vec<(i32, String)>,
    pub(crate) error_message: String,
    pub(crate) current_leader: LeaderHint,
    /// Number and port.
    pub(crate) node_endpoints: Vec<(i32, i32)>,
}
