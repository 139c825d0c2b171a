//! The ABI as a text: from this code, from the header, and as it was committed for this version. All three are one.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::engine::rw_shutdown_report;
use crate::message::{rw_header, rw_msg, rw_slice};
use crate::reports::rw_report;
use crate::status::{rw_counters, rw_endpoint_status, rw_latency};
use crate::subscriber::rw_event;
use crate::version::ABI_VERSION;

const HEADER: &str = include_str!("../include/ringwire.h");
/// The committed text; a new version gets a new file, and this line names it.
const COMMITTED: &str = include_str!("../abi/1.txt");
const SOURCES: [&str; 12] = [
    include_str!("channel.rs"),
    include_str!("code.rs"),
    include_str!("config.rs"),
    include_str!("engine.rs"),
    include_str!("free.rs"),
    include_str!("message.rs"),
    include_str!("publisher.rs"),
    include_str!("reports.rs"),
    include_str!("shard.rs"),
    include_str!("subscriber.rs"),
    include_str!("text.rs"),
    include_str!("version.rs"),
];

/// One line for a type, and one for each field: name, offset, size.
macro_rules! layout {
    ($out:ident, $type:ident { $($field:ident),* }) => {
        writeln!($out, "struct {} {}", stringify!($type), size_of::<$type>()).expect("a text grows");
        let mut fields: Vec<(usize, String)> = Vec::new();
        $({
            fn size<U>(_: fn(&$type) -> &U) -> usize { size_of::<U>() }
            let (offset, size) = (std::mem::offset_of!($type, $field), size(|it| &it.$field));
            fields.push((offset, format!("  {} {offset} {size}\n", stringify!($field))));
        })*
        // A field that was forgotten here leaves a hole, or an end.
        let end = fields.iter().fold(0, |end, (offset, line)| {
            assert_eq!(*offset, end, "{}: {line}", stringify!($type));
            end + line.trim().rsplit(' ').next().and_then(|size| size.parse::<usize>().ok()).unwrap_or(0)
        });
        assert_eq!(end, size_of::<$type>(), "{}", stringify!($type));
        $out.extend(fields.into_iter().map(|(_, line)| line));
    };
}

fn structs() -> String {
    let mut out = String::new();
    layout!(
        out,
        rw_counters {
            accepted,
            delivered,
            not_sent,
            unknown,
            in_flight,
            in_flight_bytes,
            reconnects,
            unfenced,
            received,
            dropped,
            errors,
            breaker_trips
        }
    );
    layout!(
        out,
        rw_endpoint_status {
            name,
            address,
            error,
            publish,
            subscribe,
            breaker,
            reserved,
            publish_since_ns,
            subscribe_since_ns,
            oldest_ns,
            counters
        }
    );
    layout!(out, rw_latency { count, mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns });
    layout!(out, rw_shutdown_report { flushed, reserved, delivered, not_sent, unknown });
    layout!(out, rw_slice { data, len });
    layout!(out, rw_header { name, name_len, value, value_len });
    layout!(
        out,
        rw_msg {
            size,
            partition,
            channel,
            payload,
            payload_len,
            key,
            key_len,
            headers,
            header_count,
            timestamp_ms,
            intended_ns,
            tag
        }
    );
    layout!(
        out,
        rw_report {
            sequence,
            tag,
            intended_ns,
            at_ns,
            broker_timestamp_ms,
            detail,
            channel,
            leg,
            outcome,
            reason,
            reserved
        }
    );
    layout!(
        out,
        rw_event {
            kind,
            subscription,
            received_ns,
            channel,
            channel_len,
            payload,
            payload_len,
            key,
            key_len,
            timestamp_ms,
            offset,
            partition,
            gap,
            lost,
            reserved
        }
    );
    out
}

/// `name(types) result` of each exported function, as the sources have it.
fn functions_of_code() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in SOURCES {
        let (mut in_export, mut result) = (false, "");
        let mut rest = source;
        while let Some((line, behind)) = rest.split_once('\n') {
            if line.starts_with("export! {") || line.starts_with("export_text! {") {
                (in_export, result) = (true, if line.contains("text") { "char*" } else { "int" });
            } else if line.starts_with('}') {
                in_export = false;
            } else if in_export && line.starts_with("    fn rw_") {
                let (name, arguments) = rest["    fn ".len()..].split_once('(').expect("it has arguments");
                let (arguments, _) = arguments.split_once(") {").expect("they end");
                let types = arguments.split(", ").flat_map(|it| it.split(",\n"));
                let types = types.filter_map(|it| Some(type_of_rust(it.split_once(':')?.1.trim())));
                found.insert(format!("{name}({}) {result}", types.collect::<Vec<_>>().join(", ")));
            }
            rest = behind;
        }
    }
    found
}

/// What a Rust type is in C, without `const`.
fn type_of_rust(name: &str) -> String {
    let name = name.trim_end_matches(',');
    let inner = |prefix: &str| name.strip_prefix(prefix)?.strip_suffix('>');
    if let Some(pointee) = inner("Handle<").or_else(|| inner("In<")).or_else(|| inner("Out<")) {
        return type_of_rust(pointee) + "*";
    }
    if let Some(callback) = inner("Option<") {
        return callback.to_owned();
    }
    match name.rsplit("::").next().unwrap_or(name) {
        "Any" | "*mut c_void" => "void*".to_owned(),
        "c_void" => "void".to_owned(),
        "c_char" => "char".to_owned(),
        "c_int" => "int".to_owned(),
        "u32" => "uint32_t".to_owned(),
        "u64" => "uint64_t".to_owned(),
        "usize" => "size_t".to_owned(),
        other => other.to_owned(),
    }
}

/// The header without its comments, and without what the preprocessor does.
fn header_code() -> String {
    let without = HEADER.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, code)| code));
    without.collect::<String>().lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(" ")
}

fn functions_of_header() -> BTreeSet<String> {
    let code = header_code();
    let statements = code.split(';').map(str::trim).filter(|it| it.ends_with(')') && !it.contains("typedef"));
    let declared = statements.filter_map(|statement| {
        let (before, arguments) =
            statement.rsplit_once('{').map_or(statement, |(_, it)| it).split_once('(')?;
        let (result, name) = before.trim().rsplit_once([' ', '*'])?;
        let result = type_of_c(before.strip_suffix(name).unwrap_or(result));
        let types =
            arguments.trim_end_matches(')').split(',').filter(|it| it.trim() != "void").map(|argument| {
                let name = argument.trim().rsplit([' ', '*']).next().unwrap_or_default();
                type_of_c(argument.trim().strip_suffix(name).unwrap_or(argument))
            });
        Some(format!("{name}({}) {result}", types.collect::<Vec<_>>().join(", ")))
    });
    declared.collect()
}

fn type_of_c(text: &str) -> String {
    text.replace("const ", "").replace(' ', "")
}

fn constants_of_header() -> BTreeSet<String> {
    let lines = HEADER.lines().filter_map(|line| line.strip_prefix("#define "));
    let lines = lines.filter(|line| line.contains(' ') && !line.contains("RW_VERSION"));
    lines.map(|line| line.split("/*").next().unwrap_or(line).trim().to_owned()).collect()
}

fn text(functions: &BTreeSet<String>) -> String {
    let mut text = format!("abi {ABI_VERSION}\n");
    for constant in constants_of_header() {
        writeln!(text, "constant {constant}").expect("a text grows");
    }
    for function in functions {
        writeln!(text, "function {function}").expect("a text grows");
    }
    text + &structs()
}

#[test]
fn the_header_declares_what_the_code_exports() {
    let (code, header) = (functions_of_code(), functions_of_header());
    assert_eq!(code, header);
    assert!(code.len() > 40, "{code:?}");
}

/// A change that a compiled program would notice needs another `RW_ABI_VERSION`, and its own file beside this one.
#[test]
fn the_abi_is_what_was_committed() {
    let now = text(&functions_of_code());
    if std::env::var_os("RINGWIRE_WRITE_ABI").is_some() {
        let path = format!("{}/abi/{ABI_VERSION}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, &now).expect("the file can be written");
        return;
    }
    assert!(now == COMMITTED, "the ABI changed, and RW_ABI_VERSION did not:\n{now}");
}

#[test]
fn a_difference_is_noticed() {
    assert_eq!(type_of_rust("Out<Handle<rw_config>>"), "rw_config**");
    assert_eq!(type_of_rust("Out<crate::status::rw_latency>,"), "rw_latency*");
    assert_eq!(type_of_c("const rw_channel *"), "rw_channel*");
    let functions = functions_of_header();
    assert!(functions.contains("rw_publish(rw_publisher*, rw_channel*, void*, size_t, uint64_t*) int"));
    assert!(functions.contains("rw_last_error() char*"), "{functions:?}");
    assert!(functions.contains("rw_config_on_log(rw_config*, rw_log, void*) int"), "{functions:?}");
}
