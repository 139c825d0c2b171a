//! The memory of a process that holds the engine, one Kafka and one publisher, and nothing of the rig: what
//! `ringwire bench kafka` starts for it. Its allocator is the system's.
//!
//! ```text
//!   ringwire-kafka-probe paced HOST:PORT TOPIC     50,000 messages a second for some seconds
//!   ringwire-kafka-probe flood HOST:PORT TOPIC     as many as it takes
//! ```
//!
//! It prints `resident_kib` and `peak_kib`, each with its number.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use ringwire::{Channel, Config, Engine, Message, Outcome, Publisher, Refusal, Reports, Route, monotonic_ns};
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec};

/// Messages a second, as in the rig's acknowledgement, and how many.
const RATE: u64 = 50_000;
const PACED: u64 = 250_000;
/// Messages of the flood.
const FLOOD: u64 = 2_000_000;
/// As the rig's messages: 100 bytes, the channel's name as key.
const PAYLOAD: [u8; 100] = [b'q'; 100];
const CHANNELS: usize = 8;
/// Longer than any broker on this machine takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one wait lasts before limits are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const NS_PER_S: u64 = 1_000_000_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["paced", address, topic] => run(address, topic, PACED, Some(RATE)),
        ["flood", address, topic] => run(address, topic, FLOOD, None),
        _ => Err("usage: ringwire-kafka-probe paced|flood HOST:PORT TOPIC".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// One message for each of the channels in turn, and its report.
struct Application {
    channels: Vec<(String, Channel)>,
    publisher: Publisher,
    reports: Reports,
    published: u64,
    answered: u64,
    failed: u64,
}

fn run(address: &str, topic: &str, messages: u64, rate: Option<u64>) -> Result<(), Failure> {
    let config = Config::new().kafka("kafka", address)?.route(Route::new("*").to("kafka").topic(topic));
    let engine = Engine::start(config)?;
    let open = |index: usize| -> Result<(String, Channel), Failure> {
        let name = format!("rig.{index}");
        let channel = engine.channel(&name)?;
        Ok((name, channel))
    };
    let channels = (0..CHANNELS).map(open).collect::<Result<_, _>>()?;
    let (publisher, reports) = engine.publisher()?;
    if !engine.wait_ready(PATIENCE) {
        return Err(format!("the engine did not connect: {:?}", engine.status()).into());
    }
    let mut application = Application { channels, publisher, reports, published: 0, answered: 0, failed: 0 };
    let (begin_ns, mut moved_ns) = (monotonic_ns(), monotonic_ns());
    while application.answered < messages {
        let before = application.answered + application.published;
        application.publish(messages, rate.map(|rate| (begin_ns, rate)))?;
        application.poll();
        let now_ns = monotonic_ns();
        if application.answered + application.published != before {
            moved_ns = now_ns;
        } else if now_ns - moved_ns > PATIENCE.as_nanos() as u64 {
            return Err("no report for a minute".into());
        }
        match rate.filter(|_| application.published < messages) {
            Some(rate) => sleep_until(due_ns(begin_ns, rate, application.published)),
            None => {
                application.reports.wait(LOOK_AGAIN);
            }
        }
    }
    println!("resident_kib {}\npeak_kib {}", memory_kib("VmRSS:"), memory_kib("VmHWM:"));
    if application.failed > 0 {
        return Err(format!("{} of {messages} messages were not delivered", application.failed).into());
    }
    Ok(())
}

fn due_ns(begin_ns: u64, rate: u64, message: u64) -> u64 {
    begin_ns + message * NS_PER_S / rate
}

impl Application {
    /// What is due, or as many as there is credit for.
    fn publish(&mut self, messages: u64, paced: Option<(u64, u64)>) -> Result<(), Failure> {
        while self.published < messages
            && paced.is_none_or(|(begin_ns, rate)| due_ns(begin_ns, rate, self.published) <= monotonic_ns())
        {
            let (name, channel) = &self.channels[self.published as usize % CHANNELS];
            let key = Some(name.as_bytes());
            let message = Message { key, payload: Some(&PAYLOAD), ..Message::default() };
            match self.publisher.publish_message(channel, &message) {
                Ok(_) => self.published += 1,
                Err(Refusal::BackPressured | Refusal::ReportsFull) => break,
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Ok(())
    }

    fn poll(&mut self) {
        let failed = &mut self.failed;
        self.answered += self
            .reports
            .poll(usize::MAX, |report| *failed += u64::from(report.outcome != Outcome::Delivered))
            as u64;
    }
}

fn sleep_until(at_ns: u64) {
    let at = Timespec { tv_sec: (at_ns / NS_PER_S) as i64, tv_nsec: (at_ns % NS_PER_S) as i64 };
    // A signal wakes it early: the caller looks at the clock anyway.
    let _ = clock_nanosleep_absolute(ClockId::Monotonic, &at);
}

/// A line of this process' status, in KiB; 0 where the kernel does not tell.
fn memory_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
