//! redis-rs: one multiplexed connection.

use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncCommands, AsyncConnectionConfig, IntoConnectionInfo};

use crate::Failure;
use crate::drive::{Client, QUIET};
use crate::plan::Plan;

/// Commands that the connection queues before its callers wait: open-loop bursts fit.
const QUEUED_COMMANDS: usize = 1024;
/// Bytes that the connection collects before it must write; the default is 8 KiB.
const WRITE_BOUNDARY_BYTES: usize = 128 << 10;

#[derive(Clone)]
pub(crate) struct Redis {
    plan: &'static Plan,
    connection: MultiplexedConnection,
}

fn client(plan: &Plan) -> Result<redis::Client, Failure> {
    let info = (plan.host.as_str(), plan.port).into_connection_info()?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    Ok(redis::Client::open(info)?)
}

impl Client for Redis {
    const PACKAGE: &'static str = "redis";

    async fn connect(plan: &'static Plan) -> Result<Self, Failure> {
        let mut config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUED_COMMANDS.max(plan.window));
        if plan.throughput {
            config = config.set_write_backpressure_boundary(WRITE_BOUNDARY_BYTES);
        }
        let connection = client(plan)?.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Self { plan, connection })
    }

    fn settings(plan: &Plan) -> Vec<String> {
        let mut settings = vec![
            "tokio current-thread".to_owned(),
            "TCP_NODELAY".to_owned(),
            "MultiplexedConnection".to_owned(),
            format!("pipeline_buffer_size {}", QUEUED_COMMANDS.max(plan.window)),
            "no response timeout".to_owned(),
        ];
        if plan.throughput {
            settings.push(format!("write_backpressure_boundary {WRITE_BOUNDARY_BYTES}"));
        }
        settings
    }

    async fn publish(&self, message: usize) -> Result<(), Failure> {
        let channel = &self.plan.channels[self.plan.channel_index(message)];
        let mut connection = self.connection.clone();
        connection.publish::<_, _, ()>(channel, self.plan.payload(message)).await?;
        Ok(())
    }

    async fn pipeline(&self, from: usize, to: usize) -> Result<(), Failure> {
        let mut pipeline = redis::pipe();
        for message in from..to {
            let channel = &self.plan.channels[self.plan.channel_index(message)];
            pipeline.publish(channel, self.plan.payload(message)).ignore();
        }
        pipeline.exec_async(&mut self.connection.clone()).await?;
        Ok(())
    }

    async fn subscribe(
        plan: &'static Plan,
        ready: impl FnOnce() + Send,
        mut received: impl FnMut(&[u8]) -> bool + Send,
    ) -> Result<(), Failure> {
        let mut pubsub = client(plan)?.get_async_pubsub().await?;
        pubsub.subscribe(&plan.channels).await?;
        ready();
        let mut messages = pubsub.into_on_message();
        let mut next = messages.next().await;
        while let Some(message) = next {
            if !received(message.get_payload_bytes()) {
                break;
            }
            next = tokio::time::timeout(QUIET, messages.next()).await.unwrap_or(None);
        }
        Ok(())
    }
}
