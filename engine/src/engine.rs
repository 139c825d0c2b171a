//! The engine: starts the shards, opens what the application uses, and ends it all in order.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::channel::unbounded;
use crossbeam::utils::CachePadded;
use ringwire_core::channel::{NAME_LEN_MAX, shard_of};
use ringwire_core::{Channel as CoreChannel, Core, Counters, EndpointId, EndpointSettings};
use ringwire_shards::clock::monotonic_ns;
use ringwire_shards::credit::{Amount, credit};
use ringwire_shards::host::{self, HostHandle};
use ringwire_shards::net::{Interest, Poller};
use ringwire_shards::ring::frame_ring;
use ringwire_shards::signals::SignalsBlocked;
use ringwire_shards::slots::slot_ring;
use ringwire_shards::wake::{Fence, sleeper};

use crate::channel::Channel;
use crate::config::{Config, ConfigError, Endpoint, Location, Server};
use crate::connection::{Connections, SLEEPER_TOKEN};
use crate::host_shard::HostShard;
use crate::ports::{Leftover, PublisherPort, SubscriberPort};
use crate::publisher::{Dues, Lane, Publisher};
use crate::reports::{PolledBy, ReportLane, Reports};
use crate::resolver::{self, LookUp, Resolver};
use crate::shard::{Parts, Shard};
use crate::shared::{Command, Phase, ShardShared, Shared};
use crate::status::{EndpointReport, EndpointShared, Health, Latencies};
use crate::subscriber::Subscriber;

/// How often [`Engine::wait_ready`] and [`Engine::shutdown`] look: far below what a person or a connect notices.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// What a shard may need beyond the shutdown deadline to give the outcomes and close its sockets.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// A running engine. `Send + Sync`: opening and asking work from any thread; publishing, reports and subscriptions
/// go through handles that belong to one thread each.
///
/// Dropping it shuts it down without flushing: what is not sent by then is reported so. Its threads have ended then, but
/// for one whose host name the system still looks up; that one touches nothing of the application's.
pub struct Engine {
    shared: Arc<Shared>,
    hosts: std::sync::Mutex<Vec<HostHandle>>,
    /// Shards that the application drives, until it takes them.
    host_driven: std::sync::Mutex<Vec<Option<HostShard>>>,
    hosted_by: Vec<String>,
    /// Ends behind the shards; none where no name is configured.
    _resolver: Option<Resolver>,
}

/// Why an engine did not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// A setting cannot be.
    Config(ConfigError),
    /// The system refused a thread, a descriptor or memory.
    System(String),
    /// A shard's host could not be started: the core is not allowed, or glommio has no io_uring.
    Host(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "configuration: {error}"),
            Self::System(words) | Self::Host(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for StartError {}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> Self {
        Self::System(format!("the system refused a descriptor or a thread (ulimit -n, ulimit -u): {error}"))
    }
}

/// Why something could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// A name has 1 to 1024 bytes.
    BadName {
        /// What was given, in bytes.
        len: usize,
    },
    /// The engine was shut down.
    Closed,
    /// A shard failed; [`Engine::failure`] says why.
    Failed,
    /// A channel leads to a Kafka, and what would be its topic there is no legal name.
    BadTopic {
        /// The Kafka.
        endpoint: String,
        /// What would be the topic's name, or its beginning.
        topic: String,
    },
    /// A subscription to what leads to a Kafka alone: consuming is not built yet.
    NotHeard {
        /// The Kafka.
        endpoint: String,
    },
    /// With several Redis endpoints, a pattern needs the name of one.
    EndpointNeeded,
    /// There is no such endpoint.
    UnknownEndpoint(String),
    /// The system refused a descriptor.
    System(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName { len } => {
                write!(f, "a name of {len} bytes: channels and patterns have 1 to {NAME_LEN_MAX}")
            }
            Self::Closed => f.write_str("the engine was shut down"),
            Self::Failed => f.write_str("a shard of the engine failed; see Engine::failure"),
            Self::BadTopic { endpoint, topic } => write!(
                f,
                "`{topic}` cannot be a topic of the Kafka `{endpoint}`: it takes 1 to 249 letters, digits, ., _ and -; \
                 give the channel's route a `topic`, or name the channel otherwise"
            ),
            Self::NotHeard { endpoint } => write!(
                f,
                "it leads to the Kafka `{endpoint}`, and subscribing there is not built yet: its route needs a Redis as \
                 well, to be heard there"
            ),
            Self::EndpointNeeded => {
                f.write_str("with several endpoints a pattern needs the name of one: subscribe_pattern_at")
            }
            Self::UnknownEndpoint(name) => write!(f, "no endpoint is called `{name}`"),
            Self::System(words) => write!(f, "the system refused a descriptor (ulimit -n): {words}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<std::io::Error> for OpenError {
    fn from(error: std::io::Error) -> Self {
        Self::System(error.to_string())
    }
}

pub(crate) fn running(shared: &Shared) -> Result<(), OpenError> {
    match shared.phase() {
        Phase::Running => Ok(()),
        Phase::Closed => Err(OpenError::Closed),
        Phase::Failed => Err(OpenError::Failed),
    }
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Every message that the shards had accepted was answered before the deadline.
    pub flushed: bool,
    /// Outcomes *delivered* since the shutdown began.
    pub delivered: u64,
    /// Outcomes *not sent* since the shutdown began.
    pub not_sent: u64,
    /// Outcomes *unknown* since the shutdown began.
    pub unknown: u64,
}

impl Engine {
    /// Starts the shards. It does not wait for connections: see [`Engine::wait_ready`].
    ///
    /// # Errors
    /// [`StartError`], with no thread left behind.
    pub fn start(config: Config) -> Result<Self, StartError> {
        Self::start_with(config, resolver::by_system())
    }

    /// Starts with another way to look host names up.
    pub(crate) fn start_with(config: Config, look_up: Arc<LookUp>) -> Result<Self, StartError> {
        config.checked()?;
        let _until_all_are_started = SignalsBlocked::now();
        // Brokers may advertise themselves by name.
        let needs_names = |endpoint: &Endpoint| match &endpoint.server {
            Server::Redis(redis) => matches!(redis.location, Location::Name(..)),
            Server::Kafka(_) => true,
        };
        let needs_names = config.endpoints.iter().any(needs_names);
        let (resolver, requests) = if needs_names {
            let (resolver, requests) = Resolver::start(look_up, config.thread_start.clone())?;
            (Some(resolver), Some(requests))
        } else {
            (None, None)
        };
        let mut prepared = Vec::new();
        let mut shards = Vec::new();
        for _ in 0..config.shards {
            // A shard that only spins is never asleep; one that parks pays for the fence itself.
            let (sleeper, waker) = sleeper(Fence::Membarrier)?;
            let poller = Poller::new()?;
            poller.add(sleeper.fd(), SLEEPER_TOKEN, Interest::Read)?;
            let (commands, received) = unbounded();
            let endpoints = config.endpoints.iter().map(|_| EndpointShared::default()).collect();
            let shard = Arc::new(ShardShared {
                commands,
                waker,
                endpoints,
                bus: EndpointShared::default(),
                commands_given: 0.into(),
                commands_done: 0.into(),
                is_ready: true.into(),
                is_finished: false.into(),
            });
            shards.push(shard.clone());
            prepared.push((shard, sleeper, poller, received));
        }
        let shared = Arc::new(Shared::new(config, shards));
        let mut engine = Self {
            shared: shared.clone(),
            hosts: Vec::new().into(),
            host_driven: Vec::new().into(),
            hosted_by: Vec::new(),
            _resolver: resolver,
        };
        for (index, (shard, sleeper, poller, commands)) in prepared.into_iter().enumerate() {
            let config = &shared.config;
            let settings: Vec<_> =
                config.endpoints.iter().map(|endpoint| settings(endpoint, config)).collect();
            let locations = config.endpoints.iter().map(location).collect();
            // Shards and processes must not come back in step.
            let seed = monotonic_ns() ^ ((index as u64) << 48) ^ (u64::from(std::process::id()) << 24);
            let parts = Parts {
                core: Core::new(settings, seed),
                connections: Connections::new(locations, poller, requests.clone(), &shard),
                commands,
                sleeper,
                idle: config.idle,
                engine: shared.clone(),
                shared: shard,
            };
            engine.place(index, parts)?;
        }
        Ok(engine)
    }

    fn place(&mut self, index: usize, parts: Parts) -> Result<(), StartError> {
        let config = &self.shared.config;
        let hosts = self.hosts.get_mut().unwrap_or_else(PoisonError::into_inner);
        let driven = self.host_driven.get_mut().unwrap_or_else(PoisonError::into_inner);
        if config.host_driven {
            driven.push(Some(HostShard::new(Shard::new(parts))));
            self.hosted_by.push("the application's thread".to_owned());
            return Ok(());
        }
        let core = config.cores.get(index).copied();
        let name = format!("ringwire-s{index}");
        let begin = {
            let (name, thread_start) = (name.clone(), config.thread_start.clone());
            move || {
                thread_start.announce(&name);
                Shard::new(parts)
            }
        };
        let host = host::spawn(name, core, config.host, begin)
            .map_err(|error| StartError::Host(format!("shard {index}: {error}")))?;
        let place = core.map_or_else(|| "not pinned".to_owned(), |core| format!("core {core}"));
        let fallback = host.fallback().map_or_else(String::new, |reason| format!(" ({reason})"));
        self.hosted_by.push(format!("{}, {place}{fallback}", host.kind()));
        hosts.push(host);
        Ok(())
    }

    /// What hosts each shard, in words: `glommio, core 3`.
    pub fn hosted_by(&self) -> &[String] {
        &self.hosted_by
    }

    /// Takes shard `index` of a host-driven engine, once: the caller's thread drives it from then on.
    pub fn take_shard(&self, index: usize) -> Option<HostShard> {
        let mut shards = self.host_driven.lock().unwrap_or_else(PoisonError::into_inner);
        shards.get_mut(index)?.take()
    }

    /// Opens a channel: its legs are resolved by the routes, once. Opening it again gives the same channel.
    ///
    /// # Errors
    /// [`OpenError`] if the name is empty or too long, if it leads to a Kafka that takes no topic of that name, or if
    /// the engine was shut down.
    pub fn channel(&self, name: impl AsRef<[u8]>) -> Result<Channel, OpenError> {
        let name = name.as_ref();
        if name.is_empty() || name.len() > NAME_LEN_MAX {
            return Err(OpenError::BadName { len: name.len() });
        }
        running(&self.shared)?;
        let mut registry = self.shared.registry();
        if let Some(index) = registry.by_name.get(name) {
            return Ok(registry.channels[*index as usize].clone());
        }
        let index = registry.channels.len() as u32;
        let legs = self.shared.config.legs(name)?;
        let shard = shard_of(name, self.shared.shards.len());
        let channel = Channel::new(self.shared.running_pass(), index, name, shard, legs.clone());
        registry.channels.push(channel.clone());
        registry.by_name.insert(name.into(), index);
        // Told while the registry is held: whoever opens the channel again finds the shard told.
        self.shared.shards[shard].command(Command::Channel(CoreChannel { index, name: name.into(), legs }));
        Ok(channel)
    }

    /// Keeps something for as long as anything of this engine lives, its publishers included.
    #[doc(hidden)]
    pub fn keep(&self, it: Box<dyn Any + Send>) {
        self.shared.registry().kept.push(it);
    }

    /// Makes a publisher with reports. One whose reports are dropped goes on as one without
    /// ([`Engine::publisher_without_reports`]).
    ///
    /// # Errors
    /// [`OpenError`] if the engine was shut down or the system has no descriptor left.
    pub fn publisher(&self) -> Result<(Publisher, Reports), OpenError> {
        let (publisher, reports) = self.open_publisher(true)?;
        reports.map(|reports| (publisher, reports)).ok_or(OpenError::Closed)
    }

    /// Makes a publisher without reports: what becomes of its messages is only counted.
    ///
    /// # Errors
    /// As [`Engine::publisher`].
    pub fn publisher_without_reports(&self) -> Result<Publisher, OpenError> {
        Ok(self.open_publisher(false)?.0)
    }

    fn open_publisher(&self, with_reports: bool) -> Result<(Publisher, Option<Reports>), OpenError> {
        /// Of the whole process.
        static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);
        running(&self.shared)?;
        let config = &self.shared.config;
        let (reports_sleeper, reports_waker) = sleeper(Fence::Full)?;
        let (credit_sleeper, credit_waker) = sleeper(Fence::Full)?;
        let id = {
            let mut registry = self.shared.registry();
            registry.publishers += 1;
            registry.publishers - 1
        };
        let slots = config.report_slots();
        let capacity = |endpoint: &Endpoint| {
            let (messages, bytes) = config.credit_of(endpoint);
            Amount { messages: u64::from(messages), bytes: u64::from(bytes) }
        };
        let mut lanes = Vec::new();
        let mut report_lanes = Vec::new();
        for shard in &self.shared.shards {
            let (writer, reader) =
                frame_ring(config.ring_bytes).map_err(|error| OpenError::System(error.to_string()))?;
            let (credits, grantors): (Vec<_>, Vec<_>) =
                config.endpoints.iter().map(capacity).map(credit).map(padded).unzip();
            let leftover = Leftover::default();
            let dues = Dues { credits: credits.into(), slots: None };
            let (shard, waker) = (shard.clone(), shard.waker.clone());
            let mut lane = CachePadded::new(Lane { ring: writer, dues, shard: shard.clone(), waker });
            let mut port = Box::new(CachePadded::new(PublisherPort {
                id,
                grantors: grantors.into(),
                reports: None,
                reports_waker: reports_waker.clone().into(),
                credit_waker: credit_waker.clone().into(),
                leftover: leftover.clone(),
                is_dirty: false,
            }));
            if with_reports {
                let (report_writer, ring) = slot_ring(slots as usize);
                let (account, slots) = credit(Amount { messages: u64::from(slots), bytes: 0 });
                lane.dues.slots = Some(account);
                port.reports = Some(report_writer);
                report_lanes.push(ReportLane { ring, slots, leftover, pending: VecDeque::new() });
            }
            shard.command(Command::Publisher(port, reader));
            lanes.push(lane);
        }
        let polled_by = Arc::<PolledBy>::default();
        let publisher = Publisher {
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            shared: self.shared.clone(),
            lanes: lanes.into(),
            next_sequence: 0,
            sleeper: credit_sleeper,
            polled_by: polled_by.clone(),
        };
        let reports = with_reports.then(|| Reports {
            shared: self.shared.clone(),
            lanes: report_lanes.into(),
            sleeper: reports_sleeper,
            slots_waker: credit_waker,
            polled_by,
            first: 0,
        });
        Ok((publisher, reports))
    }

    /// Makes a subscriber, with no subscription yet.
    ///
    /// # Errors
    /// As [`Engine::publisher`].
    pub fn subscriber(&self) -> Result<Subscriber, OpenError> {
        running(&self.shared)?;
        let (sleeper, waker) = sleeper(Fence::Full)?;
        let id = {
            let mut registry = self.shared.registry();
            registry.subscribers += 1;
            registry.subscribers - 1
        };
        let mut rings = Vec::new();
        for shard in &self.shared.shards {
            let (ring, reader) = frame_ring(self.shared.config.subscriber_ring_bytes)
                .map_err(|error| OpenError::System(error.to_string()))?;
            let port = SubscriberPort { id, ring, waker: waker.clone().into(), is_dirty: false };
            shard.command(Command::Subscriber(Box::new(CachePadded::new(port))));
            rings.push(reader);
        }
        Ok(Subscriber::new(self.shared.clone(), id, rings.into(), sleeper))
    }

    /// Whether every connection that an open channel or subscription needs is there, and every subscription is in
    /// force.
    pub fn is_ready(&self) -> bool {
        self.shared.phase() == Phase::Running && self.shared.shards.iter().all(|shard| shard.is_ready())
    }

    /// Waits for [`Engine::is_ready`]; answers whether it came to be within `timeout`. [`Engine::status`] says what
    /// is missing. A host-driven engine is not driven meanwhile.
    pub fn wait_ready(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        while !self.is_ready() {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline)
                || self.shared.phase() != Phase::Running
            {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        true
    }

    /// Every endpoint in the order of the configuration, all shards together. Costs the shards nothing.
    pub fn status(&self) -> Vec<EndpointReport> {
        let endpoints = self.shared.config.endpoints.iter().enumerate();
        endpoints.map(|(index, endpoint)| self.endpoint_status(index, endpoint)).collect()
    }

    fn endpoint_status(&self, index: usize, endpoint: &Endpoint) -> EndpointReport {
        let mut report = EndpointReport::new(&endpoint.name, endpoint.kind(), endpoint.address());
        let now_ns = monotonic_ns();
        for shard in &self.shared.shards {
            shard.endpoints[index].add_to(&mut report, now_ns);
        }
        report
    }

    /// Whether the engine is well, in one word, from flags that the shards keep: below a microsecond, and at no cost
    /// to them.
    pub fn health(&self) -> Health {
        match self.shared.phase() {
            Phase::Closed => Health::Closed,
            Phase::Failed => Health::Failed,
            Phase::Running => {
                let mut endpoints = self.shared.shards.iter().flat_map(|shard| &shard.endpoints);
                if endpoints.all(EndpointShared::is_well) { Health::Healthy } else { Health::Degraded }
            }
        }
    }

    /// What the delivered messages of an endpoint took, if there is one of that name. Costs the shards nothing.
    pub fn latencies(&self, endpoint: &str) -> Option<Latencies> {
        let index = usize::from(self.endpoint(endpoint)?.0);
        let mut latencies = Latencies::empty();
        for shard in &self.shared.shards {
            shard.endpoints[index].add_latencies(&mut latencies);
        }
        Some(latencies)
    }

    /// Opens the connections of every endpoint, for publishing and for subscriptions, on every shard, whether or not
    /// a channel or subscription needs them. [`Engine::wait_ready`] then waits for all of them.
    pub fn connect(&self) {
        for shard in &self.shared.shards {
            shard.command(Command::Connect);
        }
    }

    /// The local bus' counters, all shards together.
    pub fn bus_counters(&self) -> Counters {
        let zero = Counters::default();
        self.shared.shards.iter().fold(zero, |sum, shard| sum.plus(&shard.bus.counters()))
    }

    /// The number of an endpoint, as in the order of [`Engine::status`].
    pub fn endpoint(&self, name: &str) -> Option<EndpointId> {
        self.shared.config.endpoint(name)
    }

    /// Why the engine failed, if a shard of it did.
    pub fn failure(&self) -> Option<String> {
        self.collect_failures();
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Joins hosts that have ended, and keeps what they died of.
    fn collect_failures(&self) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let (ended, running): (Vec<_>, Vec<_>) = hosts.drain(..).partition(HostHandle::is_finished);
        *hosts = running;
        for host in ended {
            if let Err(panic) = host.join() {
                let mut failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert_with(|| panic.to_string());
            }
        }
    }

    fn totals(&self) -> Counters {
        self.status().iter().fold(self.bus_counters(), |sum, it| sum.plus(&it.counters))
    }

    /// Begins the shutdown: publishers are refused from now on, and the shards flush what they have taken until
    /// `deadline` from now. [`Engine::shutdown`] also waits for the end.
    pub fn begin_shutdown(&self, deadline: Duration) {
        self.shared.set_phase(Phase::Closed);
        let deadline_ns =
            monotonic_ns().saturating_add(u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX));
        for shard in &self.shared.shards {
            shard.command(Command::Shutdown { deadline_ns });
        }
    }

    /// Refuses new messages, flushes what was accepted until `deadline` from now, reports what is left as *not
    /// sent* or *unknown*, closes the connections and ends the threads. The reports stay to be polled.
    ///
    /// The shards of a host-driven engine have to be driven by another thread meanwhile; on one thread, use
    /// [`Engine::begin_shutdown`] and [`HostShard::poll`].
    pub fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let before = self.totals();
        self.begin_shutdown(deadline);
        let until = Instant::now().checked_add(deadline.saturating_add(SHUTDOWN_GRACE));
        let is_finished = || self.shared.shards.iter().all(|shard| shard.is_finished.load(Ordering::Acquire));
        while !is_finished() && until.is_none_or(|until| Instant::now() < until) {
            std::thread::sleep(LOOK_EVERY);
        }
        self.collect_failures();
        let after = self.totals();
        let (not_sent, unknown) = (after.not_sent - before.not_sent, after.unknown - before.unknown);
        ShutdownReport {
            flushed: is_finished() && self.shared.expired.load(Ordering::Acquire) == 0,
            delivered: after.delivered - before.delivered,
            not_sent,
            unknown,
        }
    }
}

/// What stands in a delivery beside its payload: the names of the channel and the pattern, which others choose.
const DELIVERY_HEADS_MAX: usize = 1 << 20;

/// The settings of an endpoint's connections: they let in what a subscriber's ring can take, a quarter of it.
fn settings(endpoint: &Endpoint, config: &Config) -> EndpointSettings {
    let redis = match &endpoint.server {
        Server::Redis(redis) => redis,
        Server::Kafka(kafka) => return kafka.settings().into(),
    };
    let mut settings = redis.settings.clone();
    let limits = &mut settings.limits;
    limits.bulk_len_max = limits.bulk_len_max.max(config.subscriber_ring_bytes / 4);
    limits.frame_len_max = limits.frame_len_max.max(limits.bulk_len_max + DELIVERY_HEADS_MAX);
    settings.into()
}

/// Where a Redis listens. A Kafka's brokers are told by the core.
fn location(endpoint: &Endpoint) -> Location {
    match &endpoint.server {
        Server::Redis(redis) => redis.location.clone(),
        Server::Kafka(_) => Location::default(),
    }
}

/// Both on lines of their own.
fn padded<A, B>((one, other): (A, B)) -> (CachePadded<A>, CachePadded<B>) {
    (CachePadded::new(one), CachePadded::new(other))
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.begin_shutdown(Duration::ZERO);
        let driven = self.host_driven.get_mut().unwrap_or_else(PoisonError::into_inner);
        // What the application never took is ended here; the threads end by themselves.
        driven.clear();
        for host in self.hosts.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A failure was the application's to ask for.
            let _ = host.join();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("shards", &self.hosted_by).finish_non_exhaustive()
    }
}
