//! What users of librdkafka and of the Java client write, where it has another name here, or none.

use super::foreign::{Foreign, Here};

const NO_TLS: &str = "TLS and SASL are not built yet";
const NO_CONSUMER: &str = "consuming is not built yet";
const NO_TRANSACTIONS: &str = "transactions are not built yet";
const ON_THE_SHARD: &str = "what becomes of each message comes through `Reports`: there are no callbacks and no queues of \
                            them";
const BY_BYTES: &str = "a batch ends by `batch.size`, and the endpoint's credit bounds the messages";
const NO_BLOCKING: &str = "publishing never blocks: without credit it is refused, and `wait_writable` waits";
const ADAPTIVE: &str = "each batch goes to the partition that its partitioner names";
const BY_NAME: &str = "records are handed over as bytes: there are no serializers";
const OF_THE_SYSTEM: &str = "it is left to the system";

/// By what they are here.
pub(super) static FOREIGN_KAFKA: &[Foreign] = &[
    Foreign {
        names: &["metadata.broker.list", "bootstrap_servers", "brokers"],
        here: Here::Same("bootstrap.servers"),
    },
    Foreign { names: &["queue.buffering.max.ms", "linger"], here: Here::Same("linger.ms") },
    Foreign { names: &["message.max.bytes"], here: Here::Same("max.request.size") },
    Foreign {
        names: &["queue.buffering.max.kbytes"],
        here: Here::Scaled("buffer.memory", "in bytes, not KiB"),
    },
    Foreign { names: &["message.send.max.retries"], here: Here::Same("retries") },
    Foreign { names: &["message.timeout.ms"], here: Here::Same("delivery.timeout.ms") },
    Foreign { names: &["request.required.acks"], here: Here::Same("acks") },
    Foreign { names: &["compression.codec"], here: Here::Same("compression.type") },
    Foreign {
        names: &["compression.gzip.level", "compression.zstd.level", "compression.lz4.level"],
        here: Here::Same("compression.level"),
    },
    Foreign { names: &["max.in.flight"], here: Here::Same("max.in.flight.requests.per.connection") },
    Foreign { names: &["topic.metadata.refresh.interval.ms"], here: Here::Same("metadata.max.age.ms") },
    Foreign { names: &["partitioner.class"], here: Here::Same("partitioner") },
    Foreign { names: &["socket.timeout.ms"], here: Here::Same("request.timeout.ms") },
    Foreign {
        names: &["socket.connection.setup.timeout.max.ms"],
        here: Here::Same("socket.connection.setup.timeout.ms"),
    },
    Foreign { names: &["batch.num.messages"], here: Here::Absent(BY_BYTES) },
    Foreign { names: &["max.block.ms"], here: Here::Absent(NO_BLOCKING) },
    Foreign {
        names: &[
            "partitioner.ignore.keys",
            "partitioner.adaptive.partitioning.enable",
            "partitioner.availability.timeout.ms",
            "sticky.partitioning.linger.ms",
        ],
        here: Here::Absent(ADAPTIVE),
    },
    Foreign {
        names: &["delivery.report.only.error", "dr_cb", "dr_msg_cb", "event_cb", "interceptor.classes"],
        here: Here::Absent(ON_THE_SHARD),
    },
    Foreign { names: &["key.serializer", "value.serializer"], here: Here::Absent(BY_NAME) },
    Foreign {
        names: &[
            "send.buffer.bytes",
            "receive.buffer.bytes",
            "socket.send.buffer.bytes",
            "socket.receive.buffer.bytes",
        ],
        here: Here::Absent(OF_THE_SYSTEM),
    },
    Foreign { names: &["transactional.id", "transaction.timeout.ms"], here: Here::Absent(NO_TRANSACTIONS) },
    Foreign {
        names: &[
            "group.id",
            "auto.offset.reset",
            "enable.auto.commit",
            "fetch.min.bytes",
            "fetch.wait.max.ms",
        ],
        here: Here::Absent(NO_CONSUMER),
    },
    Foreign {
        names: &[
            "security.protocol",
            "sasl.mechanism",
            "sasl.mechanisms",
            "sasl.username",
            "sasl.password",
            "sasl.jaas.config",
            "ssl.ca.location",
            "ssl.truststore.location",
            "ssl.keystore.location",
        ],
        here: Here::Absent(NO_TLS),
    },
];
