/* What a call that hands a message over costs a C program, by the contract of bench/peers/README.md, mode cost:
 *
 *   C publish           rw_publish, to an endpoint where nobody listens and whose route drops
 *   C claim             rw_try_claim, a copy, rw_commit, to the same
 *   rd_kafka_produce    librdkafka, idempotent, with its own linger, to the broker at --broker HOST:PORT, and without one
 *                       to the cluster that it plays itself (test.mock.num.brokers)
 *   redisAppendCommand  hiredis, to a socket pair that this program empties
 *   C empty region      the timer alone, which the others include
 *
 * Each call is made when it is due, between two readings of the time-stamp counter; reports, acknowledgements and the
 * socket are looked after in the time that is left, and are not measured. Then the same flat out: the mean of each
 * batch of calls, of which the middle one is told in the settings. What a library does on threads of its own happens on
 * the core that --shard-core names.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <ringwire.h>

#include "peer.h"

/* Calls whose mean is taken: far more than the timer's own cost, and fewer than any queue holds. */
#define BATCH 1000
#define BATCHES 200
/* A broker that was just started and makes the topic answers within seconds. */
#define READY_NS (30 * SECOND_NS)
#define POLL_MS 100
/* Reports, acknowledgements: taken in one go between two calls. */
#define AT_A_TIME 64
/* Pairs of readings from which the counter's step is found: on the machines seen, a dozen would do. */
#define STEP_PAIRS 10000
#define CHANNEL "rig.0"

static struct {
    const char *client, *out, *broker;
    char *payloads;
    size_t messages, warmup, bytes, records;
    uint64_t *schedule;
    int shard_core;
} plan;

static double ticks_per_ns;
/* The counter moves by so many ticks at once. */
static uint64_t step;
static uint64_t refused;
/* What a way has to say of its setup, for the settings. */
static char setup[256];

/* Once everything before it is done, and before anything behind it begins. */
static inline uint64_t ticks(void) {
    _mm_lfence();
    uint64_t now = __rdtsc();
    _mm_lfence();
    return now;
}

static void calibrate(void) {
    uint64_t begin_ns = now_ns(), begin = ticks();
    while (now_ns() - begin_ns < SECOND_NS / 20) {}
    ticks_per_ns = (double)(ticks() - begin) / (double)(now_ns() - begin_ns);
    for (int pair = 0; pair < STEP_PAIRS; pair++) {
        uint64_t before = ticks(), one = ticks() - before;
        while (one != 0) {
            uint64_t rest = step % one;
            step = one;
            one = rest;
        }
    }
}

static const char *payload(size_t message) { return plan.payloads + message % plan.records * plan.bytes; }

/* ---- ways to hand a message over ---- */

struct way {
    const char *name;
    void (*open)(void);
    void (*call)(const char *payload);
    /* Takes what has come back; answers whether anything is outstanding. */
    int (*between)(void);
};

static rw_engine *engine;
static rw_channel *channel;
static rw_publisher *publisher;
static rw_reports *reports;
static uint64_t sent, reported;

static void checked(int answer, const char *what) {
    if (answer < 0) give_up(what, rw_last_error());
}

static void open_ringwire(void) {
    static const char routes[] = "[[route]]\nchannels = \"*\"\nto = [\"null\"]\nwhen_down = \"drop\"\n";
    char core[16];
    rw_config *config;
    checked(rw_config_new(RW_ABI_VERSION, &config), "rw_config_new");
    checked(rw_config_parse(config, routes, strlen(routes)), "rw_config_parse");
    checked(rw_config_set(config, "endpoint.null.url", "redis://127.0.0.1:9"), "rw_config_set");
    checked(rw_config_set(config, "engine.idle", "busy-spin"), "rw_config_set");
    if (plan.shard_core >= 0) {
        snprintf(core, sizeof core, "%d", plan.shard_core);
        checked(rw_config_set(config, "engine.cores", core), "rw_config_set");
    }
    checked(rw_engine_start(config, &engine), "rw_engine_start");
    rw_free(config);
    checked(rw_channel_open(engine, CHANNEL, strlen(CHANNEL), &channel), "rw_channel_open");
    checked(rw_publisher_open(engine, &publisher, &reports), "rw_publisher_open");
}

static void count(int answer) {
    if (answer == RW_OK)
        sent++;
    else
        refused++;
}

static void call_publish(const char *bytes) {
    count(rw_publish(publisher, channel, bytes, plan.bytes, NULL));
}

static void call_claim(const char *bytes) {
    void *place;
    int answer = rw_try_claim(publisher, channel, plan.bytes, &place);
    if (answer == RW_OK) {
        memcpy(place, bytes, plan.bytes);
        answer = rw_commit(publisher, place, NULL);
    }
    count(answer);
}

static int poll_reports(void) {
    rw_report array[AT_A_TIME];
    int polled = rw_reports_poll(reports, array, AT_A_TIME);
    if (polled > 0) reported += (uint64_t)polled;
    return reported < sent;
}

static rd_kafka_t *kafka;
static rd_kafka_topic_t *topic;
static uint64_t delivered;

static void on_delivery(rd_kafka_t *from, const rd_kafka_message_t *message, void *nothing) {
    (void)from, (void)nothing;
    if (message->err)
        refused++;
    else
        delivered++;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) give_up(name, error);
}

static void call_kafka(const char *bytes) {
    /* As most programs call it: it copies, and chooses the partition. The prototype is not const. */
    void *copied = (void *)(uintptr_t)bytes;
    refused += rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, copied, plan.bytes, NULL, 0, NULL) != 0;
}

static void open_kafka(void) {
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (plan.broker != NULL)
        set(conf, "bootstrap.servers", plan.broker);
    else
        set(conf, "test.mock.num.brokers", "1");
    set(conf, "enable.idempotence", "true");
    set(conf, "acks", "all");
    set(conf, "log_level", "0");
    set(conf, "queue.buffering.max.messages", "1000000");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (kafka == NULL) give_up("rd_kafka_new", error);
    topic = rd_kafka_topic_new(kafka, "rig", NULL);
    if (topic == NULL) give_up("rd_kafka_topic_new", rd_kafka_err2str(rd_kafka_last_error()));
    /* Connected, with a topic, its leaders and a producer's identity: from here on every thread has its work. */
    call_kafka(plan.payloads);
    uint64_t until_ns = now_ns() + READY_NS;
    while (delivered == 0 && refused == 0 && now_ns() < until_ns) rd_kafka_poll(kafka, POLL_MS);
    if (delivered == 0) give_up(plan.broker != NULL ? plan.broker : "the mock cluster", "the first message was not delivered");
    snprintf(setup, sizeof setup, "enable.idempotence=true, acks=all, linger.ms at its default, to %s%s",
             plan.broker != NULL ? "the broker at " : "librdkafka's own mock cluster", plan.broker != NULL ? plan.broker : "");
}

static int poll_kafka(void) {
    rd_kafka_poll(kafka, 0);
    return rd_kafka_outq_len(kafka) > 0;
}

static redisContext *redis;
static int drain;

static void open_redis(void) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0) give_up("socketpair", strerror(errno));
    redis = redisConnectFd(pair[0]);
    if (redis == NULL || redis->err) give_up("redisConnectFd", redis ? redis->errstr : "no memory");
    drain = pair[1];
}

static void call_redis(const char *bytes) {
    refused += redisAppendCommand(redis, "PUBLISH " CHANNEL " %b", bytes, plan.bytes) != REDIS_OK;
}

static int write_redis(void) {
    static char sink[1 << 16];
    int done = 0;
    if (redisBufferWrite(redis, &done) != REDIS_OK) give_up("redisBufferWrite", redis->errstr);
    while (read(drain, sink, sizeof sink) > 0) {}
    return !done;
}

static void open_nothing(void) {}
static void call_nothing(const char *bytes) { (void)bytes; }
static int between_nothing(void) { return 0; }

static const struct way WAYS[] = {
    {"C publish", open_ringwire, call_publish, poll_reports},
    {"C claim", open_ringwire, call_claim, poll_reports},
    {"rd_kafka_produce", open_kafka, call_kafka, poll_kafka},
    {"redisAppendCommand", open_redis, call_redis, write_redis},
    {"C empty region", open_nothing, call_nothing, between_nothing},
};

/* ---- measuring ---- */

static uint64_t *tenths, *lates, first_ns, last_ns;

static uint64_t tenths_ns(uint64_t elapsed) {
    uint64_t found = (uint64_t)((double)elapsed * 10.0 / ticks_per_ns);
    return found > 0 ? found : 1;
}

static void paced(const struct way *way) {
    uint64_t start = ticks();
    for (size_t message = 0; message < plan.warmup + plan.messages; message++) {
        uint64_t due = start + (uint64_t)((double)plan.schedule[message] * ticks_per_ns);
        const char *bytes = payload(message);
        do {
            way->between();
        } while (ticks() < due);
        uint64_t before = ticks();
        way->call(bytes);
        uint64_t after = ticks();
        if (message == plan.warmup) first_ns = now_ns();
        if (message >= plan.warmup) {
            tenths[message - plan.warmup] = tenths_ns(after - before);
            lates[message - plan.warmup] = tenths_ns(before - due) / 10;
        }
    }
    last_ns = now_ns();
}

static int by_value(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

struct reading {
    uint64_t tenths;
    size_t message;
};

static int by_tenths(const void *one, const void *other) {
    const struct reading *a = one, *b = other;
    if (a->tenths != b->tenths) return a->tenths < b->tenths ? -1 : 1;
    return a->message < b->message ? -1 : a->message > b->message;
}

/* Spreads equal durations evenly over the counter's step of which they are the middle, in the order in which they came: some
 * counters move by 10 ns at once, and the middle of all readings is known better than that. */
static void spread(void) {
    uint64_t step_tenths = tenths_ns(step);
    struct reading *readings = calloc(plan.messages + 1, sizeof *readings);
    if (readings == NULL) give_up("memory", strerror(errno));
    for (size_t message = 0; message < plan.messages; message++)
        readings[message] = (struct reading){tenths[message], message};
    qsort(readings, plan.messages, sizeof *readings, by_tenths);
    for (size_t first = 0, end; first < plan.messages; first = end) {
        uint64_t value = readings[first].tenths;
        for (end = first; end < plan.messages && readings[end].tenths == value;) end++;
        for (size_t one = first; one < end; one++) {
            uint64_t moved = value + step_tenths * (2 * (one - first) + 1) / (2 * (end - first));
            tenths[readings[one].message] = moved > step_tenths / 2 ? moved - step_tenths / 2 : 1;
        }
    }
    free(readings);
}

/* The middle mean of the batches, in nanoseconds. */
static double flat_out(const struct way *way) {
    static double means[BATCHES];
    for (size_t batch = 0; batch < BATCHES; batch++) {
        uint64_t until_ns = now_ns() + 10 * SECOND_NS;
        while (way->between() && now_ns() < until_ns) {}
        uint64_t before = ticks();
        for (size_t message = 0; message < BATCH; message++) way->call(payload(message));
        means[batch] = (double)(ticks() - before) / ticks_per_ns / BATCH;
    }
    qsort(means, BATCHES, sizeof means[0], by_value);
    return means[BATCHES / 2];
}

/* ---- the command line, and what is told ---- */

static void read_plan(int count, char **words) {
    size_t size;
    const char *core = option(count, words, "--shard-core", NULL);
    plan.client = needed(count, words, "--client");
    plan.out = needed(count, words, "--out");
    plan.broker = option(count, words, "--broker", NULL);
    plan.messages = number(count, words, "--messages", 0);
    plan.warmup = number(count, words, "--warmup", 0);
    plan.bytes = number(count, words, "--bytes", 0);
    plan.shard_core = core == NULL ? -1 : atoi(core);
    plan.payloads = read_file(needed(count, words, "--payloads"), &size);
    plan.records = plan.bytes == 0 ? 0 : size / plan.bytes;
    if (plan.records == 0) give_up("--payloads", "less than one record of --bytes");
    plan.schedule = read_file(needed(count, words, "--schedule"), &size);
    if (size / sizeof *plan.schedule < plan.warmup + plan.messages) give_up("--schedule", "too few times");
    tenths = calloc(plan.messages + 1, sizeof *tenths);
    lates = calloc(plan.messages + 1, sizeof *lates);
    if (tenths == NULL || lates == NULL) give_up("memory", strerror(ENOMEM));
}

/* Threads begin where their maker is: what the library starts belongs on the shard's core, this thread on its own. */
static void open_apart(const struct way *way) {
    cpu_set_t own, theirs;
    CPU_ZERO(&theirs);
    if (plan.shard_core >= 0 && sched_getaffinity(0, sizeof own, &own) == 0) {
        CPU_SET(plan.shard_core, &theirs);
        sched_setaffinity(0, sizeof theirs, &theirs);
        way->open();
        sched_setaffinity(0, sizeof own, &own);
    } else {
        way->open();
    }
}

int main(int count, char **words) {
    read_plan(count, words);
    const struct way *way = NULL;
    for (size_t index = 0; index < sizeof WAYS / sizeof WAYS[0]; index++)
        if (strcmp(WAYS[index].name, plan.client) == 0) way = &WAYS[index];
    if (way == NULL) give_up(plan.client, "is no way that this program knows");
    calibrate();
    open_apart(way);
    paced(way);
    uint64_t failed = refused;
    double mean_ns = flat_out(way);
    spread();
    write_words(plan.out, "", tenths, plan.messages);
    write_words(plan.out, ".late", lates, plan.messages);
    printf("{\"client\":\"%s\",\"version\":\"ringwire %s, librdkafka %s, hiredis %d.%d.%d\",\"settings\":[\"spins for the "
           "due time\",\"readings spread evenly over the counter's step of %.1f ns\",%s%s%s\"flat out, mean of a batch of %d: %.1f ns\"],\"messages\":%zu,\"failed\":%" PRIu64
           ",\"elapsed_ns\":%" PRIu64 ",\"cpu_ns\":%" PRIu64 ",\"max_rss_kib\":%ld,\"flat_out_ns\":%.2f}\n",
           plan.client, rw_version(), rd_kafka_version_str(), HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH,
           (double)step / ticks_per_ns, *setup ? "\"" : "",
           setup, *setup ? "\"," : "", BATCH, mean_ns,
           plan.messages, failed, last_ns - first_ns,
           cpu_ns(), max_rss_kib(), mean_ns);
    /* A file of results is all that is wanted: what the libraries hold goes with the process. */
    fflush(stdout);
    _exit(0);
}
