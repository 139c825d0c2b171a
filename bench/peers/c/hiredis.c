/* hiredis as a client of the p99 rig: bench/peers/README.md has the contract.
 *
 * ack        the asynchronous API in an event loop of its own: one thread that sleeps in ppoll until the next message is
 *            due or an answer is there, whichever comes first
 * flood      redisAppendCommandArgv by the window, then as many redisGetReply
 * subscribe  a blocking redisGetReply after the other
 * decode     redisReader alone, in memory; the client is `hiredis replies` or `hiredis messages`
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "peer.h"

/* Between the start of the schedule and its first message. */
#define LEAD_NS (SECOND_NS / 100)
/* The rig's bound for a program that hears nothing. */
#define NO_PROGRESS_NS (60 * SECOND_NS)
/* A subscriber ends after so long without a message. */
#define QUIET_S 3
/* "PUBLISH", a channel, a payload. */
#define PUBLISH_WORDS 3
#define CHANNEL_NAME_MAX 32
/* Due times at the head of a payload. */
#define HEX_DIGITS 16
#define FAILED UINT64_MAX
/* Frames in a buffer that is decoded: as many as Ringwire's loop has. */
#define DECODED_AT_ONCE ((size_t)64)

static struct {
    const char *mode, *tuning, *out;
    char host[256];
    int port;
    size_t messages, warmup, bytes, channels, window, records;
    char (*names)[CHANNEL_NAME_MAX];
    char *payloads;
    uint64_t *schedule;
} plan;

static uint64_t mark_ns, mark_cpu_ns, *latencies, *lates;

static void mark(void) {
    mark_ns = now_ns();
    mark_cpu_ns = cpu_ns();
}

static void print_result(const char *settings, size_t failed, uint64_t end_ns, uint64_t end_cpu_ns) {
    printf("{\"client\":\"hiredis\",\"version\":\"%d.%d.%d\",\"settings\":[%s],\"messages\":%zu,\"failed\":%zu,"
           "\"elapsed_ns\":%" PRIu64 ",\"cpu_ns\":%" PRIu64 ",\"max_rss_kib\":%ld}\n",
           HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH, settings, plan.messages, failed, end_ns - mark_ns,
           end_cpu_ns - mark_cpu_ns, max_rss_kib());
}

/* The words of a PUBLISH; they stay the plan's. */
static void publish_words(size_t message, const char *words[PUBLISH_WORDS], size_t lengths[PUBLISH_WORDS]) {
    words[0] = "PUBLISH", lengths[0] = strlen("PUBLISH");
    words[1] = plan.names[message % plan.channels], lengths[1] = strlen(words[1]);
    words[2] = plan.payloads + message % plan.records * plan.bytes, lengths[2] = plan.bytes;
}

/* ---- ack ---- */

static struct {
    redisAsyncContext *context;
    bool reads, writes;
    uint64_t start_ns, last_ns;
    size_t answered, failed;
} loop;

static void add_read(void *data) { (void)data, loop.reads = true; }
static void del_read(void *data) { (void)data, loop.reads = false; }
static void add_write(void *data) { (void)data, loop.writes = true; }
static void del_write(void *data) { (void)data, loop.writes = false; }

static void on_connection(const redisAsyncContext *context, int status) {
    if (status != REDIS_OK) give_up("connection", context->errstr);
}

static void on_answer(redisAsyncContext *context, void *answer, void *data) {
    (void)context;
    size_t message = (size_t)(uintptr_t)data;
    redisReply *reply = answer;
    bool is_ok = reply != NULL && reply->type == REDIS_REPLY_INTEGER;
    loop.last_ns = now_ns();
    loop.answered++;
    if (message < plan.warmup) return;
    if (is_ok)
        latencies[message - plan.warmup] = loop.last_ns - loop.start_ns - plan.schedule[message];
    else
        loop.failed++;
}

/* Waits for the socket, or until `until_ns`, and does what the socket is ready for. */
static void turn(uint64_t until_ns) {
    uint64_t now = now_ns(), wait_ns = until_ns > now ? until_ns - now : 0;
    struct timespec wait = {(time_t)(wait_ns / SECOND_NS), (long)(wait_ns % SECOND_NS)};
    struct pollfd ready = {.fd = loop.context->c.fd, .events = (loop.reads ? POLLIN : 0) | (loop.writes ? POLLOUT : 0)};
    if (ppoll(&ready, 1, &wait, NULL) <= 0) return;
    if (ready.revents & (POLLIN | POLLERR | POLLHUP)) redisAsyncHandleRead(loop.context);
    if (ready.revents & POLLOUT) redisAsyncHandleWrite(loop.context);
}

static void ack(void) {
    size_t total = plan.warmup + plan.messages, sent = 0;
    redisAsyncContext *context = redisAsyncConnect(plan.host, plan.port);
    if (context == NULL || context->err) give_up("connection", context ? context->errstr : "no memory");
    loop.context = context;
    context->ev.addRead = add_read, context->ev.delRead = del_read;
    context->ev.addWrite = add_write, context->ev.delWrite = del_write;
    redisAsyncSetDisconnectCallback(context, on_connection);
    redisAsyncSetConnectCallback(context, on_connection);
    uint64_t asked_ns = now_ns();
    while (!(context->c.flags & REDIS_CONNECTED)) {
        if (now_ns() - asked_ns > NO_PROGRESS_NS) give_up("connection", "no answer for 60 s");
        turn(now_ns() + SECOND_NS);
    }
    mark();
    loop.start_ns = loop.last_ns = now_ns() + LEAD_NS;
    while (loop.answered < total) {
        uint64_t now;
        while (sent < total && loop.start_ns + plan.schedule[sent] <= (now = now_ns())) {
            if (sent == plan.warmup) mark();
            if (sent >= plan.warmup) lates[sent - plan.warmup] = now - loop.start_ns - plan.schedule[sent];
            const char *words[PUBLISH_WORDS];
            size_t lengths[PUBLISH_WORDS];
            publish_words(sent, words, lengths);
            void *data = (void *)(uintptr_t)sent;
            if (redisAsyncCommandArgv(context, on_answer, data, PUBLISH_WORDS, words, lengths) != REDIS_OK)
                give_up("PUBLISH", context->errstr);
            sent++;
        }
        /* The socket takes it nearly always: asking first would be one more call for each message. */
        if (loop.writes) redisAsyncHandleWrite(context);
        now = now_ns();
        if (now > loop.last_ns && now - loop.last_ns > NO_PROGRESS_NS) give_up("server", "no answer for 60 s");
        turn(sent < total ? loop.start_ns + plan.schedule[sent] : now + SECOND_NS);
    }
    uint64_t end_ns = now_ns(), end_cpu_ns = cpu_ns();
    write_words(plan.out, "", latencies, plan.messages);
    write_words(plan.out, ".late", lates, plan.messages);
    print_result("\"asynchronous API\",\"one thread paces, sends and receives\",\"sleeps in ppoll until due, timer slack "
                 "1 ns\",\"TCP_NODELAY\"",
                 loop.failed, end_ns, end_cpu_ns);
}

/* ---- flood and subscribe ---- */

static redisContext *connect_blocking(int timeout_s) {
    redisContext *context = redisConnect(plan.host, plan.port);
    if (context == NULL || context->err) give_up("connection", context ? context->errstr : "no memory");
    redisSetTimeout(context, (struct timeval){.tv_sec = timeout_s});
    /* hiredis' README: an idle reader then keeps its buffer. */
    context->reader->maxbuf = 0;
    return context;
}

static size_t pipelines(redisContext *context, size_t from, size_t to) {
    size_t failed = 0;
    for (size_t first = from; first < to; first += plan.window) {
        size_t end = to - first < plan.window ? to : first + plan.window;
        for (size_t message = first; message < end; message++) {
            const char *words[PUBLISH_WORDS];
            size_t lengths[PUBLISH_WORDS];
            publish_words(message, words, lengths);
            redisAppendCommandArgv(context, PUBLISH_WORDS, words, lengths);
        }
        for (size_t message = first; message < end; message++) {
            redisReply *reply;
            if (redisGetReply(context, (void **)&reply) != REDIS_OK) give_up("PUBLISH", context->errstr);
            failed += reply->type != REDIS_REPLY_INTEGER;
            freeReplyObject(reply);
        }
    }
    return failed;
}

static void flood(void) {
    redisContext *context = connect_blocking((int)(NO_PROGRESS_NS / SECOND_NS));
    pipelines(context, 0, plan.warmup);
    mark();
    size_t failed = pipelines(context, plan.warmup, plan.warmup + plan.messages);
    uint64_t end_ns = now_ns(), end_cpu_ns = cpu_ns();
    print_result("\"redisAppendCommandArgv by the window\",\"reader maxbuf 0\",\"TCP_NODELAY\"", failed, end_ns, end_cpu_ns);
}

/* The values of one buffer of frames: integers, or the lengths of two items. */
static size_t decode_buffer(redisReader *reader, const char *input, size_t length) {
    size_t sum = 0;
    redisReply *reply;
    if (redisReaderFeed(reader, input, length) != REDIS_OK) give_up("decode", reader->errstr);
    for (size_t frame = 0; frame < DECODED_AT_ONCE; frame++) {
        if (redisReaderGetReply(reader, (void **)&reply) != REDIS_OK) give_up("decode", reader->errstr);
        if (reply == NULL) give_up("decode", "a frame is not whole");
        if (reply->type == REDIS_REPLY_INTEGER) sum += (size_t)reply->integer;
        else if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3)
            sum += reply->element[1]->len + reply->element[2]->len;
        else give_up("decode", "an unexpected frame");
        freeReplyObject(reply);
    }
    return sum;
}

static void decode(bool messages) {
    static const char channel[] = "quotes.EURUSD";
    size_t room = DECODED_AT_ONCE * (plan.bytes + 128), length = 0, wanted = 0;
    char *input = reserve(room, 1);
    for (size_t frame = 0; frame < DECODED_AT_ONCE; frame++) {
        if (!messages) {
            length += (size_t)snprintf(input + length, room - length, ":%zu\r\n", frame % 10);
            wanted += frame % 10;
            continue;
        }
        /* An array, as in RESP2: hiredis before 1.0 knows no pushes. */
        length += (size_t)snprintf(input + length, room - length, "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n",
                                   strlen(channel), channel, plan.bytes);
        memset(input + length, 'x', plan.bytes);
        memcpy(input + length + plan.bytes, "\r\n", 2);
        length += plan.bytes + 2;
        wanted += strlen(channel) + plan.bytes;
    }
    redisReader *reader = redisReaderCreate();
    if (reader == NULL) give_up("decode", strerror(ENOMEM));
    reader->maxbuf = 0;
    size_t rounds = (plan.messages + DECODED_AT_ONCE - 1) / DECODED_AT_ONCE;
    for (size_t round = 0; round < rounds / 10; round++) decode_buffer(reader, input, length);
    mark();
    for (size_t round = 0; round < rounds; round++)
        if (decode_buffer(reader, input, length) != wanted) give_up("decode", "other values came out");
    uint64_t end_ns = now_ns(), end_cpu_ns = cpu_ns();
    plan.messages = rounds * DECODED_AT_ONCE;
    print_result("\"redisReader\",\"reader maxbuf 0\",\"64 frames in a buffer, every value looked at\"", 0, end_ns, end_cpu_ns);
}

static void subscribe(void) {
    redisContext *context = connect_blocking((int)(NO_PROGRESS_NS / SECOND_NS));
    size_t total = plan.warmup + plan.messages, received = 0, failed = 0;
    redisReply *reply;
    for (size_t channel = 0; channel < plan.channels; channel++)
        redisAppendCommand(context, "SUBSCRIBE %s", plan.names[channel]);
    for (size_t channel = 0; channel < plan.channels; channel++) {
        if (redisGetReply(context, (void **)&reply) != REDIS_OK) give_up("SUBSCRIBE", context->errstr);
        if (reply->type != REDIS_REPLY_ARRAY) give_up("SUBSCRIBE", reply->str);
        freeReplyObject(reply);
    }
    printf("ready\n");
    fflush(stdout);
    mark();
    while (received < total && redisGetReply(context, (void **)&reply) == REDIS_OK) {
        uint64_t now = now_ns();
        if (received == 0) redisSetTimeout(context, (struct timeval){.tv_sec = QUIET_S});
        if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && reply->element[2]->len >= HEX_DIGITS) {
            char hex[HEX_DIGITS + 1] = {0};
            memcpy(hex, reply->element[2]->str, HEX_DIGITS);
            uint64_t due = strtoull(hex, NULL, HEX_DIGITS);
            if (received >= plan.warmup) latencies[received - plan.warmup] = now > due ? now - due : 0;
        }
        freeReplyObject(reply);
        if (++received == plan.warmup) mark();
    }
    uint64_t end_ns = now_ns(), end_cpu_ns = cpu_ns();
    for (size_t message = 0; message < plan.messages; message++) failed += latencies[message] == FAILED;
    write_words(plan.out, "", latencies, plan.messages);
    print_result("\"blocking redisGetReply\",\"reader maxbuf 0\"", failed, end_ns, end_cpu_ns);
}

/* ---- the command line ---- */

static void read_plan(int count, char **words) {
    plan.mode = needed(count, words, "--mode");
    plan.tuning = needed(count, words, "--tuning");
    if (strcmp(plan.tuning, "latency") != 0 && strcmp(plan.tuning, "throughput") != 0)
        give_up(plan.tuning, "--tuning is latency or throughput");
    const char *address = needed(count, words, "--address"), *colon = strrchr(address, ':');
    if (colon == NULL || (size_t)(colon - address) >= sizeof plan.host) give_up(address, "--address is HOST:PORT");
    memcpy(plan.host, address, (size_t)(colon - address));
    plan.port = atoi(colon + 1);
    plan.messages = number(count, words, "--messages", 1);
    plan.warmup = number(count, words, "--warmup", 0);
    plan.channels = number(count, words, "--channels", 1);
    plan.window = number(count, words, "--window", 1);
    plan.names = reserve(plan.channels, sizeof *plan.names);
    for (size_t channel = 0; channel < plan.channels; channel++)
        snprintf(plan.names[channel], CHANNEL_NAME_MAX, "rig.%zu", channel);
    latencies = reserve(plan.messages, sizeof *latencies);
    lates = reserve(plan.messages, sizeof *lates);
    memset(latencies, 0xff, plan.messages * sizeof *latencies);
    if (strcmp(plan.mode, "flood") != 0) plan.out = needed(count, words, "--out");
    if (strcmp(plan.mode, "subscribe") == 0) return;
    size_t size;
    plan.bytes = number(count, words, "--bytes", 1);
    plan.payloads = read_file(needed(count, words, "--payloads"), &size);
    plan.records = size / plan.bytes;
    if (plan.records == 0) give_up("--payloads", "less than one record of --bytes");
    if (strcmp(plan.mode, "ack") != 0) return;
    plan.schedule = read_file(needed(count, words, "--schedule"), &size);
    if (size / sizeof *plan.schedule < plan.warmup + plan.messages) give_up("--schedule", "too few times");
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    read_plan(count, words);
    if (prctl(PR_SET_TIMERSLACK, 1UL) != 0) give_up("timer slack", strerror(errno));
    if (strcmp(plan.mode, "ack") == 0) ack();
    else if (strcmp(plan.mode, "flood") == 0) flood();
    else if (strcmp(plan.mode, "subscribe") == 0) subscribe();
    else if (strcmp(plan.mode, "decode") == 0) decode(strstr(needed(count, words, "--client"), "messages") != NULL);
    else give_up(plan.mode, "--mode is ack, flood, subscribe or decode");
    return 0;
}
