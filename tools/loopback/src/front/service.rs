//! What the reactor drives: a state machine that answers connections.

use crate::{kafka, redis};

/// A server without its sockets; the contract is that of [`redis::Server`]. Connections go by their number, from 1.
pub(super) trait Service {
    /// A listener, by its place among the front's, has accepted a connection.
    fn accept(&mut self, now_ns: u64, listener: usize, peer_addr: &str) -> u64;
    fn receive(&mut self, now_ns: u64, id: u64, bytes: &[u8]);
    fn output(&self, id: u64) -> &[u8];
    fn sent(&mut self, id: u64, n: usize);
    fn wants_close(&self, id: u64) -> bool;
    fn closed(&mut self, id: u64);
    fn next_ready(&mut self) -> Option<u64>;
    /// When `tick` has something to do, if nothing happens before.
    fn next_deadline(&self) -> Option<u64>;
    fn tick(&mut self, now_ns: u64);
}

impl Service for redis::Server {
    fn accept(&mut self, now_ns: u64, _: usize, peer_addr: &str) -> u64 {
        self.accept(now_ns, peer_addr).0
    }

    fn receive(&mut self, now_ns: u64, id: u64, bytes: &[u8]) {
        self.receive(now_ns, redis::ClientId(id), bytes);
    }

    fn output(&self, id: u64) -> &[u8] {
        self.output(redis::ClientId(id))
    }

    fn sent(&mut self, id: u64, n: usize) {
        self.sent(redis::ClientId(id), n);
    }

    fn wants_close(&self, id: u64) -> bool {
        self.wants_close(redis::ClientId(id))
    }

    fn closed(&mut self, id: u64) {
        self.closed(redis::ClientId(id));
    }

    fn next_ready(&mut self) -> Option<u64> {
        self.next_ready().map(|id| id.0)
    }

    fn next_deadline(&self) -> Option<u64> {
        None
    }

    fn tick(&mut self, _: u64) {}
}

/// The listeners are those of brokers 1, 2, 3...
impl Service for kafka::Cluster {
    fn accept(&mut self, now_ns: u64, listener: usize, _: &str) -> u64 {
        self.accept(now_ns, super::kafka::broker_id(listener)).0
    }

    fn receive(&mut self, now_ns: u64, id: u64, bytes: &[u8]) {
        self.receive(now_ns, kafka::ConnectionId(id), bytes);
    }

    fn output(&self, id: u64) -> &[u8] {
        self.output(kafka::ConnectionId(id))
    }

    fn sent(&mut self, id: u64, n: usize) {
        self.sent(kafka::ConnectionId(id), n);
    }

    fn wants_close(&self, id: u64) -> bool {
        self.wants_close(kafka::ConnectionId(id))
    }

    fn closed(&mut self, id: u64) {
        self.closed(kafka::ConnectionId(id));
    }

    fn next_ready(&mut self) -> Option<u64> {
        self.next_ready().map(|id| id.0)
    }

    fn next_deadline(&self) -> Option<u64> {
        self.next_deadline()
    }

    fn tick(&mut self, now_ns: u64) {
        self.tick(now_ns);
    }
}
