//! Serves a loopback Redis until its standard input ends: `redis_front [ADDRESS] [block|spin]`.

use std::io::Read as _;

use ringwire_loopback::front::{Idle, spawn_idling};
use ringwire_loopback::redis::Options;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let listen = args.next().unwrap_or_else(|| "127.0.0.1:0".into());
    let idle = if args.next().as_deref() == Some("spin") { Idle::Spin } else { Idle::Block };
    let front = spawn_idling(&listen, Options::default(), idle)?;
    println!("{}", front.url());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    front.stop();
    Ok(())
}
