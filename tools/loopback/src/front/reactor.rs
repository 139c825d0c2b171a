//! The front's thread: epoll, the connections, and the service between them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::Idle;
use super::handle::Control;
use super::service::Service;
use super::socket::Listener;

/// One read: what the service executes before the next connection has its turn.
const READ_MAX: usize = 64 * 1024;

/// Events taken from one epoll call; more come with the next.
const EVENTS_MAX: usize = 256;

/// Connections accepted before those that exist have their turn.
const ACCEPTS_MAX: usize = 64;

/// When spinning, connections that sent something of late are read without asking epoll: at most so many,
const HOT_MAX: usize = 8;
/// each until it has been silent for so many looks (about a millisecond),
const HOT_LOOKS: u32 = 2048;
/// while epoll, where new connections and stop requests show, is asked once in so many rounds.
const ROUNDS_PER_EPOLL: u32 = 64;

/// What an event is about: connections use their number, which starts at 1 and never gets this far;
const WAKE: u64 = u64::MAX;
/// listeners count down from here, as far as they go.
const LISTENERS: u64 = u64::MAX - 1;

/// What an event about the listener at this place carries.
fn listener_data(index: usize) -> EventData {
    EventData::new_u64(LISTENERS - index as u64)
}

struct Connection {
    socket: OwnedFd,
    /// The socket did not take everything: epoll tells when it takes more.
    blocked: bool,
}

struct Hot {
    client: u64,
    silent_looks: u32,
}

pub(super) struct Reactor<S> {
    epoll: OwnedFd,
    listeners: Vec<Listener>,
    /// Out of file descriptors: these are not watched until a connection closes.
    paused: Vec<usize>,
    wake: Arc<OwnedFd>,
    commands: Receiver<Control<S>>,
    idle: Idle,
    started: Instant,
    service: S,
    connections: BTreeMap<u64, Connection>,
    hot: Vec<Hot>,
    buffer: Vec<u8>,
}

impl<S: Service> Reactor<S> {
    pub(super) fn new(
        listeners: Vec<Listener>,
        service: S,
        wake: Arc<OwnedFd>,
        commands: Receiver<Control<S>>,
        idle: Idle,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, listener) in listeners.iter().enumerate() {
            epoll::add(&epoll, listener, listener_data(index), EventFlags::IN)?;
        }
        epoll::add(&epoll, &*wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        Ok(Self {
            epoll,
            listeners,
            paused: Vec::new(),
            wake,
            commands,
            idle,
            started: Instant::now(),
            service,
            connections: BTreeMap::new(),
            hot: Vec::with_capacity(HOT_MAX),
            buffer: Vec::with_capacity(READ_MAX),
        })
    }

    /// Serves until it is told to stop.
    pub(super) fn run(&mut self) {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            let timeout = self.timeout();
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                // Nothing but a closed epoll can be wrong here.
                Err(_) => return,
            }
            let now_ns = self.now_ns();
            for event in &events {
                if !self.handle(now_ns, *event) {
                    return;
                }
            }
            if self.service.next_deadline().is_some_and(|deadline_ns| deadline_ns <= now_ns) {
                self.service.tick(now_ns);
            }
            self.flush_ready();
            if self.idle == Idle::Spin {
                self.spin();
            }
        }
    }

    /// How long epoll may wait; `None`: until something happens.
    fn timeout(&self) -> Option<Timespec> {
        let wait_ns = match self.idle {
            Idle::Spin => 0,
            Idle::Block => self.service.next_deadline()?.saturating_sub(self.now_ns()),
        };
        let wait = Duration::from_nanos(wait_ns);
        Some(Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) })
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// False: stop.
    fn handle(&mut self, now_ns: u64, event: Event) -> bool {
        // Copied: the kernel's struct is packed.
        let Event { flags, data } = event;
        match data.u64() {
            WAKE => return self.obey(),
            listener if LISTENERS - listener < self.listeners.len() as u64 => {
                self.accept(now_ns, (LISTENERS - listener) as usize);
            }
            client => {
                if flags.contains(EventFlags::OUT) {
                    self.flush(client);
                }
                if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                    self.read(now_ns, client);
                }
            }
        }
        true
    }

    fn obey(&mut self) -> bool {
        // Read the counter before the commands: one that comes in between raises it again.
        let _ = rustix::io::read(&*self.wake, &mut [0u8; 8]);
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Control::Stop => return false,
                Control::With(job) => job(&mut self.service),
            }
        }
        true
    }

    fn accept(&mut self, now_ns: u64, listener: usize) {
        for _ in 0..ACCEPTS_MAX {
            match self.listeners[listener].accept() {
                Ok((socket, peer_addr)) => {
                    let client = self.service.accept(now_ns, listener, &peer_addr);
                    let data = EventData::new_u64(client);
                    if epoll::add(&self.epoll, &socket, data, EventFlags::IN).is_ok() {
                        self.connections.insert(client, Connection { socket, blocked: false });
                    } else {
                        self.service.closed(client);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_out_of_descriptors(&error) => return self.pause(listener),
                // A connection that broke before it was accepted; the next may be sound.
                Err(_) => {}
            }
        }
    }

    /// A listener that cannot accept would keep epoll from ever waiting.
    fn pause(&mut self, listener: usize) {
        if !self.connections.is_empty() && epoll::delete(&self.epoll, &self.listeners[listener]).is_ok() {
            self.paused.push(listener);
        }
    }

    /// Reads once and executes what came. True if something did.
    fn read(&mut self, now_ns: u64, client: u64) -> bool {
        let Some(connection) = self.connections.get(&client) else { return false };
        self.buffer.clear();
        match rustix::net::recv(&connection.socket, spare_capacity(&mut self.buffer), RecvFlags::empty()) {
            Ok((n, _)) if n > 0 => {
                self.service.receive(now_ns, client, &self.buffer);
                self.heat(client);
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => false,
            Ok(_) | Err(_) => {
                self.close(client);
                false
            }
        }
    }

    /// Sends each client that has got output its whole output, once.
    fn flush_ready(&mut self) {
        while let Some(client) = self.service.next_ready() {
            self.flush(client);
        }
    }

    fn flush(&mut self, client: u64) {
        let Some(connection) = self.connections.get_mut(&client) else { return };
        let output = self.service.output(client);
        let unsent = if output.is_empty() {
            0
        } else {
            let total = output.len();
            match rustix::net::send(&connection.socket, output, SendFlags::NOSIGNAL) {
                Ok(n) => {
                    self.service.sent(client, n);
                    total - n
                }
                Err(Errno::AGAIN | Errno::INTR) => total,
                Err(_) => return self.close(client),
            }
        };
        if unsent == 0 && self.service.wants_close(client) {
            return self.close(client);
        }
        let blocked = unsent > 0;
        if blocked != connection.blocked {
            connection.blocked = blocked;
            let interest = if blocked { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            let data = EventData::new_u64(client);
            if epoll::modify(&self.epoll, &connection.socket, data, interest).is_err() {
                self.close(client);
            }
        }
    }

    /// Forgets a connection; its socket closes, and leaves epoll by that.
    fn close(&mut self, client: u64) {
        self.connections.remove(&client);
        self.hot.retain(|hot| hot.client != client);
        self.service.closed(client);
        let Self { epoll, listeners, paused, .. } = self;
        paused.retain(|&index| {
            epoll::add(&*epoll, &listeners[index], listener_data(index), EventFlags::IN).is_err()
        });
    }

    fn heat(&mut self, client: u64) {
        if self.idle != Idle::Spin {
            return;
        }
        if let Some(hot) = self.hot.iter_mut().find(|hot| hot.client == client) {
            hot.silent_looks = 0;
        } else if self.hot.len() < HOT_MAX {
            self.hot.push(Hot { client, silent_looks: 0 });
        }
    }

    /// Reads the busy connections a few rounds without asking epoll.
    fn spin(&mut self) {
        for _ in 0..ROUNDS_PER_EPOLL {
            if self.hot.is_empty() {
                return;
            }
            let now_ns = self.now_ns();
            let mut at = 0;
            while let Some(hot) = self.hot.get_mut(at) {
                hot.silent_looks += 1;
                let client = hot.client;
                if hot.silent_looks > HOT_LOOKS {
                    self.hot.swap_remove(at);
                    continue;
                }
                if self.read(now_ns, client) {
                    self.flush_ready();
                }
                // A connection that was closed has left the list, and another one its place.
                if self.hot.get(at).is_some_and(|hot| hot.client == client) {
                    at += 1;
                }
            }
        }
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}
