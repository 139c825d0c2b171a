//! Looking up host names: it blocks, so it has a thread of its own (`ringwire-control`), and only where a name is
//! configured.

use std::io;
use std::net::ToSocketAddrs;
use std::sync::{Arc, Weak};
use std::thread;

use crossbeam::channel::{Receiver, Sender, unbounded};
use ringwire_shards::net::Address;

use crate::shared::{Command, ShardShared};

/// A shard wants a name looked up for a connection; the answer is [`Command::Resolved`].
pub(crate) struct Request {
    pub(crate) shard: Weak<ShardShared>,
    pub(crate) connection: usize,
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

/// Starts the thread. It ends when the last sender is gone.
pub(crate) fn start() -> io::Result<Sender<Request>> {
    let (requests, received) = unbounded();
    thread::Builder::new().name("ringwire-control".to_owned()).spawn(move || serve(&received))?;
    Ok(requests)
}

fn serve(requests: &Receiver<Request>) {
    // One request for each connection is under way at most: the shard asks again only when it was answered.
    while let Ok(Request { shard, connection, host, port }) = requests.recv() {
        let looked_up = (&*host, port).to_socket_addrs();
        let addresses = match looked_up {
            Ok(found) => {
                let found: Vec<Address> = found.map(Address::Tcp).collect();
                if found.is_empty() { Err(format!("the name {host} has no address")) } else { Ok(found) }
            }
            Err(error) => Err(format!("the name {host} cannot be looked up: {error}")),
        };
        if let Some(shard) = shard.upgrade() {
            shard.command(Command::Resolved { connection, addresses });
        }
    }
}
