/* A host that has its own OpenSSL, librdkafka, hiredis and zstd, and uses them beside ours:  neighbours URL */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <openssl/evp.h>
#include <zstd.h>

static void hashes(void) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    CHECK(EVP_Digest("abc", 3, digest, &len, EVP_sha256(), NULL) == 1);
    CHECK(len == 32 && digest[0] == 0xba && digest[31] == 0xad);
}

static void compresses(void) {
    static char text[4096], small[8192], back[4096];
    memset(text, 'x', sizeof text);
    size_t len = ZSTD_compress(small, sizeof small, text, sizeof text, 3);
    CHECK(!ZSTD_isError(len) && len < 100);
    CHECK(ZSTD_decompress(back, sizeof back, small, len) == sizeof text && memcmp(text, back, sizeof text) == 0);
}

static void produces(void) {
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    CHECK(rd_kafka_conf_set(conf, "compression.codec", "zstd", error, sizeof error) == RD_KAFKA_CONF_OK);
    CHECK(rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", error, sizeof error) == RD_KAFKA_CONF_OK);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    CHECK(kafka != NULL);
    rd_kafka_resp_err_t answer = rd_kafka_producev(
        kafka, RD_KAFKA_V_TOPIC("beside"), RD_KAFKA_V_VALUE("x", 1), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_END);
    CHECK(answer == RD_KAFKA_RESP_ERR_NO_ERROR);
    CHECK(rd_kafka_flush(kafka, 20000) == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(kafka);
}

static void asks(const char *url) {
    char host[64];
    int port;
    CHECK(sscanf(url, "redis://%63[^:]:%d", host, &port) == 2);
    redisContext *redis = redisConnect(host, port);
    CHECK(redis != NULL && redis->err == 0);
    redisReply *reply = redisCommand(redis, "PING");
    CHECK(reply != NULL && strcmp(reply->str, "PONG") == 0);
    freeReplyObject(reply);
    redisFree(redis);
}

int main(int argc, char **argv) {
    rw_channel *channel;
    rw_publisher *publisher;
    rw_reports *reports;
    rw_report report;
    CHECK(argc == 2);
    rw_engine *engine = start_with(argv[1], "thread");
    ANSWERS(rw_channel_open(engine, "x", 1, &channel), RW_OK);
    ANSWERS(rw_publisher_open(engine, &publisher, &reports), RW_OK);
    ANSWERS(rw_engine_wait_ready(engine, 10 * SECOND_NS), 1);
    for (int round = 0; round < 3; round++) {
        ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_OK);
        hashes();
        compresses();
        produces();
        asks(argv[1]);
        ANSWERS(rw_reports_wait(reports, 10 * SECOND_NS), 1);
        ANSWERS(rw_reports_poll(reports, &report, 1), 1);
        CHECK(report.outcome == RW_DELIVERED);
    }
    ANSWERS(rw_engine_shutdown(engine, SECOND_NS, NULL), RW_OK);
    ANSWERS(rw_free(publisher), RW_OK);
    ANSWERS(rw_free(reports), RW_OK);
    ANSWERS(rw_free(engine), RW_OK);
    return 0;
}
