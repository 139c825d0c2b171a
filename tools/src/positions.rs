//! Where Kafka brokers put what was delivered: for each partition how many records, and between which offsets.

use std::collections::{BTreeMap, HashMap};

use ringwire::{Channel, EndpointKind, Report};
use serde::Serialize;

use crate::table::{self, grouped};

/// Lines of the table: a topic of more partitions is looked at in the JSON.
const SHOWN_MAX: usize = 32;
/// What a broker answers instead of an offset for what it had already.
const NO_OFFSET: i64 = -1;

/// Records of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Partition {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) delivered: u64,
    /// `None` where the broker only said that it had them already.
    pub(crate) first_offset: Option<i64>,
    pub(crate) last_offset: Option<i64>,
}

/// Counts delivered records by partition.
#[derive(Default)]
pub(crate) struct Positions {
    /// By the channels' indexes.
    channels: HashMap<u32, Channel>,
    /// The channel that was used last, which is mostly the next one.
    last: Option<u32>,
    /// By channel, leg and partition.
    partitions: BTreeMap<(u32, u8, i32), Partition>,
}

impl Positions {
    /// A message goes out on this channel.
    pub(crate) fn uses(&mut self, channel: &Channel) {
        if self.last != Some(channel.index()) {
            self.last = Some(channel.index());
            self.channels.entry(channel.index()).or_insert_with(|| channel.clone());
        }
    }

    /// Counts a delivered message, if it is a record; answers whether it is.
    pub(crate) fn count(&mut self, report: &Report) -> bool {
        let Some(channel) = self.channels.get(&report.channel) else { return false };
        if channel.kind(report.leg) != Some(EndpointKind::Kafka) {
            return false;
        }
        let (partition, offset) = report.position();
        let entry = self.partitions.entry((report.channel, report.leg, partition));
        let counted = entry.or_insert_with(|| Partition {
            topic: channel.topic(report.leg).unwrap_or_default().to_owned(),
            partition,
            delivered: 0,
            first_offset: None,
            last_offset: None,
        });
        counted.delivered += 1;
        if offset != NO_OFFSET {
            counted.first_offset = Some(counted.first_offset.map_or(offset, |first| first.min(offset)));
            counted.last_offset = Some(counted.last_offset.map_or(offset, |last| last.max(offset)));
        }
        true
    }

    pub(crate) fn into_partitions(self) -> Vec<Partition> {
        self.partitions.into_values().collect()
    }
}

/// A line for each partition; empty where there are none.
pub(crate) fn table(partitions: &[Partition]) -> String {
    if partitions.is_empty() {
        return String::new();
    }
    let offset = |offset: Option<i64>| offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
    let titles = ["topic", "partition", "delivered", "first offset", "last offset"].map(str::to_owned);
    let row = |it: &Partition| {
        let delivered = grouped(it.delivered);
        [
            it.topic.clone(),
            it.partition.to_string(),
            delivered,
            offset(it.first_offset),
            offset(it.last_offset),
        ]
    };
    let rows: Vec<_> = std::iter::once(titles).chain(partitions.iter().take(SHOWN_MAX).map(row)).collect();
    let mut text = String::from("\n");
    for line in table::columns(&rows) {
        text += &format!("  {line}");
    }
    if partitions.len() > SHOWN_MAX {
        text += &format!("  and {} more partitions; --json has them\n", partitions.len() - SHOWN_MAX);
    }
    text
}
