//! A process of its own for what can only be measured of a whole process: system calls, allocations, memory.
//!
//! ```text
//!   tests/real/probes.rs ── starts a Redis ── starts this, under strace or not ── reads `name value` lines
//! ```

mod allocations;
mod bench;
mod many;
mod memory;
mod quiet;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["quiet", url, idle] => quiet::run(url, idle),
        ["allocations", url, host, idle] => allocations::run(url, host, idle),
        ["memory", url] => memory::run(url),
        ["many", host, ref urls @ ..] if !urls.is_empty() => many::run(host, urls),
        _ => {
            eprintln!(
                "usage: ringwire-probe quiet URL IDLE | allocations URL HOST IDLE | memory URL | many HOST URL..."
            );
            std::process::exit(2);
        }
    }
}
