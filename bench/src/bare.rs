//! The floor: one spinning socket that sends the same bytes and counts the replies.

use std::net::SocketAddr;

use hdrhistogram::Histogram;
use ringwire::monotonic_ns;
use ringwire_codec::resp::CommandPrefix;
use ringwire_shards::net::{Address, Options, Received, Socket, Transfer};

use crate::rounds::{Plan, histogram};

pub(crate) fn round(
    plan: &Plan,
    address: SocketAddr,
    channel: &[u8],
) -> Result<Histogram<u64>, Box<dyn std::error::Error>> {
    let socket = Socket::connect(&Address::Tcp(address), &Options::default())?;
    while !socket.finish_connect()? {}
    let prefix = CommandPrefix::new(&[b"PUBLISH", channel], 1);
    let payload = vec![b'q'; plan.bytes];
    let mut command = Vec::new();
    prefix.encode1(&mut command, &payload);
    let mut output: Vec<u8> = Vec::with_capacity(1 << 20);
    let mut input = vec![0; 64 << 10];
    let mut times = histogram();
    let (mut published, mut answered) = (0, 0);
    let start = monotonic_ns();
    while answered < plan.messages {
        let mut now = monotonic_ns();
        while published < plan.messages && start + plan.due_ns(published) <= now {
            output.extend_from_slice(&command);
            published += 1;
        }
        if !output.is_empty()
            && let Transfer::Done(sent) = socket.send(&output)?
        {
            output.drain(..sent);
        }
        if answered < published
            && let Received::Data(n) = socket.recv(&mut input)?
        {
            now = monotonic_ns();
            for _ in input[..n].iter().filter(|byte| **byte == b'\n') {
                times.saturating_record((now - start - plan.due_ns(answered)).max(1));
                answered += 1;
            }
        }
    }
    Ok(times)
}
