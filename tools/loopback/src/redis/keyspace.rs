//! Keys with values: GET, SET, DEL, EXISTS. Enough to see whether a server takes writes.

use std::collections::HashMap;

use super::command::Call;
use super::connection::{NOT_AN_INTEGER, SYNTAX_ERROR};
use super::number::parse_integer;
use super::{Server, Slot};

/// What a key is taken to cost beyond its bytes and its value's.
pub(super) const KEY_OVERHEAD: usize = 96;

const NS_PER_MS: u64 = 1_000_000;

struct Value {
    bytes: Vec<u8>,
    /// From then on the key does not exist.
    expires_ns: Option<u64>,
}

/// The databases, grown to the highest one that was written to.
#[derive(Default)]
pub(super) struct Keyspace {
    databases: Vec<HashMap<Box<[u8]>, Value>>,
    bytes: usize,
}

impl Keyspace {
    /// What all keys are taken to cost.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The value of a key, which is removed first if it has expired.
    fn find(&mut self, db: u8, key: &[u8], now_ns: u64) -> Option<&Value> {
        let expired = self
            .databases
            .get(usize::from(db))?
            .get(key)?
            .expires_ns
            .is_some_and(|expires_ns| expires_ns <= now_ns);
        if expired {
            self.remove(db, key);
            return None;
        }
        self.databases[usize::from(db)].get(key)
    }

    fn insert(&mut self, db: u8, key: &[u8], value: Value) {
        self.remove(db, key);
        let db = usize::from(db);
        if self.databases.len() <= db {
            self.databases.resize_with(db + 1, HashMap::new);
        }
        self.bytes += key.len() + value.bytes.len() + KEY_OVERHEAD;
        self.databases[db].insert(key.into(), value);
    }

    fn remove(&mut self, db: u8, key: &[u8]) -> bool {
        let removed = self.databases.get_mut(usize::from(db)).and_then(|keys| keys.remove(key));
        if let Some(value) = &removed {
            self.bytes -= key.len() + value.bytes.len() + KEY_OVERHEAD;
        }
        removed.is_some()
    }
}

/// The options of SET.
#[derive(Default)]
struct SetOptions {
    only_new: bool,
    only_existing: bool,
    answer_old: bool,
    keep_expiry: bool,
    expires_ns: Option<u64>,
}

pub(super) fn get(server: &mut Server, call: Call<'_>) {
    server.answer_value(call.slot, call.args.at(1), call.now_ns);
}

/// `SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]`. The absolute expiry times of
/// Redis (`EXAT`, `PXAT`) are syntax errors: there is no wall clock here.
pub(super) fn set(server: &mut Server, call: Call<'_>) {
    let Call { slot, now_ns, args } = call;
    let options = match set_options(call) {
        Ok(options) => options,
        Err(error) => return server.clients.reply(slot).error(error),
    };
    let db = server.clients.at(slot).db;
    let old = server.keyspace.find(db, args.at(1), now_ns);
    let refused = if old.is_some() { options.only_new } else { options.only_existing };
    let expires_ns = match old {
        Some(old) if options.keep_expiry => old.expires_ns,
        _ => options.expires_ns,
    };
    if options.answer_old {
        server.answer_value(slot, args.at(1), now_ns);
    } else if refused {
        server.clients.reply(slot).null();
    } else {
        server.clients.reply(slot).ok();
    }
    if !refused {
        server.keyspace.insert(db, args.at(1), Value { bytes: args.at(2).to_vec(), expires_ns });
    }
}

fn set_options(call: Call<'_>) -> Result<SetOptions, &'static str> {
    let mut options = SetOptions::default();
    let mut expiry_option = None;
    let mut rest = call.args.from(3);
    while let Some(option) = rest.next() {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        let unit_ms = if is(b"EX") { 1000 } else { 1 };
        if is(b"NX") && !options.only_existing {
            options.only_new = true;
        } else if is(b"XX") && !options.only_new {
            options.only_existing = true;
        } else if is(b"GET") {
            options.answer_old = true;
        } else if is(b"KEEPTTL") && expiry_option.is_none() {
            options.keep_expiry = true;
        } else if (is(b"EX") || is(b"PX")) && !options.keep_expiry {
            // The same option again replaces its amount; the other one is an error.
            if expiry_option.is_some_and(|(other_ms, _)| other_ms != unit_ms) {
                return Err(SYNTAX_ERROR);
            }
            expiry_option = Some((unit_ms, rest.next().ok_or(SYNTAX_ERROR)?));
        } else {
            return Err(SYNTAX_ERROR);
        }
    }
    if let Some((unit_ms, amount)) = expiry_option {
        options.expires_ns = Some(expiry(call.now_ns, unit_ms, amount)?);
    }
    Ok(options)
}

/// When a key expires that lives for `amount` times `unit_ms` milliseconds.
fn expiry(now_ns: u64, unit_ms: i64, amount: &[u8]) -> Result<u64, &'static str> {
    const INVALID: &str = "ERR invalid expire time in 'set' command";
    let amount = parse_integer(amount).ok_or(NOT_AN_INTEGER)?;
    let ms = amount.checked_mul(unit_ms).and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0);
    // Redis counts milliseconds of wall time in 63 bits: a time beyond those is invalid there, and so is one
    // beyond our 64 bits of nanoseconds (584 years).
    ms.and_then(|ms| ms.checked_mul(NS_PER_MS)).and_then(|ns| ns.checked_add(now_ns)).ok_or(INVALID)
}

pub(super) fn del(server: &mut Server, call: Call<'_>) {
    let db = server.clients.at(call.slot).db;
    let mut removed = 0;
    for key in call.args.from(1) {
        if server.keyspace.find(db, key, call.now_ns).is_some() {
            removed += u64::from(server.keyspace.remove(db, key));
        }
    }
    server.clients.reply(call.slot).integer(removed);
}

pub(super) fn exists(server: &mut Server, call: Call<'_>) {
    let db = server.clients.at(call.slot).db;
    let found = call.args.from(1).filter(|key| server.keyspace.find(db, key, call.now_ns).is_some()).count();
    server.clients.reply(call.slot).integer(found as u64);
}

impl Server {
    fn answer_value(&mut self, slot: Slot, key: &[u8], now_ns: u64) {
        let db = self.clients.at(slot).db;
        let value = self.keyspace.find(db, key, now_ns);
        self.clients.reply(slot).bulk_or_null(value.map(|value| value.bytes.as_slice()));
    }
}
