//! fred: one client, which pipelines by itself.

use bytes::Bytes;
use bytes_utils::Str;
use fred::prelude::*;
use futures_util::future::try_join_all;
use tokio::sync::broadcast::error::RecvError;

use crate::Failure;
use crate::drive::{Client as Measured, QUIET};
use crate::plan::Plan;

/// Frames between two flushes: fred's default, and what a window of pipelined commands may need.
const FED_FRAMES: u64 = 200;
/// Messages that wait for a subscriber before fred drops the oldest; the default of 32 loses messages in a burst.
const BROADCAST_MESSAGES: usize = 8192;

#[derive(Clone)]
pub(crate) struct Fred {
    plan: &'static Plan,
    client: Client,
    /// Cheap to clone: fred keeps them until it has written them.
    channels: std::sync::Arc<[Str]>,
}

fn fed_frames(plan: &Plan) -> u64 {
    if plan.throughput { FED_FRAMES.max(plan.window as u64) } else { FED_FRAMES }
}

fn builder(plan: &Plan) -> Builder {
    let config =
        Config { server: ServerConfig::new_centralized(plan.host.as_str(), plan.port), ..Config::default() };
    let mut builder = Builder::from_config(config);
    builder.with_connection_config(|connection| {
        connection.tcp = TcpConfig { nodelay: Some(true), ..TcpConfig::default() };
    });
    builder.with_performance_config(|performance| {
        performance.max_feed_count = fed_frames(plan);
        performance.broadcast_channel_capacity = BROADCAST_MESSAGES;
    });
    builder
}

impl Measured for Fred {
    const PACKAGE: &'static str = "fred";

    async fn connect(plan: &'static Plan) -> Result<Self, Failure> {
        let client = builder(plan).build()?;
        client.init().await?;
        Ok(Self { plan, client, channels: plan.channels.iter().map(Str::from).collect() })
    }

    fn settings(plan: &Plan) -> Vec<String> {
        vec![
            "tokio current-thread".to_owned(),
            "TCP_NODELAY".to_owned(),
            "automatic pipelining".to_owned(),
            format!("max_feed_count {}", fed_frames(plan)),
            format!("broadcast_channel_capacity {BROADCAST_MESSAGES}"),
        ]
    }

    async fn publish(&self, message: usize) -> Result<(), Failure> {
        let channel = self.channels[self.plan.channel_index(message)].clone();
        let payload = Bytes::from_static(self.plan.payload(message));
        self.client.publish::<(), _, _>(channel, payload).await?;
        Ok(())
    }

    /// Futures of one task, which fred pipelines by itself: its explicit `Pipeline` has a system call for each command.
    async fn pipeline(&self, from: usize, to: usize) -> Result<(), Failure> {
        try_join_all((from..to).map(|message| self.publish(message))).await?;
        Ok(())
    }

    async fn subscribe(
        plan: &'static Plan,
        ready: impl FnOnce() + Send,
        mut received: impl FnMut(&[u8]) -> bool + Send,
    ) -> Result<(), Failure> {
        let client = builder(plan).build()?;
        client.init().await?;
        let mut messages = client.message_rx();
        client.subscribe(plan.channels.clone()).await?;
        ready();
        let mut next = messages.recv().await;
        loop {
            match next {
                Ok(message) => {
                    if !message.value.as_bytes().is_some_and(&mut received) {
                        return Ok(());
                    }
                }
                // Lost for want of room: the rig counts what never comes.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            }
            next = match tokio::time::timeout(QUIET, messages.recv()).await {
                Ok(next) => next,
                Err(_) => return Ok(()),
            };
        }
    }
}
