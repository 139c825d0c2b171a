//! Channels and patterns: PUBLISH, (P)SUBSCRIBE, (P)UNSUBSCRIBE, PUBSUB.
//!
//! ```text
//! channels: name -> clients, in the order in which they subscribed
//! patterns: glob -> clients, likewise; globs in the order of their bytes
//! PUBLISH ch: every client of channels[ch], then every client of each glob that matches ch
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ringwire_codec::resp::{encode, glob_match};

use super::client::{Clients, Fate, RETAINED_BYTES};
use super::command::{Call, quoted};
use super::{Executed, Options, Server, Slot};

/// What a subscription is taken to cost beyond its name: entries in two tables.
const SUBSCRIPTION_OVERHEAD: usize = 192;

#[derive(Default)]
pub(super) struct Subscriptions {
    /// Never iterated but to be sorted: its order is random.
    channels: HashMap<Arc<[u8]>, Vec<Slot>>,
    patterns: BTreeMap<Arc<[u8]>, Vec<Slot>>,
    /// Names and overheads of all subscriptions.
    bytes: usize,
    /// A message's frame without its header, encoded once for all its receivers.
    frame: Vec<u8>,
}

/// Channels, or patterns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Channel,
    Pattern,
}

impl Kind {
    fn subscribed(self) -> &'static [u8] {
        match self {
            Self::Channel => b"subscribe",
            Self::Pattern => b"psubscribe",
        }
    }

    fn unsubscribed(self) -> &'static [u8] {
        match self {
            Self::Channel => b"unsubscribe",
            Self::Pattern => b"punsubscribe",
        }
    }
}

impl Subscriptions {
    fn add(&mut self, kind: Kind, name: &[u8], slot: Slot) -> Arc<[u8]> {
        self.bytes += name.len() + SUBSCRIPTION_OVERHEAD;
        match kind {
            Kind::Channel => {
                if let Some((shared, _)) = self.channels.get_key_value(name) {
                    let shared = Arc::clone(shared);
                    self.channels.entry(Arc::clone(&shared)).or_default().push(slot);
                    return shared;
                }
                let shared: Arc<[u8]> = name.into();
                self.channels.insert(Arc::clone(&shared), vec![slot]);
                shared
            }
            Kind::Pattern => {
                let shared = match self.patterns.get_key_value(name) {
                    Some((shared, _)) => Arc::clone(shared),
                    None => name.into(),
                };
                self.patterns.entry(Arc::clone(&shared)).or_default().push(slot);
                shared
            }
        }
    }

    fn remove(&mut self, kind: Kind, name: &[u8], slot: Slot) {
        self.bytes -= name.len() + SUBSCRIPTION_OVERHEAD;
        let clients = match kind {
            Kind::Channel => self.channels.get_mut(name),
            Kind::Pattern => self.patterns.get_mut(name),
        };
        let Some(clients) = clients else { return };
        if let Some(at) = clients.iter().position(|client| *client == slot) {
            // Not swap_remove: receivers keep the order in which they subscribed.
            clients.remove(at);
        }
        if clients.is_empty() {
            match kind {
                Kind::Channel => drop(self.channels.remove(name)),
                Kind::Pattern => drop(self.patterns.remove(name)),
            }
        }
    }
}

pub(super) fn publish(server: &mut Server, call: Call<'_>) {
    let (channel, payload) = (call.args.at(1), call.args.at(2));
    if server.options.journal && server.journal.bytes() >= server.options.limits.journal_bytes_max {
        let error = "ERR the journal of executed messages is full: take it more often";
        return server.clients.reply(call.slot).error(error);
    }
    let receivers = server.deliver(call.now_ns, channel, payload);
    server.clients.reply(call.slot).integer(receivers);
    if server.options.journal {
        let client = server.clients.at(call.slot).id;
        server.journal.record(Executed {
            client,
            channel: channel.to_vec(),
            payload: payload.to_vec(),
            receivers,
        });
    }
}

pub(super) fn subscribe(server: &mut Server, call: Call<'_>) {
    server.subscribe(call, Kind::Channel);
}

pub(super) fn psubscribe(server: &mut Server, call: Call<'_>) {
    server.subscribe(call, Kind::Pattern);
}

pub(super) fn unsubscribe(server: &mut Server, call: Call<'_>) {
    server.unsubscribe(call, Kind::Channel);
}

pub(super) fn punsubscribe(server: &mut Server, call: Call<'_>) {
    server.unsubscribe(call, Kind::Pattern);
}

/// `PUBSUB CHANNELS [pattern]`: the channels with a subscriber, sorted.
pub(super) fn channels(server: &mut Server, call: Call<'_>) {
    let Call { slot, args, .. } = call;
    if args.len() > 3 {
        let mut error = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
        error.extend_from_slice(quoted(args.at(1), 128));
        error.extend_from_slice(b"'. Try PUBSUB HELP.");
        return server.clients.reply(slot).error_bytes(&error);
    }
    let all = args.len() == 2;
    let mut names: Vec<Arc<[u8]>> = server
        .subscriptions
        .channels
        .keys()
        .filter(|name| all || glob_match(args.at(2), name))
        .map(Arc::clone)
        .collect();
    names.sort_unstable();
    let mut reply = server.clients.reply(slot);
    reply.array(names.len());
    for name in &names {
        reply.bulk(name);
    }
}

pub(super) fn numsub(server: &mut Server, call: Call<'_>) {
    let mut reply = server.clients.reply(call.slot);
    reply.array((call.args.len() - 2) * 2);
    for name in call.args.from(2) {
        reply.bulk(name);
        reply.integer(server.subscriptions.channels.get(name).map_or(0, |clients| clients.len() as u64));
    }
}

pub(super) fn numpat(server: &mut Server, call: Call<'_>) {
    let patterns = server.subscriptions.patterns.len() as u64;
    server.clients.reply(call.slot).integer(patterns);
}

impl Server {
    /// Appends a message to the output of everyone who is subscribed, and counts them.
    fn deliver(&mut self, now_ns: u64, channel: &[u8], payload: &[u8]) -> u64 {
        let Subscriptions { channels, patterns, frame, .. } = &mut self.subscriptions;
        let mut courier =
            Courier { clients: &mut self.clients, doomed: &mut self.doomed, options: &self.options, now_ns };
        let mut count = 0;
        if let Some(receivers) = channels.get(channel) {
            encode_elements(frame, &[b"message", channel, payload]);
            count += courier.deliver(3, frame, receivers);
        }
        for (pattern, receivers) in patterns.iter() {
            if glob_match(pattern, channel) {
                encode_elements(frame, &[b"pmessage", pattern, channel, payload]);
                count += courier.deliver(4, frame, receivers);
            }
        }
        count
    }

    /// The part of the server that writes to clients while its tables are read.
    pub(super) fn courier(&mut self, now_ns: u64) -> Courier<'_> {
        Courier { clients: &mut self.clients, doomed: &mut self.doomed, options: &self.options, now_ns }
    }

    fn subscribe(&mut self, call: Call<'_>, kind: Kind) {
        let slot = call.slot;
        for name in call.args.from(1) {
            if self.subscriptions.bytes >= self.options.limits.subscription_bytes_max {
                return self.clients.reply(slot).error("ERR max number of subscriptions reached");
            }
            let client = self.clients.at_mut(slot);
            match kind {
                Kind::Channel if !client.channels.contains(name) => {
                    client.channels.insert(self.subscriptions.add(kind, name, slot));
                }
                Kind::Pattern if !client.patterns.iter().any(|own| **own == *name) => {
                    client.patterns.push(self.subscriptions.add(kind, name, slot));
                }
                Kind::Channel | Kind::Pattern => {}
            }
            self.confirm(slot, kind.subscribed(), Some(name));
        }
    }

    /// Ends the subscriptions named, or all of the kind; a client that has none is told so once.
    fn unsubscribe(&mut self, call: Call<'_>, kind: Kind) {
        let slot = call.slot;
        for name in call.args.from(1) {
            self.remove_subscription(slot, kind, name);
            self.confirm(slot, kind.unsubscribed(), Some(name));
        }
        if call.args.len() > 1 {
            return;
        }
        let client = self.clients.at(slot);
        let own: Vec<Arc<[u8]>> = match kind {
            Kind::Channel => client.channels.iter().map(Arc::clone).collect(),
            Kind::Pattern => client.patterns.clone(),
        };
        if own.is_empty() {
            return self.confirm(slot, kind.unsubscribed(), None);
        }
        for name in &own {
            self.remove_subscription(slot, kind, name);
            self.confirm(slot, kind.unsubscribed(), Some(name));
        }
    }

    fn remove_subscription(&mut self, slot: Slot, kind: Kind, name: &[u8]) {
        let client = self.clients.at_mut(slot);
        let removed = match kind {
            Kind::Channel => client.channels.remove(name),
            Kind::Pattern => {
                let at = client.patterns.iter().position(|own| **own == *name);
                at.map(|at| client.patterns.remove(at)).is_some()
            }
        };
        if removed {
            self.subscriptions.remove(kind, name, slot);
        }
    }

    /// The push that answers each name of a (un)subscribe command.
    fn confirm(&mut self, slot: Slot, what: &[u8], name: Option<&[u8]>) {
        let subscriptions = self.clients.at(slot).subscriptions() as u64;
        let mut push = self.clients.push(slot);
        push.push(3);
        push.bulk(what);
        push.bulk_or_null(name);
        push.integer(subscriptions);
    }

    /// Ends all of a client's subscriptions without telling it.
    pub(super) fn unsubscribe_silently(&mut self, slot: Slot) {
        let client = self.clients.at_mut(slot);
        let channels = std::mem::take(&mut client.channels);
        let patterns = std::mem::take(&mut client.patterns);
        for name in &channels {
            self.subscriptions.remove(Kind::Channel, name, slot);
        }
        for name in &patterns {
            self.subscriptions.remove(Kind::Pattern, name, slot);
        }
    }
}

/// Writes messages to clients, and closes those that let too much of it pile up.
pub(super) struct Courier<'a> {
    clients: &'a mut Clients,
    doomed: &'a mut Vec<Slot>,
    options: &'a Options,
    now_ns: u64,
}

impl Courier<'_> {
    fn deliver(&mut self, elements: usize, frame: &[u8], receivers: &[Slot]) -> u64 {
        for slot in receivers {
            self.clients.push(*slot).push_encoded(elements, frame);
            self.enforce_output_limit(*slot);
        }
        receivers.len() as u64
    }

    pub(super) fn enforce_output_limit(&mut self, slot: Slot) {
        let client = self.clients.at_mut(slot);
        if client.fate != Fate::Now && client.exceeds_output_limit(self.now_ns, self.options) {
            client.close_now();
            self.clients.mark_ready(slot);
            self.doomed.push(slot);
        }
    }
}

/// Encodes a message's elements, once for all its receivers.
fn encode_elements(frame: &mut Vec<u8>, elements: &[&[u8]]) {
    frame.clear();
    if frame.capacity() > RETAINED_BYTES {
        frame.shrink_to(RETAINED_BYTES);
    }
    for element in elements {
        encode::bulk(frame, element);
    }
}
