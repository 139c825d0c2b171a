//! The Kafka cluster, asked by kafka-protocol: it writes the requests and reads the answers. One module per question.

mod append;
mod client;
mod fault;
mod hostile;
mod metadata;
mod producer;
mod versions;
