//! What the libraries show to a linker: `rw_*`, and nothing else of ours.

use std::collections::BTreeSet;
use std::process::Command;

use crate::build::{prefix, root, run};

/// Global and weak symbols that a file defines, as `readelf` lists them.
fn defined(arguments: &[&str], file: &str) -> BTreeSet<String> {
    let listed =
        run(Command::new("readelf").args(["-W"]).args(arguments).arg(prefix().join("lib").join(file)));
    let symbols = listed.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, _, binding, _, section, name, ..] = fields[..] else { return None };
        let is_seen = matches!(binding, "GLOBAL" | "WEAK" | "UNIQUE") && section != "UND";
        is_seen.then(|| name.split('@').next().unwrap_or(name).to_owned())
    });
    symbols.collect()
}

fn functions() -> BTreeSet<String> {
    let abi = std::fs::read_to_string(root().join("engine/capi/abi/1.txt")).expect("the ABI is committed");
    let names = abi.lines().filter_map(|line| line.strip_prefix("function ")?.split('(').next());
    names.map(str::to_owned).collect()
}

#[test]
fn both_libraries_show_our_functions_alone() {
    assert_eq!(defined(&["--dyn-syms"], "libringwire.so"), functions());
    assert_eq!(defined(&["--syms"], "libringwire.a"), functions());
}

#[test]
fn the_library_has_its_name_and_needs_the_system_alone() {
    let dynamic = run(Command::new("readelf").arg("-Wd").arg(prefix().join("lib/libringwire.so")));
    assert!(dynamic.contains("soname: [libringwire.so.1]"), "{dynamic}");
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    let needed: Vec<&str> = needed.filter_map(|line| line.split(['[', ']']).nth(1)).collect();
    for library in &needed {
        let known = ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "ld-linux-x86-64.so.2"];
        assert!(known.contains(library), "{needed:?}");
    }
}

/// Nothing that is dissolved at link time is left undefined for the host.
#[test]
fn the_archive_asks_the_host_for_the_system_alone() {
    let listed = run(Command::new("readelf").arg("-Ws").arg(prefix().join("lib/libringwire.a")));
    // zstd asks for hooks that nobody has to have: weak, and called where the host has its own.
    let is_hook = |line: &&str| line.contains(" WEAK ") && line.contains("ZSTD_trace_");
    let undefined = listed.lines().filter(|line| line.contains(" UND ") && !is_hook(line));
    let undefined: Vec<&str> = undefined.filter_map(|line| line.split_whitespace().nth(7)).collect();
    assert!(undefined.len() > 20, "it is a real list: {undefined:?}");
    let foreign = ["ZSTD", "HUF_", "FSE_", "mi_", "SSL_", "rust_", "_R", "_ZN", "rd_kafka", "redis"];
    let found: Vec<&&str> =
        undefined.iter().filter(|name| foreign.iter().any(|prefix| name.starts_with(prefix))).collect();
    assert!(found.is_empty(), "{found:?}");
}
