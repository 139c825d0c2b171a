//! Resident memory of a process with one shard, while messages flow out and back.

use std::process::{Command, Stdio};

use ringwire::{Config, Engine, Event};

use crate::rounds::Plan;
use crate::server::Server;

/// Set for the process that is measured: a fresh one, so that nothing else counts.
const ADDRESS: &str = "RINGWIRE_BENCH_ADDRESS";

pub(crate) fn run(plan: &Plan) -> Result<(), Box<dyn std::error::Error>> {
    if let Ok(address) = std::env::var(ADDRESS) {
        return measured(plan, &address);
    }
    let server = Server::start(false)?;
    let status = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(ADDRESS, server.address.to_string())
        .stdin(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err("the measured process failed".into()) }
}

fn measured(plan: &Plan, address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::start(Config::new().redis("main", &format!("redis://{address}"))?)?;
    let channel = engine.channel("fx.eurusd")?;
    let (mut publisher, mut reports) = engine.publisher()?;
    let mut subscriber = engine.subscriber()?;
    subscriber.subscribe("fx.eurusd")?;
    if !engine.wait_ready(std::time::Duration::from_secs(5)) {
        return Err(format!("{:?}", engine.status()).into());
    }
    let payload = vec![b'q'; plan.bytes];
    let (mut published, mut answered, mut received) = (0, 0, 0_u64);
    let start = ringwire::monotonic_ns();
    while answered < plan.messages {
        let now = ringwire::monotonic_ns();
        while published < plan.messages
            && start + plan.due_ns(published) <= now
            && publisher.publish(&channel, &payload).is_ok()
        {
            published += 1;
        }
        answered += reports.poll(1_024, |_| ()) as u64;
        subscriber.poll(1_024, |delivery| {
            received += u64::from(matches!(delivery.event, Event::Message { .. }));
        });
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or("").to_owned();
    println!(
        "one shard ({}), one publisher with reports, one subscriber; {answered} messages of {} bytes out, {received} back",
        engine.hosted_by()[0],
        plan.bytes
    );
    println!("{}\n{}", line("VmRSS"), line("VmHWM"));
    Ok(())
}
