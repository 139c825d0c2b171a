//! The C library as C programs see it: installed into a folder of its own, compiled against, linked both ways, run.
//!
//! ```text
//!   tools/install-capi ──► PREFIX/{include,lib} ──► gcc, clang ──► examples/, programs/ ──► loopback, redis-server,
//!                                                                                           Apache Kafka
//! ```
//!
//! The library is built by the profile that these tests are built by; `TEST_CAPI_PROFILE` names another one.

mod abi;
mod build;
mod examples;
mod hosts;
mod kafka;
mod symbols;

#[path = "../real/client.rs"]
#[allow(dead_code, reason = "the real server's tests use more of it")]
mod client;
#[path = "../real/server.rs"]
#[allow(dead_code, reason = "the real server's tests use more of it")]
mod server;

#[path = "../kafka"]
#[allow(dead_code, reason = "the brokers' tests use more of it")]
mod brokers {
    mod client;
    mod judge;
    pub(crate) mod line;
    mod records;
    pub(crate) mod server;
}

use ringwire_tests::patience;
