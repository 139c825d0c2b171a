/*
 * Records with all that they may carry, and what the reports of a Kafka say: kafka HOST:PORT
 * The topic has one partition.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <inttypes.h>

enum { MESSAGES = 4 };

int main(int argc, char **argv) {
    rw_config *config;
    rw_engine *engine;
    rw_channel *channel;
    rw_publisher *publisher;
    rw_reports *reports;
    rw_report array[MESSAGES];
    int count = 0;
    CHECK(argc == 2);
    CHECK(rw_config_new(RW_ABI_VERSION, &config) == 0);
    CHECK(rw_config_set(config, "endpoint.main.bootstrap.servers", argv[1]) == 0);
    CHECK(rw_config_set(config, "endpoint.main.compression.type", "lz4") == 0);
    CHECK(rw_config_set(config, "endpoint.main.linger.ms", "60000") == 0);
    CHECK(rw_config_set(config, "endpoint.main.acks", "all") == 0);
    CHECK(rw_engine_start(config, &engine) == 0);
    rw_free(config);
    CHECK(rw_channel_open(engine, "fx.c", 4, &channel) == 0);
    CHECK(rw_publisher_open(engine, &publisher, &reports) == 0);
    CHECK(rw_engine_wait_ready(engine, UINT64_C(20000000000)) == 1);

    const rw_header headers[] = {{"trace", 5, "1", 1}, {"trace", 5, NULL, 0}};
    rw_msg message = RW_MSG_INIT;
    message.channel = channel;
    message.payload = "1.12120";
    message.payload_len = 7;
    message.key = "EURUSD";
    message.key_len = 6;
    message.headers = headers;
    message.header_count = 2;
    message.timestamp_ms = INT64_C(1700000000001);
    message.tag = 42;
    CHECK(rw_publish_msg(publisher, &message, NULL) == 0);
    message.payload = NULL; /* a tombstone */
    message.payload_len = 0;
    CHECK(rw_publish_msg(publisher, &message, NULL) == 0);
    message.partition = 7;
    CHECK(rw_publish_msg(publisher, &message, NULL) == 0);
    CHECK(rw_publish(publisher, channel, "plain", 5, NULL) == 0);
    /* Nothing waits for company any more. */
    CHECK(rw_flush(publisher, UINT64_C(20000000000)) == 1);

    while (count < MESSAGES) {
        int got = rw_reports_poll(reports, array + count, (size_t)(MESSAGES - count));
        CHECK(got >= 0);
        count += got;
        if (got == 0) {
            CHECK(rw_reports_wait(reports, UINT64_C(20000000000)) == 1);
        }
    }
    int64_t offset = 0;
    for (int index = 0; index < MESSAGES; index++) {
        const rw_report *report = &array[index];
        if (report->sequence == 2) {
            CHECK(report->outcome == RW_NOT_SENT && report->reason == RW_REASON_NO_PARTITION);
            continue;
        }
        CHECK(report->outcome == RW_DELIVERED && report->reason == RW_REASON_NONE);
        CHECK(report->detail.record.partition == 0 && report->detail.record.offset == offset);
        CHECK(report->tag == (report->sequence == 3 ? 0 : 42));
        CHECK(report->sequence == 3 || report->broker_timestamp_ms == INT64_C(1700000000001));
        offset++;
    }
    CHECK(offset == 3);
    CHECK(rw_engine_shutdown(engine, UINT64_C(20000000000), NULL) >= 0);
    rw_free(reports);
    rw_free(publisher);
    rw_free(channel);
    rw_free(engine);
    printf("%" PRId64 " records\n", offset);
    return 0;
}
