//! What a leader writes into a batch before it keeps it.

use super::layout::{
    ATTRIBUTES, BASE_OFFSET, CRC, CRC_FROM, HEADER_LEN, LEADER_EPOCH, LOG_APPEND_TIME, MAX_TIMESTAMP,
};

/// Gives a batch its place in the log, in place. `batch` is a whole one, as
/// [`RecordBatch::read`](super::RecordBatch::read) measured it.
///
/// Offset and epoch stand in front of what the checksum covers. With `log_append_time`, in milliseconds since 1970,
/// that becomes the time of every record, and the checksum is computed again.
///
/// # Panics
///
/// If the bytes are shorter than a batch's header.
pub fn stamp(batch: &mut [u8], base_offset: i64, leader_epoch: i32, log_append_time: Option<i64>) {
    assert!(batch.len() >= HEADER_LEN, "a whole batch");
    batch[BASE_OFFSET..BASE_OFFSET + 8].copy_from_slice(&base_offset.to_be_bytes());
    batch[LEADER_EPOCH..LEADER_EPOCH + 4].copy_from_slice(&leader_epoch.to_be_bytes());
    let Some(time) = log_append_time else { return };
    // Big-endian: the low byte of the attributes is the second.
    batch[ATTRIBUTES + 1] |= LOG_APPEND_TIME as u8;
    batch[MAX_TIMESTAMP..MAX_TIMESTAMP + 8].copy_from_slice(&time.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_FROM..]);
    batch[CRC..CRC + 4].copy_from_slice(&crc.to_be_bytes());
}
