/* librdkafka as a client of the p99 rig: bench/peers/README.md has the contract.
 *
 * ack        one thread paces and produces, another one serves the delivery reports; the library has threads of its own
 * flood      one thread produces until the library's queue is full, and then serves delivery reports
 *
 * Message i goes to the topic `rig` with the key `rig.{i % channels}`; the library's own partitioner places it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/prctl.h>

#include <librdkafka/rdkafka.h>

#include "peer.h"

/* Between the start of the schedule and its first message. */
#define LEAD_NS (SECOND_NS / 100)
/* The rig's bound for a program that hears nothing. */
#define NO_PROGRESS_NS (60 * SECOND_NS)
/* How long one wait for delivery reports lasts before limits are looked at. */
#define POLL_MS 100
#define TOPIC "rig"
#define SETTINGS_MAX 16
/* `rig.` and the digits of a channel's number. */
#define KEY_MAX 24

static struct {
    const char *mode, *out, *address, *compression, *linger;
    size_t messages, warmup, bytes, records, channels;
    char *payloads;
    struct {
        char bytes[KEY_MAX];
        size_t len;
    } *keys;
    uint64_t *schedule;
} plan;

static uint64_t mark_ns, mark_cpu_ns, start_ns, *latencies, *lates;
static atomic_size_t answered, failed;
static atomic_ullong last_ns;

static void mark(void) {
    mark_ns = now_ns();
    mark_cpu_ns = cpu_ns();
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *told, void *unused) {
    (void)client, (void)unused;
    size_t message = (size_t)(uintptr_t)told->_private;
    bool counts = message >= plan.warmup;
    if (told->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (counts) atomic_fetch_add_explicit(&failed, 1, memory_order_relaxed);
    } else if (counts && plan.schedule != NULL) {
        uint64_t now = now_ns();
        latencies[message - plan.warmup] = now - start_ns - plan.schedule[message];
        atomic_store_explicit(&last_ns, now, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&answered, 1, memory_order_release);
}

static size_t answers(void) { return atomic_load_explicit(&answered, memory_order_acquire); }

static rd_kafka_t *connect_to(rd_kafka_topic_t **topic) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *settings[SETTINGS_MAX][2] = {
        {"bootstrap.servers", plan.address}, {"enable.idempotence", "true"},
        {"acks", "all"},                     {"compression.codec", plan.compression},
        {"linger.ms", plan.linger},
    };
    char words[256];
    for (size_t at = 0; settings[at][0] != NULL; at++)
        if (rd_kafka_conf_set(conf, settings[at][0], settings[at][1], words, sizeof words) != RD_KAFKA_CONF_OK)
            give_up(settings[at][0], words);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof words);
    if (client == NULL) give_up("client", words);
    *topic = rd_kafka_topic_new(client, TOPIC, NULL);
    if (*topic == NULL) give_up("topic", rd_kafka_err2str(rd_kafka_last_error()));
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, *topic, &metadata, (int)(NO_PROGRESS_NS / 1000000));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) give_up("metadata", rd_kafka_err2str(error));
    rd_kafka_metadata_destroy(metadata);
    return client;
}

/* Hands a message over; answers false if the library's queue is full. */
static bool produce(rd_kafka_topic_t *topic, size_t message) {
    char *payload = plan.payloads + message % plan.records * plan.bytes;
    size_t key = message % plan.channels;
    int refused = rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, payload, plan.bytes,
                                   plan.keys[key].bytes, plan.keys[key].len, (void *)(uintptr_t)message);
    if (refused == 0) return true;
    if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        give_up("produce", rd_kafka_err2str(rd_kafka_last_error()));
    return false;
}

static void print_result(const char *ways, uint64_t end_ns, uint64_t end_cpu_ns) {
    printf("{\"client\":\"librdkafka\",\"version\":\"%s\",\"settings\":[%s,\"linger.ms %s\",\"compression %s\"],"
           "\"messages\":%zu,\"failed\":%zu,\"elapsed_ns\":%" PRIu64 ",\"cpu_ns\":%" PRIu64 ",\"max_rss_kib\":%ld}\n",
           rd_kafka_version_str(), ways, plan.linger, plan.compression, plan.messages, (size_t)failed, end_ns - mark_ns,
           end_cpu_ns - mark_cpu_ns, max_rss_kib());
}

/* ---- flood ---- */

static void serve(rd_kafka_t *client, size_t *seen, uint64_t *seen_ns) {
    rd_kafka_poll(client, POLL_MS);
    uint64_t now = now_ns();
    if (answers() != *seen) *seen = answers(), *seen_ns = now;
    if (now - *seen_ns > NO_PROGRESS_NS) give_up("broker", "no answer for 60 s");
}

static void flood_until(rd_kafka_t *client, rd_kafka_topic_t *topic, size_t from, size_t to) {
    size_t seen = 0;
    uint64_t seen_ns = now_ns();
    for (size_t message = from; message < to; message++)
        while (!produce(topic, message)) serve(client, &seen, &seen_ns);
    while (answers() < to) serve(client, &seen, &seen_ns);
}

static void flood(void) {
    rd_kafka_topic_t *topic;
    rd_kafka_t *client = connect_to(&topic);
    flood_until(client, topic, 0, plan.warmup);
    mark();
    flood_until(client, topic, plan.warmup, plan.warmup + plan.messages);
    print_result("\"one thread produces and serves delivery reports\"", now_ns(), cpu_ns());
}

/* ---- ack ---- */

static void *serve_reports(void *client) {
    size_t seen = 0;
    uint64_t seen_ns = now_ns();
    while (answers() < plan.warmup + plan.messages) serve(client, &seen, &seen_ns);
    return NULL;
}

static void sleep_until(uint64_t due_ns) {
    struct timespec due = {(time_t)(due_ns / SECOND_NS), (long)(due_ns % SECOND_NS)};
    while (now_ns() < due_ns) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

static void ack(void) {
    rd_kafka_topic_t *topic;
    rd_kafka_t *client = connect_to(&topic);
    pthread_t reports;
    mark();
    start_ns = now_ns() + LEAD_NS;
    if (pthread_create(&reports, NULL, serve_reports, client) != 0) give_up("thread", "could not be started");
    for (size_t message = 0; message < plan.warmup + plan.messages; message++) {
        uint64_t due_ns = start_ns + plan.schedule[message];
        sleep_until(due_ns);
        if (message == plan.warmup) mark();
        if (message >= plan.warmup) lates[message - plan.warmup] = now_ns() - due_ns;
        while (!produce(topic, message)) sleep_until(now_ns() + SECOND_NS / 1000);
    }
    pthread_join(reports, NULL);
    uint64_t end_ns = last_ns, end_cpu_ns = cpu_ns();
    write_words(plan.out, "", latencies, plan.messages);
    write_words(plan.out, ".late", lates, plan.messages);
    print_result("\"one thread paces and produces, another serves delivery reports\",\"timer slack 1 ns\"", end_ns,
                 end_cpu_ns);
}

/* ---- the command line ---- */

static void read_plan(int count, char **words) {
    size_t size;
    plan.mode = needed(count, words, "--mode");
    plan.address = needed(count, words, "--address");
    plan.compression = option(count, words, "--compression", "none");
    /* The library's own default. */
    plan.linger = option(count, words, "--linger", "5");
    plan.messages = number(count, words, "--messages", 1);
    plan.warmup = number(count, words, "--warmup", 0);
    plan.bytes = number(count, words, "--bytes", 1);
    plan.channels = number(count, words, "--channels", 1);
    plan.keys = reserve(plan.channels, sizeof *plan.keys);
    for (size_t key = 0; key < plan.channels; key++)
        plan.keys[key].len = (size_t)snprintf(plan.keys[key].bytes, KEY_MAX, "rig.%zu", key);
    plan.payloads = read_file(needed(count, words, "--payloads"), &size);
    plan.records = size / plan.bytes;
    if (plan.records == 0) give_up("--payloads", "less than one record of --bytes");
    if (strcmp(plan.mode, "ack") != 0) return;
    plan.out = needed(count, words, "--out");
    latencies = reserve(plan.messages, sizeof *latencies);
    lates = reserve(plan.messages, sizeof *lates);
    memset(latencies, 0xff, plan.messages * sizeof *latencies);
    plan.schedule = read_file(needed(count, words, "--schedule"), &size);
    if (size / sizeof *plan.schedule < plan.warmup + plan.messages) give_up("--schedule", "too few times");
}

int main(int count, char **words) {
    read_plan(count, words);
    if (prctl(PR_SET_TIMERSLACK, 1UL) != 0) give_up("timer slack", strerror(errno));
    if (strcmp(plan.mode, "ack") == 0) ack();
    else if (strcmp(plan.mode, "flood") == 0) flood();
    else give_up(plan.mode, "--mode is ack or flood");
    return 0;
}
