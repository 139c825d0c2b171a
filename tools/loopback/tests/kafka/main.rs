//! The Kafka cluster, asked by kafka-protocol: it writes the requests and reads the answers. One module per question.

mod append;
mod client;
mod create_topics;
mod fault;
mod fetch;
mod front;
mod hostile;
mod metadata;
mod producer;
mod versions;
