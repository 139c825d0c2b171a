//! Looking up host names, which blocks: on threads of its own, and only where a name is configured.
//!
//! ```text
//!   shards ── Request ──► ringwire-control ── one thread for each name under way ──► ringwire-dns-0 …
//!   shards ◄─ Resolved ──        ▲ └ who waits for which name                             │
//!                                └──────────────────────── Answer ────────────────────────┘
//! ```
//!
//! A name that nobody answers for holds up those who wait for it, and no others. Two connections that want one name
//! share its look-up. A look-up thread lasts as long as its look-up, and is never waited for: one that is stuck when
//! the engine ends holds the look-up function and a channel that nobody reads. `ringwire-control` ends with the engine,
//! and from then on the application's hook for new threads is called no more.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, Sender, TryRecvError, bounded, unbounded};
use crossbeam::select;
use ringwire_core::ConnectionId;
use ringwire_shards::net::Address;

use crate::shared::{Command, ShardShared};
use crate::thread_start::{Revocable, ThreadStart};

/// Names that are looked up at the same time; others wait. More than any sensible number of dead names, and few enough
/// threads for any limit.
const LOOK_UPS_MAX: usize = 32;
/// Stack of a look-up thread: `getaddrinfo` and the modules of the name service switch stay below half of it.
const STACK_LEN: usize = 512 << 10;
/// The thread that keeps who waits for which name.
const CONTROL: &str = "ringwire-control";

/// What looks a name and port up.
pub(crate) type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The system's own way: the hosts file, DNS, or whatever it is told to ask.
pub(crate) fn by_system() -> Arc<LookUp> {
    Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
}

/// A host name and a port.
pub(crate) type Name = (Arc<str>, u16);

/// The addresses of a name, or why there are none.
pub(crate) type Found = Result<Vec<Address>, String>;

/// A shard wants a name looked up for a connection; the answer is [`Command::Resolved`].
pub(crate) struct Request {
    pub(crate) shard: Weak<ShardShared>,
    pub(crate) connection: ConnectionId,
    pub(crate) name: Name,
}

/// The look-ups of one engine. They end when it is dropped.
pub(crate) struct Resolver {
    /// Nothing is sent here: it is dropped to tell `ringwire-control` to end.
    end: Option<Sender<Infallible>>,
    control: Option<JoinHandle<()>>,
    thread_start: Revocable,
}

impl Resolver {
    /// Starts the thread. It ends when the last sender of requests is gone, too.
    pub(crate) fn start(
        look_up: Arc<LookUp>,
        thread_start: ThreadStart,
    ) -> io::Result<(Self, Sender<Request>)> {
        let (requests, received) = unbounded();
        let (end, ended) = bounded(0);
        let thread_start = Revocable::new(thread_start);
        let desk = {
            let thread_start = thread_start.clone();
            move || {
                thread_start.announce(CONTROL);
                serve(&received, &ended, look_up, thread_start);
            }
        };
        let control = thread::Builder::new().name(CONTROL.to_owned()).spawn(desk)?;
        Ok((Self { end: Some(end), control: Some(control), thread_start }, requests))
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.end = None;
        if let Some(control) = self.control.take() {
            // It waits for nothing but the application's hook. A panic there ended it before.
            let _ = control.join();
        }
        // A look-up that has just begun is announced by now, or never.
        self.thread_start.revoke();
    }
}

/// What a look-up thread found.
struct Answer {
    name: Name,
    /// The thread's number, free again.
    number: usize,
    found: Found,
}

/// Who waits for what.
struct Desk {
    look_up: Arc<LookUp>,
    thread_start: Revocable,
    /// Who wants each name that is under way or queued.
    waiting: HashMap<Name, Vec<(Weak<ShardShared>, ConnectionId)>>,
    /// Names that wait for a thread.
    queue: VecDeque<Name>,
    /// Numbers of threads that may be started; the lowest is taken first.
    free: Vec<usize>,
    answers: Sender<Answer>,
}

fn serve(
    requests: &Receiver<Request>,
    ended: &Receiver<Infallible>,
    look_up: Arc<LookUp>,
    thread_start: Revocable,
) {
    let (answers, answered) = unbounded();
    let (waiting, queue) = (HashMap::new(), VecDeque::new());
    let free = (0..LOOK_UPS_MAX).rev().collect();
    let mut desk = Desk { look_up, thread_start, waiting, queue, free, answers };
    loop {
        select! {
            recv(requests) -> request => match request {
                Ok(request) => desk.asked(request),
                Err(_) => return,
            },
            recv(answered) -> answer => if let Ok(answer) = answer {
                desk.free.push(answer.number);
                desk.tell(&answer.name, &answer.found);
            },
            recv(ended) -> _ => return,
        }
        // Of several that are ready any may come first; behind the end nothing begins.
        if ended.try_recv() == Err(TryRecvError::Disconnected) {
            return;
        }
        desk.begin();
    }
}

impl Desk {
    fn asked(&mut self, Request { shard, connection, name }: Request) {
        let waiting = self.waiting.entry(name.clone()).or_default();
        if waiting.is_empty() {
            self.queue.push_back(name);
        }
        // A connection asks for a name again only when it was answered: there is no end to nobody's waiting here.
        waiting.push((shard, connection));
    }

    /// Begins as many look-ups as there are threads for.
    fn begin(&mut self) {
        while let Some(number) = self.free.pop() {
            let Some(name) = self.queue.pop_front() else {
                self.free.push(number);
                return;
            };
            let (look_up, answers, wanted) = (self.look_up.clone(), self.answers.clone(), name.clone());
            let (thread_name, thread_start) = (format!("ringwire-dns-{number}"), self.thread_start.clone());
            let started =
                thread::Builder::new().name(thread_name.clone()).stack_size(STACK_LEN).spawn(move || {
                    thread_start.announce(&thread_name);
                    let found = find(&*look_up, &wanted);
                    // Nobody reads it any more if the engine has ended.
                    let _ = answers.send(Answer { name: wanted, number, found });
                });
            if let Err(error) = started {
                self.free.push(number);
                let host = &name.0;
                self.tell(&name, &Err(format!("no thread to look the name {host} up (ulimit -u): {error}")));
            }
        }
    }

    fn tell(&mut self, name: &Name, found: &Found) {
        for (shard, connection) in self.waiting.remove(name).unwrap_or_default() {
            if let Some(shard) = shard.upgrade() {
                shard.command(Command::Resolved { connection, name: name.clone(), found: found.clone() });
            }
        }
    }
}

fn find(look_up: &LookUp, (host, port): &Name) -> Found {
    match look_up(host, *port) {
        Ok(found) if found.is_empty() => Err(format!("the name {host} has no address")),
        Ok(found) => Ok(found.into_iter().map(Address::Tcp).collect()),
        Err(error) => Err(format!("the name {host} cannot be looked up: {error}")),
    }
}

#[cfg(test)]
mod tests;
