//! Offsets by time, in every version.

use ringwire_codec::kafka::*;

use crate::client::Target;
use crate::line::lines;
use crate::records::{Owned, TIME, batch};
use crate::server::Shared;

#[test]
fn offsets_are_listed_in_every_version() {
    for line in lines() {
        let mut client = Shared::of(line).client();
        let topic = "offsets";
        let topic_id = client.create_topic(topic, 2, &[]);
        let version = client.newest::<ProduceRequest<'_>>();
        let records: Vec<Owned> = (0..10).map(|at| Owned::new(TIME + at, None, Some(b"x"))).collect();
        let batch = batch(&records, Compression::None, Producer::NONE);
        let produced = client.produce(&Target { version, topic, topic_id, partition: 1 }, -1, batch.bytes());
        assert_eq!(produced.map(|it| it.error_code), Some(ErrorCode::NONE));
        for version in client.in_common(Api::ListOffsets) {
            let mut check = |partition: i32, asked: i64, offset: i64, timestamp: i64| {
                let listed = client.list_offset(version, topic, partition, asked);
                let found = (listed.partition_index, listed.error_code, listed.offset, listed.timestamp);
                assert_eq!(found, (partition, ErrorCode::NONE, offset, timestamp), "{version}");
            };
            check(0, LATEST, 0, -1);
            check(1, LATEST, 10, -1);
            check(1, EARLIEST, 0, -1);
            check(1, TIME + 4, 4, TIME + 4);
            check(1, 0, 0, TIME);
            // Nothing is as late as that.
            check(1, TIME + 10, -1, -1);
            let nowhere = client.list_offset(version, topic, 2, LATEST);
            assert_eq!(nowhere.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
    }
}
