//! What C cannot try: a panic within each exported function, and the types' layout. `tests/capi` has the rest, in C.

use std::collections::BTreeSet;
use std::ffi::c_int;

use crate::boundary::{Handle, In, Out, panic_next};
use crate::code::{self, ABI_MISMATCH, INTERNAL, INVALID, OK};
use crate::text::last_error;

const HEADER: &str = include_str!("../include/ringwire.h");

type Call = fn() -> c_int;

/// Every function of the header that answers an int, each called with nothing: NULL and 0.
const CALLS: &[(&str, Call, c_int)] = &[
    ("rw_free", || crate::free::rw_free(Handle::NULL), OK),
    ("rw_config_new", || crate::config::rw_config_new(0, Out::NULL), ABI_MISMATCH.number()),
    ("rw_config_set", || crate::config::rw_config_set(Handle::NULL, In::NULL, In::NULL), REFUSED),
    ("rw_config_parse", || crate::config::rw_config_parse(Handle::NULL, In::NULL, 0), REFUSED),
    ("rw_config_load", || crate::config::rw_config_load(Handle::NULL, In::NULL), REFUSED),
    ("rw_config_host_driven", || crate::config::rw_config_host_driven(Handle::NULL), REFUSED),
    (
        "rw_config_on_thread_start",
        || crate::config::rw_config_on_thread_start(Handle::NULL, None, Out::NULL),
        REFUSED,
    ),
    ("rw_config_on_log", || crate::config::rw_config_on_log(Handle::NULL, None, Out::NULL), REFUSED),
    ("rw_config_check", || crate::config::rw_config_check(Handle::NULL), REFUSED),
    ("rw_engine_start", || crate::engine::rw_engine_start(Handle::NULL, Out::NULL), REFUSED),
    ("rw_engine_wait_ready", || crate::engine::rw_engine_wait_ready(Handle::NULL, 0), REFUSED),
    ("rw_engine_health", || crate::engine::rw_engine_health(Handle::NULL), REFUSED),
    ("rw_engine_status", || crate::engine::rw_engine_status(Handle::NULL, Out::NULL, 0), REFUSED),
    ("rw_engine_counters", || crate::engine::rw_engine_counters(Handle::NULL, In::NULL, Out::NULL), REFUSED),
    (
        "rw_engine_latency",
        || crate::engine::rw_engine_latency(Handle::NULL, In::NULL, Out::NULL, Out::NULL),
        REFUSED,
    ),
    ("rw_engine_shutdown", || crate::engine::rw_engine_shutdown(Handle::NULL, 0, Out::NULL), REFUSED),
    ("rw_engine_control", || crate::engine::rw_engine_control(Handle::NULL), REFUSED),
    ("rw_channel_open", || crate::channel::rw_channel_open(Handle::NULL, In::NULL, 0, Out::NULL), REFUSED),
    ("rw_channel_index", || crate::channel::rw_channel_index(Handle::NULL), REFUSED),
    (
        "rw_publisher_open",
        || crate::publisher::rw_publisher_open(Handle::NULL, Out::NULL, Out::NULL),
        REFUSED,
    ),
    (
        "rw_publish",
        || crate::publisher::rw_publish(Handle::NULL, Handle::NULL, In::NULL, 0, Out::NULL),
        REFUSED,
    ),
    ("rw_publish_msg", || crate::publisher::rw_publish_msg(Handle::NULL, In::NULL, Out::NULL), REFUSED),
    (
        "rw_publishv",
        || crate::publisher::rw_publishv(Handle::NULL, Handle::NULL, In::NULL, 0, Out::NULL),
        REFUSED,
    ),
    ("rw_try_claim", || crate::publisher::rw_try_claim(Handle::NULL, Handle::NULL, 0, Out::NULL), REFUSED),
    ("rw_commit", || crate::publisher::rw_commit(Handle::NULL, Out::NULL, Out::NULL), REFUSED),
    ("rw_abort", || crate::publisher::rw_abort(Handle::NULL, Out::NULL), REFUSED),
    ("rw_wait_writable", || crate::publisher::rw_wait_writable(Handle::NULL, Handle::NULL, 0, 0), REFUSED),
    ("rw_flush", || crate::publisher::rw_flush(Handle::NULL, 0), REFUSED),
    ("rw_publisher_unbind", || crate::publisher::rw_publisher_unbind(Handle::NULL), REFUSED),
    ("rw_reports_poll", || crate::reports::rw_reports_poll(Handle::NULL, Out::NULL, 0), REFUSED),
    ("rw_reports_wait", || crate::reports::rw_reports_wait(Handle::NULL, 0), REFUSED),
    ("rw_reports_fd", || crate::reports::rw_reports_fd(Handle::NULL), REFUSED),
    ("rw_subscriber_open", || crate::subscriber::rw_subscriber_open(Handle::NULL, Out::NULL), REFUSED),
    (
        "rw_subscribe",
        || crate::subscriber::rw_subscribe(Handle::NULL, In::NULL, In::NULL, 0, 0, Out::NULL),
        REFUSED,
    ),
    ("rw_unsubscribe", || crate::subscriber::rw_unsubscribe(Handle::NULL, 0), REFUSED),
    ("rw_poll", || crate::subscriber::rw_poll(Handle::NULL, Out::NULL, 0), REFUSED),
    ("rw_wait", || crate::subscriber::rw_wait(Handle::NULL, 0), REFUSED),
    ("rw_subscriber_fd", || crate::subscriber::rw_subscriber_fd(Handle::NULL), REFUSED),
    ("rw_shard_take", || crate::shard::rw_shard_take(Handle::NULL, 0, Out::NULL), REFUSED),
    ("rw_shard_poll", || crate::shard::rw_shard_poll(Handle::NULL), REFUSED),
    ("rw_shard_next_deadline", || crate::shard::rw_shard_next_deadline(Handle::NULL, Out::NULL), REFUSED),
    ("rw_shard_fd", || crate::shard::rw_shard_fd(Handle::NULL), REFUSED),
];
const REFUSED: c_int = INVALID.number();
/// Those that answer a text, and cannot fail.
const TEXTS: [&str; 3] = ["rw_last_error", "rw_strerror", "rw_version"];

#[test]
fn every_function_refuses_nothing_and_survives_a_panic() {
    for (name, call, expected) in CALLS {
        assert_eq!(call(), *expected, "{name}");
        panic_next();
        assert_eq!(call(), INTERNAL.number(), "{name}");
        assert!(last_error().contains("asked to panic"), "{name}: {}", last_error());
        assert_eq!(call(), *expected, "{name}: the trap is used up");
    }
}

#[test]
fn no_function_is_left_out() {
    let committed = include_str!("../abi/1.txt");
    let functions = committed.lines().filter_map(|line| line.strip_prefix("function ")?.split('(').next());
    let functions: BTreeSet<&str> = functions.collect();
    let called: BTreeSet<&str> = CALLS.iter().map(|(name, ..)| *name).chain(TEXTS).collect();
    assert_eq!(functions, called);
}

#[test]
fn codes_and_versions_are_the_headers() {
    for (name, number, text) in code::ALL {
        assert!(HEADER.contains(&format!("#define RW_{name} ({number})\n")), "{name} = {number}");
        assert!(text.to_bytes().len() > 10, "{name} is told in words");
        assert_eq!(code::text(*number), *text);
    }
    assert!(HEADER.contains(&format!("#define RW_ABI_VERSION {}u\n", crate::version::ABI_VERSION)));
    assert!(HEADER.contains(&format!("#define RW_VERSION \"{}\"\n", env!("CARGO_PKG_VERSION"))));
    for number in [0, 1, c_int::MAX, -14, c_int::MIN] {
        assert!(!code::text(number).is_empty(), "{number}");
    }
}

#[test]
fn a_long_error_is_cut_between_characters() {
    for shift in 0..4 {
        let words = "a".repeat(shift) + &"é€".repeat(500);
        crate::text::fail(INVALID, format_args!("{words}"));
        let told = last_error();
        assert!(words.starts_with(&told) && (1020..1024).contains(&told.len()), "{}", told.len());
    }
    let words = "short\0er".to_owned();
    crate::text::fail(INVALID, format_args!("{words}"));
    assert_eq!(last_error(), "short");
}
