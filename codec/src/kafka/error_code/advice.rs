//! What to do about an error. One sentence serves every code of a kind.

pub(super) const NOTHING: &str = "nothing: it is in the log";
pub(super) const UNKNOWN: &str = "a newer Ringwire may know this code";
pub(super) const RETRY_SAME: &str = "if it lasts, look into the broker's log";
pub(super) const RETRY_LATER: &str = "it may pass by itself: try again later";
pub(super) const TOPIC: &str =
    "create it, or let brokers create it (auto.create.topics.enable there, allow.auto.create.topics here)";
pub(super) const LEADER: &str = "if it lasts, see whether the partition's brokers are up";
pub(super) const COORDINATOR: &str = "find the coordinator again, then ask it";
pub(super) const CONTROLLER: &str = "refresh the metadata, then ask the controller";
pub(super) const REBOOTSTRAP: &str = "nothing: the bootstrap servers are asked again by themselves";
pub(super) const SPLIT: &str = "raise max.message.bytes (or segment.bytes) of the topic, or lower batch.size; a batch of several records is split by itself where that is safe";
pub(super) const RECORD: &str =
    "correct the records that are refused; the others of their batch are sent by themselves";
pub(super) const TIMESTAMP: &str = "correct the clock, or the timestamp of the record: the topic limits how far it may be from the broker's time";
pub(super) const REPLICAS: &str =
    "wait for replicas to come back: the topic's min.insync.replicas is not met";
pub(super) const ACKS: &str = "set acks to all, 1 or 0";
pub(super) const EPOCH: &str = "nothing: a new epoch of the producer begins by itself";
pub(super) const REINIT: &str = "start the producer anew: the broker no longer knows this one";
pub(super) const FENCED: &str = "end this producer: a newer one with its transactional id is at work";
pub(super) const ABORT: &str = "abort the transaction and begin it again";
pub(super) const TXN_TIMEOUT: &str =
    "lower transaction.timeout.ms below the broker's transaction.max.timeout.ms";
pub(super) const TXN_ACL: &str = "grant WRITE on the transactional id to this user";
pub(super) const TOPIC_ACL: &str =
    "grant WRITE (READ to consume, CREATE to create) on the topic to this user";
pub(super) const GROUP_ACL: &str = "grant READ on the group to this user";
pub(super) const CLUSTER_ACL: &str =
    "grant this user the operation on the cluster (IDEMPOTENT_WRITE before Kafka 2.8)";
pub(super) const SASL: &str = "check mechanism, user and password against the broker's";
pub(super) const SECURITY: &str = "the broker has no authorizer: set one up before it is asked about rights";
pub(super) const TOKEN: &str = "get a delegation token that is valid for this user, over a secured listener";
pub(super) const VERSION: &str =
    "use a broker of Kafka 2.1 or newer; its versions and ours have none in common";
pub(super) const COMPRESSION: &str = "use a codec that this broker and version know; zstd needs Kafka 2.1";
pub(super) const REQUEST: &str =
    "the request is not valid: this is a bug in the client, or the message format of the topic is too old";
pub(super) const POLICY: &str = "ask the cluster's operators: their policy refuses it";
pub(super) const TOPIC_NAME: &str =
    "use a topic of letters, digits, '.', '_' and '-' (249 at most) that is not one of Kafka's own";
pub(super) const TOPIC_SHAPE: &str =
    "choose partitions and replicas that the brokers of the cluster can hold";
pub(super) const EXISTS: &str = "nothing: the topic is there";
pub(super) const CONFIG: &str = "correct the setting; the answer's message names it";
pub(super) const LISTENER: &str =
    "give every broker a listener of the name that the bootstrap server was reached by";
pub(super) const CONSUMER: &str = "correct the position or the size that is asked for";
pub(super) const FETCH_SESSION: &str = "begin a new fetch session";
pub(super) const GROUP: &str = "join the group again, with settings that agree with its other members";
pub(super) const SHARE: &str = "begin a new share session";
pub(super) const TELEMETRY: &str = "ask for the telemetry subscription again";
pub(super) const REGEX: &str = "correct the regular expression";
pub(super) const BROKER: &str =
    "look into the broker's log: this is between brokers, or an operator's affair";
