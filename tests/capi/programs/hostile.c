/* A caller that does everything wrong: each gets a documented code, and nothing crashes. */
#define _GNU_SOURCE
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static rw_engine *engine;
static rw_channel *channel;
static rw_publisher *publisher;
static rw_reports *reports;
static rw_subscriber *subscriber;

/* Tells of something for every function with nothing in its hands. */
static void nothing_at_all(void) {
    rw_config *config = NULL;
    ANSWERS(rw_config_new(RW_ABI_VERSION, NULL), RW_INVALID);
    ANSWERS(rw_config_new(RW_ABI_VERSION + 1, &config), RW_ABI_MISMATCH);
    CHECK(config == NULL && strstr(rw_last_error(), "ABI") != NULL);
    ANSWERS(rw_free(NULL), RW_OK);
    ANSWERS(rw_engine_start(NULL, &engine), RW_INVALID);
    ANSWERS(rw_publish(NULL, NULL, NULL, 0, NULL), RW_INVALID);
    CHECK(strcmp(rw_last_error(), "publisher is NULL") == 0);
    ANSWERS(rw_publish(publisher, NULL, "x", 1, NULL), RW_INVALID);
    ANSWERS(rw_publish(publisher, channel, NULL, 1, NULL), RW_INVALID);
    ANSWERS(rw_publish(publisher, channel, NULL, 0, NULL), RW_OK);
    ANSWERS(rw_publish_msg(publisher, NULL, NULL), RW_INVALID);
    ANSWERS(rw_publishv(publisher, channel, NULL, 1, NULL), RW_INVALID);
    ANSWERS(rw_publishv(publisher, channel, NULL, 0, NULL), RW_OK);
    ANSWERS(rw_try_claim(publisher, channel, 1, NULL), RW_INVALID);
    ANSWERS(rw_reports_poll(reports, NULL, 1), RW_INVALID);
    ANSWERS(rw_reports_poll(reports, NULL, 0), 0);
    ANSWERS(rw_poll(subscriber, NULL, 1), RW_INVALID);
    ANSWERS(rw_poll(subscriber, NULL, 0), 0);
    ANSWERS(rw_channel_open(engine, NULL, 3, &channel), RW_INVALID);
    ANSWERS(rw_channel_open(engine, "x", 1, NULL), RW_INVALID);
    ANSWERS(rw_publisher_open(engine, NULL, NULL), RW_INVALID);
    ANSWERS(rw_engine_status(engine, NULL, 1), RW_INVALID);
    ANSWERS(rw_engine_status(engine, NULL, 0), 0);
    ANSWERS(rw_engine_counters(engine, NULL, NULL), RW_INVALID);
    ANSWERS(rw_engine_latency(engine, NULL, NULL, NULL), RW_INVALID);
    ANSWERS(rw_engine_latency(engine, "nobody", NULL, NULL), RW_NOT_FOUND);
    ANSWERS(rw_shard_take(engine, 0, (rw_shard **)&config), RW_NOT_FOUND);
    ANSWERS(rw_config_on_log(NULL, NULL, NULL), RW_INVALID);
}

static void wrong_handles(void) {
    static uint64_t zeros[64];
    rw_config *config;
    void *wrong[] = {(void *)1, (void *)0x1000, (void *)UINTPTR_MAX, zeros, &zeros[1], (char *)publisher + 1,
                     (char *)publisher + 8, reports, subscriber, channel, engine};
    for (size_t index = 0; index < sizeof wrong / sizeof wrong[0]; index++) {
        ANSWERS(rw_publish((rw_publisher *)wrong[index], channel, "x", 1, NULL), RW_INVALID);
        CHECK(rw_last_error()[0] != '\0');
        ANSWERS(rw_publisher_unbind((rw_publisher *)wrong[index]), RW_INVALID);
    }
    ANSWERS(rw_publish(publisher, (rw_channel *)(void *)engine, "x", 1, NULL), RW_INVALID);
    ANSWERS(rw_poll((rw_subscriber *)(void *)reports, NULL, 0), RW_INVALID);
    ANSWERS(rw_engine_health((rw_engine *)(void *)publisher), RW_INVALID);
    ANSWERS(rw_free(zeros), RW_INVALID);
    ANSWERS(rw_free(channel), RW_INVALID);
    ANSWERS(rw_config_new(RW_ABI_VERSION, &config), RW_OK);
    ANSWERS(rw_free(config), RW_OK);
    ANSWERS(rw_free(config), RW_INVALID);
    ANSWERS(rw_config_check(config), RW_INVALID);
    CHECK(strstr(rw_last_error(), "freed") != NULL);
}

static void claims(void) {
    rw_publisher *other;
    rw_reports *none;
    void *place, *foreign;
    uint64_t sequence, next;
    ANSWERS(rw_publisher_open(engine, &other, &none), RW_OK);
    ANSWERS(rw_publish(publisher, channel, "x", 1, &sequence), RW_OK);
    ANSWERS(rw_try_claim(publisher, channel, 3, &place), RW_OK);
    ANSWERS(rw_try_claim(other, channel, 3, &foreign), RW_OK);
    memcpy(place, "abc", 3);
    memcpy(foreign, "def", 3);
    /* Everything else is refused while a claim is under way. */
    ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_INVALID);
    ANSWERS(rw_publishv(publisher, channel, NULL, 0, NULL), RW_INVALID);
    ANSWERS(rw_try_claim(publisher, channel, 3, &place), RW_INVALID);
    ANSWERS(rw_wait_writable(publisher, channel, 3, 0), RW_INVALID);
    ANSWERS(rw_publisher_unbind(publisher), RW_INVALID);
    ANSWERS(rw_flush(publisher, 0), RW_INVALID);
    /* A foreign claim, one beside it, none. */
    ANSWERS(rw_commit(publisher, foreign, NULL), RW_INVALID);
    ANSWERS(rw_commit(publisher, (char *)place + 8, NULL), RW_INVALID);
    ANSWERS(rw_commit(publisher, NULL, NULL), RW_INVALID);
    ANSWERS(rw_commit(publisher, place, &next), RW_OK);
    CHECK(next == sequence + 1);
    ANSWERS(rw_commit(publisher, place, NULL), RW_INVALID);
    ANSWERS(rw_abort(publisher, place), RW_INVALID);
    ANSWERS(rw_abort(other, foreign), RW_OK);
    ANSWERS(rw_abort(other, foreign), RW_INVALID);
    ANSWERS(rw_flush(publisher, 10 * SECOND_NS), 1);
    /* One that is left under way goes with its publisher. */
    ANSWERS(rw_try_claim(other, channel, 8, &foreign), RW_OK);
    ANSWERS(rw_free(other), RW_OK);
    ANSWERS(rw_commit(other, foreign, NULL), RW_INVALID);
    ANSWERS(rw_free(none), RW_OK);
}

static void lengths(void) {
    static char large[2 << 20];
    static const char byte = 'x';
    /* A quarter of the ring, less what a record and a frame begin with. */
    size_t longest = (1 << 20) - 16 - 32;
    rw_slice slices[3] = {{large, longest}, {NULL, 0}, {large, 1}};
    void *place;
    rw_channel *other;
    size_t lens[] = {sizeof large, (size_t)1 << 28, ((size_t)1 << 28) + 1, SIZE_MAX / 2, SIZE_MAX - 1, SIZE_MAX};
    for (size_t index = 0; index < sizeof lens / sizeof lens[0]; index++) {
        /* Nobody reads so far: the ring's limit comes first. */
        ANSWERS(rw_publish(publisher, channel, index == 0 ? large : &byte, lens[index], NULL), RW_TOO_LONG);
        ANSWERS(rw_try_claim(publisher, channel, lens[index], &place), RW_TOO_LONG);
        ANSWERS(rw_wait_writable(publisher, channel, lens[index], 0), RW_TOO_LONG);
    }
    ANSWERS(rw_publish(publisher, channel, large, longest + 1, NULL), RW_TOO_LONG);
    CHECK(strstr(rw_last_error(), "too long") != NULL);
    ANSWERS(rw_publish(publisher, channel, large, longest, NULL), RW_OK);
    ANSWERS(rw_publishv(publisher, channel, slices, 3, NULL), RW_TOO_LONG);
    ANSWERS(rw_publishv(publisher, channel, slices, SIZE_MAX, NULL), RW_TOO_LONG);
    slices[2].len = SIZE_MAX;
    ANSWERS(rw_publishv(publisher, channel, slices, 3, NULL), RW_TOO_LONG);
    slices[2].len = 1;
    slices[2].data = NULL;
    ANSWERS(rw_publishv(publisher, channel, slices, 3, NULL), RW_INVALID);
    ANSWERS(rw_try_claim(publisher, channel, 0, &place), RW_OK);
    ANSWERS(rw_commit(publisher, place, NULL), RW_OK);
    ANSWERS(rw_channel_open(engine, "", 0, &other), RW_INVALID);
    ANSWERS(rw_channel_open(engine, large, 1025, &other), RW_INVALID);
    ANSWERS(rw_channel_open(engine, large, SIZE_MAX, &other), RW_TOO_LONG);
    ANSWERS(rw_channel_open(engine, "\xff\xfe\0\x01", 4, &other), RW_OK);
    ANSWERS(rw_publish(publisher, other, "x", 1, NULL), RW_OK);
    ANSWERS(rw_subscribe(subscriber, NULL, "", 0, 0, NULL), RW_INVALID);
    ANSWERS(rw_subscribe(subscriber, "nobody", "x", 1, 0, NULL), RW_NOT_FOUND);
    ANSWERS(rw_subscribe(subscriber, "\xff", "x", 1, 0, NULL), RW_INVALID);
    ANSWERS(rw_subscribe(subscriber, NULL, "x", 1, 8, NULL), RW_INVALID);
    ANSWERS(rw_unsubscribe(subscriber, 123456), RW_NOT_FOUND);
    rw_report array[1];
    ANSWERS(rw_reports_poll(reports, array, SIZE_MAX), RW_INVALID);
    rw_event event;
    ANSWERS(rw_poll(subscriber, &event, SIZE_MAX / 2), RW_INVALID);
}

/* A message of another version: smaller, larger, and larger with something in it. */
static void messages(void) {
    struct {
        rw_msg ours;
        uint64_t theirs[4];
    } later;
    rw_header headers[2] = {{"trace", 5, "1", 1}, {"none", 4, NULL, 0}};
    rw_msg message = RW_MSG_INIT;
    message.channel = channel;
    message.payload = "abc";
    message.payload_len = 3;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_OK);
    memset(&later, 0, sizeof later);
    later.ours = message;
    later.ours.size = (uint32_t)sizeof later;
    ANSWERS(rw_publish_msg(publisher, &later.ours, NULL), RW_OK);
    later.theirs[3] = 1;
    ANSWERS(rw_publish_msg(publisher, &later.ours, NULL), RW_INVALID);
    CHECK(strstr(rw_last_error(), "more than this library knows") != NULL);
    /* What lies behind the size is not looked at. */
    message.size = (uint32_t)offsetof(rw_msg, key);
    message.headers = (const rw_header *)1;
    message.header_count = 7;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_OK);
    const uint32_t sizes[] = {0, 4, (uint32_t)offsetof(rw_msg, key) - 1, 4097, UINT32_MAX};
    for (size_t index = 0; index < sizeof sizes / sizeof sizes[0]; index++) {
        message.size = sizes[index];
        ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_INVALID);
    }
    message.size = (uint32_t)sizeof message;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_INVALID);
    message.headers = headers;
    message.header_count = SIZE_MAX;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_TOO_LONG);
    message.header_count = 2;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_OK);
    headers[1].name = "\xff";
    headers[1].name_len = 1;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_INVALID);
    headers[1].name = NULL;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_INVALID);
    headers[1].name_len = SIZE_MAX;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_TOO_LONG);
    message.header_count = 0;
    message.partition = -2;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_INVALID);
    message.partition = 0;
    message.key = "key";
    message.key_len = SIZE_MAX;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_TOO_LONG);
    message.key_len = 3;
    message.payload = NULL;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_INVALID);
    message.payload_len = 0;
    ANSWERS(rw_publish_msg(publisher, &message, NULL), RW_OK);
    ANSWERS(rw_publish_msg(publisher, (rw_msg *)(void *)((char *)&message + 1), NULL), RW_INVALID);
}

static void settings(void) {
    static char endless[1 << 17];
    rw_config *config;
    rw_engine *none;
    ANSWERS(rw_config_new(RW_ABI_VERSION, &config), RW_OK);
    ANSWERS(rw_config_set(config, NULL, "x"), RW_INVALID);
    ANSWERS(rw_config_set(config, "engine.idle", NULL), RW_INVALID);
    ANSWERS(rw_config_set(config, "\xff", "x"), RW_INVALID);
    ANSWERS(rw_config_set(config, "", "x"), RW_CONFIG);
    memset(endless, 'x', sizeof endless - 1);
    ANSWERS(rw_config_set(config, endless, "x"), RW_INVALID);
    ANSWERS(rw_config_load(config, "/nowhere/at/all"), RW_CONFIG);
    ANSWERS(rw_config_parse(config, "[[[", 3), RW_CONFIG);
    ANSWERS(rw_config_parse(config, "\xff", 1), RW_CONFIG);
    ANSWERS(rw_config_parse(config, NULL, 1), RW_INVALID);
    ANSWERS(rw_config_check(config), RW_OK);
    ANSWERS(rw_config_set(config, "engine.idel", "park"), RW_OK);
    ANSWERS(rw_config_check(config), RW_CONFIG);
    CHECK(strstr(rw_last_error(), "engine.idel") != NULL && strstr(rw_last_error(), "engine.idle") != NULL);
    ANSWERS(rw_engine_start(config, &none), RW_CONFIG);
    ANSWERS(rw_free(config), RW_OK);
}

/* What a callback has, and what it may do with it. */
struct called {
    rw_config *config;
    rw_engine *engine;
    int times;
};

static void on_thread(void *user, const char *name) {
    struct called *called = user;
    uint64_t until_ns = now_ns() + SECOND_NS / 10;
    CHECK(strncmp(name, "ringwire-", 9) == 0);
    /* Long enough for the start to have failed. */
    while (now_ns() < until_ns) {
    }
    ANSWERS(rw_config_set(called->config, "engine.idle", "park"), RW_OK);
    called->times++;
}

/* No machine has that core, and a thread that looks names up has begun by then. */
static void failed_start(void) {
    static const char text[] = "[engine]\ncores = [1000]\n[endpoint.main]\nurl = \"redis://localhost:1\"\n";
    struct called *called = calloc(1, sizeof *called);
    rw_engine *none;
    int threads_before = threads();
    CHECK(called != NULL);
    ANSWERS(rw_config_new(RW_ABI_VERSION, &called->config), RW_OK);
    ANSWERS(rw_config_parse(called->config, text, sizeof text - 1), RW_OK);
    ANSWERS(rw_config_on_thread_start(called->config, on_thread, called), RW_OK);
    ANSWERS(rw_engine_start(called->config, &none), RW_SYSTEM);
    CHECK(strstr(rw_last_error(), "1000") != NULL);
    CHECK(called->times == 1);
    ANSWERS(rw_free(called->config), RW_OK);
    /* Nobody calls with it any more. */
    memset(called, 0xff, sizeof *called);
    free(called);
    await_threads(threads_before);
}

static void on_line(void *user, int level, const char *line) {
    struct called *called = user;
    CHECK(level >= RW_LOG_INFO && level <= RW_LOG_ERROR && line[0] != '\0');
    ANSWERS(rw_engine_control(called->engine), RW_WRONG_THREAD);
    ANSWERS(rw_engine_shutdown(called->engine, 0, NULL), RW_WRONG_THREAD);
    ANSWERS(rw_free(called->engine), RW_WRONG_THREAD);
    CHECK(rw_engine_health(called->engine) >= 0);
    called->times++;
}

/* One thread does everything, the log's callback included. Nobody listens on that port. */
static void host_driven(void) {
    struct called called = {0};
    rw_channel *lost;
    rw_shard *shard;
    int answer, threads_before = threads();
    uint64_t until_ns = now_ns() + 20 * SECOND_NS;
    ANSWERS(rw_config_new(RW_ABI_VERSION, &called.config), RW_OK);
    ANSWERS(rw_config_set(called.config, "endpoint.main.url", "redis://127.0.0.1:1"), RW_OK);
    ANSWERS(rw_config_host_driven(called.config), RW_OK);
    ANSWERS(rw_config_on_log(called.config, on_line, &called), RW_OK);
    ANSWERS(rw_engine_start(called.config, &called.engine), RW_OK);
    ANSWERS(rw_free(called.config), RW_OK);
    ANSWERS(rw_channel_open(called.engine, "x", 1, &lost), RW_OK);
    ANSWERS(rw_shard_take(called.engine, 0, &shard), RW_OK);
    while (called.times == 0 && now_ns() < until_ns) {
        CHECK(rw_shard_poll(shard) >= 0);
        ANSWERS(rw_engine_control(called.engine), RW_OK);
    }
    CHECK(called.times > 0);
    CHECK(threads() == threads_before);
    ANSWERS(rw_engine_shutdown(called.engine, 0, NULL), RW_OK);
    while ((answer = rw_shard_poll(shard)) >= 0 && now_ns() < until_ns) {
    }
    ANSWERS(answer, RW_CLOSED);
    ANSWERS(rw_free(shard), RW_OK);
    ANSWERS(rw_free(called.engine), RW_OK);
}

static void *publish_elsewhere(void *nothing) {
    (void)nothing;
    CHECK(rw_last_error()[0] == '\0');
    ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_WRONG_THREAD);
    ANSWERS(rw_publish_msg(publisher, NULL, NULL), RW_WRONG_THREAD);
    ANSWERS(rw_commit(publisher, NULL, NULL), RW_WRONG_THREAD);
    ANSWERS(rw_publisher_unbind(publisher), RW_WRONG_THREAD);
    return NULL;
}

static void *publish_and_let_go(void *nothing) {
    (void)nothing;
    ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_OK);
    ANSWERS(rw_publisher_unbind(publisher), RW_OK);
    return NULL;
}

static void *wait_long(void *nothing) {
    (void)nothing;
    int answer;
    /* The other thread looks in now and then. */
    while ((answer = rw_wait(subscriber, 20 * SECOND_NS)) == RW_WRONG_THREAD) {
    }
    ANSWERS(answer, 1);
    return NULL;
}

static void in_thread(void *(*body)(void *)) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, body, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void wrong_threads(void) {
    pthread_t thread;
    rw_event events[64];
    uint64_t until_ns = now_ns() + 10 * SECOND_NS;
    ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_OK);
    in_thread(publish_elsewhere);
    ANSWERS(rw_publisher_unbind(publisher), RW_OK);
    in_thread(publish_and_let_go);
    ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_OK);
    /* While another thread waits on it, it is not ours. */
    while (rw_poll(subscriber, events, 64) > 0 || rw_wait(subscriber, SECOND_NS / 100) == 1) {
    }
    CHECK(pthread_create(&thread, NULL, wait_long, NULL) == 0);
    while (rw_poll(subscriber, events, 0) != RW_WRONG_THREAD && now_ns() < until_ns) {
    }
    ANSWERS(rw_poll(subscriber, events, 64), RW_WRONG_THREAD);
    ANSWERS(rw_subscriber_fd(subscriber), RW_WRONG_THREAD);
    ANSWERS(rw_free(subscriber), RW_WRONG_THREAD);
    ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_OK);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(rw_poll(subscriber, events, 64) > 0);
}

struct flushing {
    rw_publisher *publisher;
    rw_channel *channel;
    /* Of the thread that flushes, once it has published. */
    atomic_int thread;
};

static void *flush_long(void *given) {
    struct flushing *it = given;
    ANSWERS(rw_publish(it->publisher, it->channel, "x", 1, NULL), RW_OK);
    atomic_store(&it->thread, gettid());
    ANSWERS(rw_flush(it->publisher, 2 * SECOND_NS), 0);
    ANSWERS(rw_publish(it->publisher, it->channel, "x", 1, NULL), RW_OK);
    ANSWERS(rw_publisher_unbind(it->publisher), RW_OK);
    return NULL;
}

/* Whether a thread of ours sleeps, by the letter behind its name in parentheses. */
static int sleeps(int thread) {
    char path[64], line[256];
    const char *end = NULL;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    if (fgets(line, sizeof line, file) != NULL) {
        end = strrchr(line, ')');
    }
    fclose(file);
    return end != NULL && end[2] == 'S';
}

/* Nobody drives the shard, so a flush waits: meanwhile the publisher cannot be freed. */
static void long_calls(void) {
    static const char routes[] = "[[route]]\nchannels = \"*\"\nto = [\"main\"]\nwhen_down = \"buffer\"\n";
    struct flushing it = {0};
    pthread_t thread;
    rw_config *config;
    rw_engine *undriven;
    rw_reports *unread;
    ANSWERS(rw_config_new(RW_ABI_VERSION, &config), RW_OK);
    ANSWERS(rw_config_parse(config, routes, strlen(routes)), RW_OK);
    ANSWERS(rw_config_set(config, "endpoint.main.url", "redis://127.0.0.1:1"), RW_OK);
    ANSWERS(rw_config_host_driven(config), RW_OK);
    ANSWERS(rw_engine_start(config, &undriven), RW_OK);
    ANSWERS(rw_free(config), RW_OK);
    ANSWERS(rw_channel_open(undriven, "x", 1, &it.channel), RW_OK);
    ANSWERS(rw_publisher_open(undriven, &it.publisher, &unread), RW_OK);
    CHECK(pthread_create(&thread, NULL, flush_long, &it) == 0);
    uint64_t until_ns = now_ns() + 10 * SECOND_NS;
    while ((atomic_load(&it.thread) == 0 || !sleeps(atomic_load(&it.thread))) && now_ns() < until_ns) {
    }
    ANSWERS(rw_free(it.publisher), RW_WRONG_THREAD);
    ANSWERS(rw_publish(it.publisher, it.channel, "x", 1, NULL), RW_WRONG_THREAD);
    CHECK(pthread_join(thread, NULL) == 0);
    ANSWERS(rw_publish(it.publisher, it.channel, "x", 1, NULL), RW_OK);
    ANSWERS(rw_free(it.publisher), RW_OK);
    ANSWERS(rw_free(unread), RW_OK);
    ANSWERS(rw_free(undriven), RW_OK);
}

/* Who waits on a descriptor before having polled is told of what came before. */
static void descriptor_first(void) {
    rw_subscriber *late;
    rw_event events[64];
    struct pollfd fd = {.events = POLLIN};
    ANSWERS(rw_subscriber_open(engine, &late), RW_OK);
    ANSWERS(rw_subscribe(late, NULL, "hostile", 7, 0, NULL), RW_OK);
    ANSWERS(rw_engine_wait_ready(engine, 10 * SECOND_NS), 1);
    ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_OK);
    ANSWERS(rw_wait(late, 10 * SECOND_NS), 1);
    fd.fd = rw_subscriber_fd(late);
    ANSWERS(poll(&fd, 1, 0), 1);
    while (rw_poll(late, events, 64) > 0 || rw_wait(late, SECOND_NS / 10) == 1) {
    }
    /* A wait is told instead of the descriptor: so that is readable once more when it was in vain. */
    ANSWERS(poll(&fd, 1, 0), 1);
    ANSWERS(rw_poll(late, events, 64), 0);
    ANSWERS(poll(&fd, 1, 0), 0);
    ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_OK);
    ANSWERS(poll(&fd, 1, 10000), 1);
    ANSWERS(rw_free(late), RW_OK);
}

static void full(void) {
    rw_publisher *flood;
    rw_reports *unread;
    rw_report array[64];
    int answer = RW_OK;
    uint64_t sent = 0;
    ANSWERS(rw_publisher_open(engine, &flood, &unread), RW_OK);
    while (sent < 1000000 && (answer = rw_publish(flood, channel, "x", 1, NULL)) != RW_REPORTS_FULL) {
        CHECK(answer == RW_OK || answer == RW_BACK_PRESSURED);
        sent += answer == RW_OK;
    }
    ANSWERS(answer, RW_REPORTS_FULL);
    ANSWERS(rw_wait_writable(flood, channel, 1, 1000000), 0);
    while (sent > 0 && rw_reports_wait(unread, 10 * SECOND_NS) == 1) {
        int count = rw_reports_poll(unread, array, 64);
        CHECK(count > 0 && (uint64_t)count <= sent);
        sent -= (uint64_t)count;
    }
    CHECK(sent == 0);
    ANSWERS(rw_wait_writable(flood, channel, 1, SECOND_NS), 1);
    ANSWERS(rw_free(flood), RW_OK);
    ANSWERS(rw_free(unread), RW_OK);
}

/* The child of a fork has none of it, and may begin anew. */
static void forked(void) {
    rw_event event;
    rw_report report;
    int status;
    void *place;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_CLOSED);
        ANSWERS(rw_try_claim(publisher, channel, 1, &place), RW_CLOSED);
        ANSWERS(rw_reports_poll(reports, &report, 1), RW_CLOSED);
        ANSWERS(rw_poll(subscriber, &event, 1), RW_CLOSED);
        ANSWERS(rw_engine_health(engine), RW_CLOSED);
        ANSWERS(rw_engine_shutdown(engine, 0, NULL), RW_CLOSED);
        ANSWERS(rw_channel_index(channel), RW_CLOSED);
        ANSWERS(rw_free(publisher), RW_CLOSED);
        ANSWERS(rw_free(engine), RW_CLOSED);
        rw_engine *anew = start_with(NULL, "thread");
        CHECK(anew != engine);
        ANSWERS(rw_engine_health(anew), RW_HEALTHY);
        ANSWERS(rw_engine_health(engine), RW_CLOSED);
        ANSWERS(rw_free(anew), RW_OK);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_OK);
}

/* The engine and its channels are freed while a claim is under way. */
static void freed_under_a_claim(void) {
    rw_engine *brief = start_with(NULL, "thread");
    rw_channel *brief_channel;
    rw_publisher *late;
    void *place;
    ANSWERS(rw_channel_open(brief, "x", 1, &brief_channel), RW_OK);
    ANSWERS(rw_publisher_open(brief, &late, NULL), RW_OK);
    ANSWERS(rw_try_claim(late, brief_channel, 8, &place), RW_OK);
    ANSWERS(rw_free(brief), RW_OK);
    ANSWERS(rw_channel_index(brief_channel), RW_INVALID);
    memset(place, 'x', 8);
    ANSWERS(rw_commit(late, place, NULL), RW_CLOSED);
    ANSWERS(rw_free(late), RW_OK);
}

static void shut_down(void) {
    rw_event events[64];
    rw_report array[64];
    rw_shutdown_report report;
    rw_channel *other;
    rw_publisher *another;
    void *place;
    int answer;
    ANSWERS(rw_try_claim(publisher, channel, 1, &place), RW_OK);
    ANSWERS(rw_engine_shutdown(engine, SECOND_NS, &report), RW_OK);
    ANSWERS(rw_engine_shutdown(engine, SECOND_NS, NULL), RW_OK);
    ANSWERS(rw_engine_health(engine), RW_SHUT_DOWN);
    ANSWERS(rw_engine_wait_ready(engine, 0), 0);
    /* The place of a claim is still there; nobody takes what is written to it. */
    *(char *)place = 'x';
    ANSWERS(rw_commit(publisher, place, NULL), RW_CLOSED);
    ANSWERS(rw_commit(publisher, place, NULL), RW_INVALID);
    ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_CLOSED);
    ANSWERS(rw_try_claim(publisher, channel, 1, &place), RW_CLOSED);
    ANSWERS(rw_wait_writable(publisher, channel, 1, RW_FOREVER), RW_CLOSED);
    ANSWERS(rw_channel_open(engine, "late", 4, &other), RW_CLOSED);
    ANSWERS(rw_publisher_open(engine, &another, NULL), RW_CLOSED);
    ANSWERS(rw_subscribe(subscriber, NULL, "late", 4, 0, NULL), RW_CLOSED);
    while ((answer = rw_reports_poll(reports, array, 64)) > 0) {
    }
    ANSWERS(answer, RW_CLOSED);
    ANSWERS(rw_reports_wait(reports, RW_FOREVER), RW_CLOSED);
    while ((answer = rw_poll(subscriber, events, 64)) > 0) {
    }
    ANSWERS(answer, RW_CLOSED);
    ANSWERS(rw_wait(subscriber, RW_FOREVER), RW_CLOSED);
    /* The engine goes first, and the others live on without it. */
    ANSWERS(rw_free(engine), RW_OK);
    ANSWERS(rw_engine_health(engine), RW_INVALID);
    ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_INVALID);
    ANSWERS(rw_reports_poll(reports, array, 64), RW_CLOSED);
    ANSWERS(rw_free(publisher), RW_OK);
    ANSWERS(rw_free(publisher), RW_INVALID);
    ANSWERS(rw_free(reports), RW_OK);
    ANSWERS(rw_free(subscriber), RW_OK);
}

int main(void) {
    engine = start_with(NULL, "thread");
    ANSWERS(rw_channel_open(engine, "hostile", 7, &channel), RW_OK);
    ANSWERS(rw_publisher_open(engine, &publisher, &reports), RW_OK);
    ANSWERS(rw_subscriber_open(engine, &subscriber), RW_OK);
    ANSWERS(rw_subscribe(subscriber, NULL, "hostile", 7, 0, NULL), RW_OK);
    ANSWERS(rw_engine_wait_ready(engine, 10 * SECOND_NS), 1);
    nothing_at_all();
    wrong_handles();
    claims();
    lengths();
    messages();
    settings();
    failed_start();
    host_driven();
    wrong_threads();
    long_calls();
    descriptor_first();
    full();
    forked();
    freed_under_a_claim();
    shut_down();
    return 0;
}
