//! CLIENT: who is connected, under which name, what it is told, and how to be rid of it.

use std::fmt::Write as _;

use super::ClientId;
use super::client::{Client, Fate, Silence};
use super::command::{Call, quoted};
use super::connection::{BAD_CLIENT_NAME, SYNTAX_ERROR, is_client_name};
use super::number::parse_integer;
use super::request::Args;
use super::{Server, Slot};

const NS_PER_S: u64 = 1_000_000_000;

pub(super) fn id(server: &mut Server, call: Call<'_>) {
    let id = server.clients.at(call.slot).id;
    server.clients.reply(call.slot).integer(id.0);
}

pub(super) fn name(server: &mut Server, call: Call<'_>) {
    let name = server.clients.at(call.slot).name.clone();
    server.clients.reply(call.slot).bulk_or_null(Some(name.as_slice()).filter(|name| !name.is_empty()));
}

pub(super) fn set_name(server: &mut Server, call: Call<'_>) {
    let name = call.args.at(2);
    if !is_client_name(name) {
        return server.clients.reply(call.slot).error(BAD_CLIENT_NAME);
    }
    server.clients.at_mut(call.slot).name = name.to_vec();
    server.clients.reply(call.slot).ok();
}

/// `CLIENT NO-EVICT ON | OFF`: no client is ever evicted here, so it only shows in the client's flags.
pub(super) fn no_evict(server: &mut Server, call: Call<'_>) {
    let on = call.args.at(2).eq_ignore_ascii_case(b"on");
    if !on && !call.args.at(2).eq_ignore_ascii_case(b"off") {
        return server.clients.reply(call.slot).error(SYNTAX_ERROR);
    }
    server.clients.at_mut(call.slot).no_evict = on;
    server.clients.reply(call.slot).ok();
}

/// `CLIENT REPLY ON | OFF | SKIP`: only `ON` is answered.
pub(super) fn reply(server: &mut Server, call: Call<'_>) {
    let mode = call.args.at(2);
    let client = server.clients.at_mut(call.slot);
    if mode.eq_ignore_ascii_case(b"on") {
        client.silence = Silence::None;
        server.clients.reply(call.slot).ok();
    } else if mode.eq_ignore_ascii_case(b"off") {
        client.silence = Silence::Off;
    } else if mode.eq_ignore_ascii_case(b"skip") {
        if client.silence != Silence::Off {
            client.silence = Silence::SkipNext;
        }
    } else {
        server.clients.reply(call.slot).error(SYNTAX_ERROR);
    }
}

pub(super) fn info(server: &mut Server, call: Call<'_>) {
    let mut line = String::new();
    server.describe_client(server.clients.at(call.slot), call.now_ns, &mut line);
    line.push('\n');
    server.clients.reply(call.slot).text(&line);
}

/// What kind of client `TYPE` means. There are no replicas here, and no primary is connected.
fn is_of_type(client: &Client, kind: &[u8]) -> bool {
    let pubsub = client.subscriptions() > 0;
    (kind.eq_ignore_ascii_case(b"pubsub") && pubsub) || (kind.eq_ignore_ascii_case(b"normal") && !pubsub)
}

/// The text of the error for a client type that Redis does not know.
fn unknown_type(kind: &[u8]) -> Option<Vec<u8>> {
    const TYPES: [&[u8]; 5] = [b"normal", b"pubsub", b"master", b"replica", b"slave"];
    if TYPES.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        return None;
    }
    Some([b"ERR Unknown client type '", quoted(kind, kind.len()), b"'"].concat())
}

/// `CLIENT LIST [TYPE type | ID id ...]`.
pub(super) fn list(server: &mut Server, call: Call<'_>) {
    let Call { slot, now_ns, args } = call;
    let mut lines = String::new();
    let option = args.at(2);
    if args.len() == 4 && option.eq_ignore_ascii_case(b"type") {
        if let Some(error) = unknown_type(args.at(3)) {
            return server.clients.reply(slot).error_bytes(&error);
        }
        for (_, client) in server.clients.iter().filter(|(_, client)| is_of_type(client, args.at(3))) {
            server.list_client(client, now_ns, &mut lines);
        }
    } else if args.len() > 3 && option.eq_ignore_ascii_case(b"id") {
        for id in args.from(3) {
            let Some(id) = parse_integer(id) else {
                return server.clients.reply(slot).error("ERR Invalid client ID");
            };
            if let Some(client) = u64::try_from(id).ok().and_then(|id| server.clients.by_id(ClientId(id))) {
                server.list_client(client, now_ns, &mut lines);
            }
        }
    } else if args.len() == 2 {
        for (_, client) in server.clients.iter() {
            server.list_client(client, now_ns, &mut lines);
        }
    } else {
        return server.clients.reply(slot).error(SYNTAX_ERROR);
    }
    server.clients.reply(slot).text(&lines);
}

/// What `CLIENT KILL` looks for; a client must match all of it.
#[derive(Default)]
struct KillFilter<'a> {
    id: Option<i64>,
    addr: Option<&'a [u8]>,
    local_addr: Option<&'a [u8]>,
    user: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    spare_self: bool,
}

/// `CLIENT KILL addr:port`, or `CLIENT KILL [ID id] [ADDR a] [LADDR a] [USER u] [TYPE t] [SKIPME yes|no]`.
///
/// A killed client's connection closes with its output unsent, and nothing that is still in its socket is
/// executed. One that kills itself gets its reply first.
pub(super) fn kill(server: &mut Server, call: Call<'_>) {
    let Call { slot, args, .. } = call;
    let old_form = args.len() == 3;
    let filter = if old_form {
        KillFilter { addr: Some(args.at(2)), ..KillFilter::default() }
    } else {
        match server.kill_filter(args) {
            Ok(filter) => filter,
            Err(error) => return server.clients.reply(slot).error_bytes(&error),
        }
    };
    let mut victims = server.kill_victims(slot, &filter);
    if old_form {
        // An address names one client.
        victims.truncate(1);
    }
    for victim in victims.iter().filter(|victim| **victim != slot) {
        server.kill(*victim);
    }
    let mut reply = server.clients.reply(slot);
    match (old_form, victims.len()) {
        (false, killed) => reply.integer(killed as u64),
        (true, 0) => reply.error("ERR No such client"),
        (true, _) => reply.ok(),
    }
    if victims.contains(&slot) {
        server.clients.at_mut(slot).close_after_output();
    }
}

impl Server {
    fn kill_filter<'a>(&self, args: Args<'a>) -> Result<KillFilter<'a>, Vec<u8>> {
        let mut filter = KillFilter { spare_self: true, ..KillFilter::default() };
        for at in (2..args.len()).step_by(2) {
            let (option, value) = (args.at(at), args.at(at + 1));
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            if at + 1 == args.len() {
                return Err(SYNTAX_ERROR.into());
            } else if is("id") {
                let id = parse_integer(value).filter(|id| *id > 0);
                filter.id = Some(id.ok_or("ERR client-id should be greater than 0")?);
            } else if is("type") {
                if let Some(error) = unknown_type(value) {
                    return Err(error);
                }
                filter.kind = Some(value);
            } else if is("addr") {
                filter.addr = Some(value);
            } else if is("laddr") {
                filter.local_addr = Some(value);
            } else if is("user") {
                if !(0..=self.options.users.len()).any(|user| self.user_name(user).as_bytes() == value) {
                    return Err([b"ERR No such user '", quoted(value, value.len()), b"'"].concat());
                }
                filter.user = Some(value);
            } else if is("skipme") && value.eq_ignore_ascii_case(b"yes") {
                filter.spare_self = true;
            } else if is("skipme") && value.eq_ignore_ascii_case(b"no") {
                filter.spare_self = false;
            } else {
                return Err(SYNTAX_ERROR.into());
            }
        }
        Ok(filter)
    }

    fn kill_victims(&self, caller: Slot, filter: &KillFilter<'_>) -> Vec<Slot> {
        let matches = |client: &Client| {
            let local_addr = self.local_addr(client).as_bytes();
            filter.id.is_none_or(|id| client.id.0 == id.unsigned_abs())
                && filter.addr.is_none_or(|addr| client.peer_addr.as_bytes() == addr)
                && filter.local_addr.is_none_or(|addr| local_addr == addr)
                && filter.user.is_none_or(|user| self.user_name(client.user).as_bytes() == user)
                && filter.kind.is_none_or(|kind| is_of_type(client, kind))
        };
        self.clients
            .iter()
            .filter(|(slot, client)| {
                client.fate != Fate::Now && !(filter.spare_self && *slot == caller) && matches(client)
            })
            .map(|(slot, _)| slot)
            .collect()
    }

    /// A Unix socket's both ends have its path as their address.
    fn local_addr<'a>(&'a self, client: &'a Client) -> &'a str {
        if is_unix(client) { &client.peer_addr } else { &self.options.local_addr }
    }

    fn list_client(&self, client: &Client, now_ns: u64, lines: &mut String) {
        if client.fate != Fate::Now {
            self.describe_client(client, now_ns, lines);
            lines.push('\n');
        }
    }

    /// Appends a client as Redis' `CLIENT INFO` and `CLIENT LIST` show it. What is not known here is 0.
    fn describe_client(&self, client: &Client, now_ns: u64, line: &mut String) {
        let seconds_since = |ns: u64| now_ns.saturating_sub(ns) / NS_PER_S;
        let (channels, patterns) = (client.channels.len(), client.patterns.len());
        let output = client.output.len();
        let written = write!(
            line,
            "id={} addr={} laddr={} fd=0 name={} age={} idle={} flags={} db={} sub={channels} psub={patterns} \
             ssub=0 multi=-1 qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={output} oll=0 omem=0 \
             tot-mem=0 events=r cmd={} user={} redir=-1 resp={}",
            client.id.0,
            client.peer_addr,
            self.local_addr(client),
            String::from_utf8_lossy(&client.name),
            seconds_since(client.connected_ns),
            seconds_since(client.active_ns),
            flags(client),
            client.db,
            client.pending.len(),
            client.last_command,
            self.user_name(client.user),
            if client.resp3 { 3 } else { 2 },
        );
        debug_assert!(written.is_ok(), "a String takes everything");
    }
}

fn is_unix(client: &Client) -> bool {
    client.peer_addr.starts_with('/')
}

/// Redis' letters for what a client is, in its order.
fn flags(client: &Client) -> String {
    let set = [
        ('P', client.subscriptions() > 0),
        ('c', matches!(client.fate, Fate::AfterOutput { .. })),
        ('U', is_unix(client)),
        ('e', client.no_evict),
    ];
    let flags: String = set.iter().filter(|(_, set)| *set).map(|(flag, _)| *flag).collect();
    if flags.is_empty() { "N".to_owned() } else { flags }
}
