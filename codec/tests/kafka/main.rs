//! The Kafka codec from the outside; one module per question.

mod api;
mod fuzz;
mod golden;
mod hostile;
mod inflate;
mod oracle;
mod oracle_fetch;
mod oracle_produce;
mod partition;
#[path = "../resp/random.rs"]
mod random;
mod records;
mod records_oracle;
mod samples;
mod wire;
