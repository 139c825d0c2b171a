//! Whether a broker may answer for a partition, asked by its consumers.

use ringwire_codec::kafka::{ErrorCode, LeaderHint};

use super::topic::Partition;
use super::{Cluster, code};

/// An epoch that nobody claims to know.
const ANY_EPOCH: i32 = -1;

/// Why a broker does not answer for a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    pub(super) error: ErrorCode,
    /// Who would, if the error is that this broker does not lead.
    pub(super) leader: LeaderHint,
}

impl From<ErrorCode> for Elsewhere {
    fn from(error: ErrorCode) -> Self {
        Self { error, leader: LeaderHint::UNKNOWN }
    }
}

impl Cluster {
    /// A topic's name by its id.
    pub(super) fn name_by_id(&self, id: &[u8; 16]) -> Result<String, ErrorCode> {
        let name = self.topics.name_of(id).filter(|_| self.options.topic_ids);
        name.map(str::to_owned).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
    }

    /// The partition, if `broker` leads it, and in no other epoch than the asker believes.
    pub(super) fn led(
        &self,
        broker: i32,
        name: &str,
        index: i32,
        believed_epoch: i32,
    ) -> Result<&Partition, Elsewhere> {
        let topic = self.topics.by_name(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        if !topic.authorized {
            return Err(code::TOPIC_AUTHORIZATION_FAILED.into());
        }
        let partition = topic.partition(index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let known = partition.leadership;
        if believed_epoch != ANY_EPOCH && believed_epoch != known.epoch {
            let is_old = believed_epoch < known.epoch;
            return Err(if is_old { code::FENCED_LEADER_EPOCH } else { code::UNKNOWN_LEADER_EPOCH }.into());
        }
        if known.leader != broker {
            let leader = LeaderHint { leader_id: known.leader, leader_epoch: known.epoch };
            return Err(Elsewhere { error: ErrorCode::NOT_LEADER_OR_FOLLOWER, leader });
        }
        Ok(partition)
    }
}
