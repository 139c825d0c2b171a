//! `ringwire subscribe`: messages, one a line, as they come.
//!
//! ```text
//!  subscriber's ring ─► lines in a buffer ─► standard output, when the buffer is full or nothing more is waiting
//!                                            the reader stands still: the ring fills, and a gap is told
//!  nothing to do: one poll for the ring, a signal, and a reader that has gone
//! ```

mod print;

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime};

use ringwire::{Delivery, Event, Health, Subscriber, SubscriptionId, monotonic_ns};
use rustix::event::PollFlags;

use crate::args::{Pattern, Subscribe};
use crate::configuration::{Configuration, Endpoint, FileHere};
use crate::output::{self, Failure, Unwritten, complain};
use crate::running::Running;
use crate::stop::{Stop, Woken};
use crate::table::{counted, excerpt};
use print::{Notice, Received};

/// What is collected before it is written: enough that system calls do not count.
const BUFFER_BYTES: usize = 64 << 10;
/// Events between two looks at the buffer. Together they are no longer than the ring they come from.
const EVENTS_PER_POLL: usize = 64;
/// How often the connections are looked at, and a standstill is: nothing rings for them.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same until the subscriptions are in force.
const LOOK_AT_FIRST_EVERY: Duration = Duration::from_millis(5);

/// Prints messages until the end is asked for; answers what went wrong.
pub(crate) fn run(plan: &Subscribe) -> Option<Failure> {
    try_run(plan).err()
}

fn try_run(plan: &Subscribe) -> Result<(), Failure> {
    let configuration = Configuration::load(&plan.origin, FileHere::Read)?.with_endpoint()?.quiet();
    check_endpoint(plan.endpoint.as_deref(), &configuration.endpoints)?;
    let stop = Stop::listen()?;
    let running = Running::start(configuration)?;
    let mut session = Session::open(plan, &running, &stop)?;
    let ended = session.receive();
    session.say_counts();
    ended
}

/// Which endpoint is listened at has to be known.
fn check_endpoint(wanted: Option<&str>, endpoints: &[Endpoint]) -> Result<(), Failure> {
    let names: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    let is_known = match wanted {
        Some(wanted) => names.contains(&wanted),
        None => names.len() == 1,
    };
    if is_known {
        return Ok(());
    }
    let problem = match wanted {
        Some(wanted) => format!("--endpoint {wanted}: there is none of that name"),
        None => "there are several endpoints: say where to listen with --endpoint".to_owned(),
    };
    Err(Failure::usage(format!("{problem}; expected one of {}", names.join(", "))))
}

/// Subscriptions, and what came of them.
struct Session<'a> {
    plan: &'a Subscribe,
    running: &'a Running,
    stop: &'a Stop,
    subscriber: Subscriber,
    names: HashMap<u32, &'a Pattern>,
    lines: Vec<u8>,
    counts: Counts,
    /// Until when the subscriptions have to be in force; nothing once they are.
    ready_until: Option<Instant>,
    /// When the connections are looked at again.
    look_at: Instant,
    is_connected: bool,
}

#[derive(Default)]
struct Counts {
    messages: u64,
    gaps: u64,
    lost: u64,
    /// The server's last words to a subscription that it refuses.
    refusal: Option<String>,
}

impl<'a> Session<'a> {
    fn open(plan: &'a Subscribe, running: &'a Running, stop: &'a Stop) -> Result<Self, String> {
        let words = |error: ringwire::OpenError| error.to_string();
        let mut subscriber = running.engine.subscriber().map_err(words)?;
        let mut names = HashMap::new();
        for pattern in &plan.patterns {
            let text = &pattern.text;
            let SubscriptionId(id) = match &plan.endpoint {
                Some(endpoint) if pattern.is_glob => subscriber.subscribe_pattern_at(endpoint, text),
                Some(endpoint) => subscriber.subscribe_at(endpoint, text),
                None if pattern.is_glob => subscriber.subscribe_pattern(text),
                None => subscriber.subscribe(text),
            }
            .map_err(words)?;
            names.insert(id, pattern);
        }
        let now = Instant::now();
        Ok(Self {
            plan,
            running,
            stop,
            subscriber,
            names,
            lines: Vec::with_capacity(BUFFER_BYTES),
            counts: Counts::default(),
            ready_until: Some(now + plan.timeout),
            look_at: now,
            is_connected: true,
        })
    }

    /// Prints until the end is asked for, the count is reached or nobody reads any more.
    fn receive(&mut self) -> Result<(), Failure> {
        loop {
            let limit = self.limit();
            let polled = if limit == 0 { 0 } else { self.poll(limit) };
            let is_over = self.stop.is_asked() || self.limit() == 0;
            if (is_over || polled == 0 || self.lines.len() >= BUFFER_BYTES) && !self.lines.is_empty() {
                match output::write_stdout(&self.lines, self.stop) {
                    Ok(()) => self.lines.clear(),
                    Err(Unwritten::Gone | Unwritten::Stopped) => return Ok(()),
                    Err(Unwritten::Failed(words)) => return Err(words.into()),
                }
            }
            if is_over {
                return Ok(());
            }
            if Instant::now() >= self.look_at {
                self.look()?;
            }
            if polled == 0 && self.is_output_gone() {
                return Ok(());
            }
        }
    }

    /// How many events may be polled: no more messages than the count asks for.
    fn limit(&self) -> usize {
        let left = self.plan.count.map_or(u64::MAX, |count| count.get() - self.counts.messages);
        usize::try_from(left).unwrap_or(usize::MAX).min(EVENTS_PER_POLL)
    }

    fn poll(&mut self, limit: usize) -> usize {
        let Self { subscriber, names, lines, counts, plan, .. } = self;
        // Both clocks, so that times are since 1970; the shard's own is the monotonic one.
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let since_1970_ns = u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX);
        let now_ns = monotonic_ns();
        subscriber.poll(limit, |delivery| {
            let received_ns = since_1970_ns.saturating_sub(now_ns.saturating_sub(delivery.received_ns));
            if let Some(pattern) = names.get(&delivery.subscription) {
                counts.print(delivery, pattern, received_ns, plan.json, lines);
            }
        })
    }

    /// Waits for an event; answers whether the reader of the output has gone.
    fn is_output_gone(&mut self) -> bool {
        if !self.subscriber.arm() {
            return false;
        }
        let left = self.look_at.saturating_duration_since(Instant::now());
        let (fd, stdout) = (self.subscriber.fd(), io::stdout());
        let woken = self.stop.wait_for_either(fd, PollFlags::IN, Some(stdout.as_fd()), Some(left));
        woken == Woken::Gone
    }

    /// Looks at the connections, now and then, and tells what has changed.
    fn look(&mut self) -> Result<(), Failure> {
        if let Some(failure) = self.running.engine.failure() {
            return Err(format!("a shard failed: {failure}").into());
        }
        let Some(until) = self.ready_until else {
            self.look_at = Instant::now() + LOOK_EVERY;
            self.tell_health();
            return Ok(());
        };
        self.look_at = Instant::now() + LOOK_AT_FIRST_EVERY;
        if self.running.engine.is_ready() {
            self.ready_until = None;
            self.check_places()?;
            let names: Vec<String> = self.plan.patterns.iter().map(|it| excerpt(&it.text)).collect();
            complain(format_args!("subscribed to {} at {}", names.join(", "), self.place()));
        } else if Instant::now() >= until {
            return Err(match &self.counts.refusal {
                Some(words) => format!("the server refuses the subscription: {words}"),
                None => self.running.not_connected(self.plan.timeout),
            }
            .into());
        }
        Ok(())
    }

    /// A channel that no route leads to an endpoint is heard within one process alone: nothing would ever come.
    fn check_places(&self) -> Result<(), Failure> {
        let is_used =
            |it: ringwire::EndpointReport| it.subscribe.state != ringwire::EndpointState::Disconnected;
        if self.running.engine.status().into_iter().any(is_used) {
            return Ok(());
        }
        Err(Failure::usage("no route leads these channels to an endpoint: name one with --endpoint"))
    }

    fn place(&self) -> String {
        self.plan.endpoint.clone().unwrap_or_else(|| self.running.shown.clone())
    }

    fn tell_health(&mut self) {
        let is_connected = self.running.engine.health() == Health::Healthy;
        if is_connected == self.is_connected {
            return;
        }
        self.is_connected = is_connected;
        if is_connected {
            complain(format_args!("connected again to {}", self.place()));
        } else {
            let words = self.running.trouble().unwrap_or_else(|| "it is tried again".to_owned());
            complain(format_args!("no connection to {}: {words}", self.place()));
        }
    }

    fn say_counts(&self) {
        let Counts { messages, gaps, lost, .. } = self.counts;
        if self.ready_until.is_some() && messages == 0 {
            return;
        }
        let mut words = format!("{} received, {}", counted(messages, "message"), counted(gaps, "gap"));
        if lost > 0 {
            words += &format!(" with {} known to be lost", counted(lost, "message"));
        }
        complain(words);
    }
}

impl Counts {
    /// Counts an event, and adds its lines.
    fn print(
        &mut self,
        delivery: &Delivery<'_>,
        pattern: &Pattern,
        received_ns: u64,
        json: bool,
        lines: &mut Vec<u8>,
    ) {
        let name = || excerpt(&pattern.text);
        match delivery.event {
            Event::Message { channel, payload } => {
                self.messages += 1;
                let received = Received { channel, pattern, payload, received_ns };
                if json { received.print_json(lines) } else { received.print(lines) }
            }
            Event::Gap { reason, lost } => {
                self.gaps += 1;
                self.lost += lost;
                let known = match lost {
                    0 => "messages may be missing".to_owned(),
                    lost => format!("{} lost", counted(lost, "message")),
                };
                complain(format_args!("gap in {}: {known} here ({reason})", name()));
                if json {
                    let reason = reason.to_string();
                    print::print_json(&Notice::Gap { pattern: &name(), reason, lost, received_ns }, lines);
                }
            }
            Event::Refused { error } => {
                let error = &*String::from_utf8_lossy(error);
                if self.refusal.as_deref() != Some(error) {
                    complain(format_args!("the server refuses the subscription to {}: {error}", name()));
                    self.refusal = Some(error.to_owned());
                }
                if json {
                    print::print_json(&Notice::Refused { pattern: &name(), error, received_ns }, lines);
                }
            }
            Event::Subscribed => {}
        }
    }
}
