/*
 * Starts and ends engines, and leaves nothing behind:  lifecycle COUNT HOST [URL]
 * Callbacks: each thread tells its name; log lines come, and what a callback may not do is refused.
 */
#define _GNU_SOURCE
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

static int begun, foreign, lines, refused;
static rw_engine *logged;

static void on_thread(void *user, const char *name) {
    char own[16] = "";
    pthread_getname_np(pthread_self(), own, sizeof own);
    __atomic_add_fetch((int *)user, 1, __ATOMIC_SEQ_CST);
    if (strncmp(name, "ringwire-", 9) != 0 || strncmp(own, name, 15) != 0) {
        __atomic_add_fetch(&foreign, 1, __ATOMIC_SEQ_CST);
    }
}

static void on_line(void *user, int level, const char *line) {
    (void)user;
    CHECK(level >= RW_LOG_INFO && level <= RW_LOG_ERROR && line[0] != '\0' && strchr(line, '\n') == NULL);
    __atomic_add_fetch(&lines, 1, __ATOMIC_SEQ_CST);
    rw_engine *engine = __atomic_load_n(&logged, __ATOMIC_SEQ_CST);
    if (engine != NULL) {
        ANSWERS(rw_engine_shutdown(engine, RW_FOREVER, NULL), RW_WRONG_THREAD);
        ANSWERS(rw_free(engine), RW_WRONG_THREAD);
        CHECK(rw_engine_health(engine) >= 0);
        __atomic_add_fetch(&refused, 1, __ATOMIC_SEQ_CST);
    }
}

static void callbacks(const char *url) {
    rw_config *config;
    rw_engine *engine;
    rw_channel *channel;
    uint64_t until_ns = now_ns() + 20 * SECOND_NS;
    ANSWERS(rw_config_new(RW_ABI_VERSION, &config), RW_OK);
    ANSWERS(rw_config_set(config, "endpoint.main.url", url), RW_OK);
    ANSWERS(rw_config_set(config, "engine.shards", "2"), RW_OK);
    ANSWERS(rw_config_on_thread_start(config, on_thread, &begun), RW_OK);
    ANSWERS(rw_config_on_log(config, on_line, NULL), RW_OK);
    ANSWERS(rw_engine_start(config, &engine), RW_OK);
    __atomic_store_n(&logged, engine, __ATOMIC_SEQ_CST);
    ANSWERS(rw_free(config), RW_OK);
    ANSWERS(rw_channel_open(engine, "x", 1, &channel), RW_OK);
    while ((__atomic_load_n(&refused, __ATOMIC_SEQ_CST) == 0 || __atomic_load_n(&begun, __ATOMIC_SEQ_CST) < 3) &&
           now_ns() < until_ns) {
    }
    CHECK(refused > 0 && lines > 0 && foreign == 0);
    /* Two shards and the one that writes the log. */
    CHECK(begun == 3);
    ANSWERS(rw_engine_shutdown(engine, 0, NULL), RW_OK);
    ANSWERS(rw_free(engine), RW_OK);
}

static volatile sig_atomic_t handled_by;

static void on_signal(int number) {
    (void)number;
    handled_by = gettid();
}

/* While the application's own threads block a signal, it waits: no thread of ours takes it. */
static void signals(void) {
    sigset_t usr1, pending, before, after;
    struct sigaction action, old;
    rw_engine *engine;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    CHECK(sigaction(SIGUSR1, &action, &old) == 0 && pthread_sigmask(SIG_SETMASK, NULL, &before) == 0);
    /* Two shards, and the thread that writes the log. */
    rw_config *config;
    ANSWERS(rw_config_new(RW_ABI_VERSION, &config), RW_OK);
    ANSWERS(rw_config_set(config, "engine.shards", "2"), RW_OK);
    ANSWERS(rw_config_on_log(config, on_line, NULL), RW_OK);
    ANSWERS(rw_engine_start(config, &engine), RW_OK);
    ANSWERS(rw_free(config), RW_OK);
    CHECK(pthread_sigmask(SIG_BLOCK, &usr1, &after) == 0);
    for (int number = 1; number < 32; number++) {
        CHECK(sigismember(&before, number) == sigismember(&after, number));
    }
    CHECK(kill(getpid(), SIGUSR1) == 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1);
    CHECK(handled_by == 0);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL) == 0 && handled_by == gettid());
    CHECK(sigaction(SIGUSR1, &old, NULL) == 0);
    ANSWERS(rw_engine_shutdown(engine, 0, NULL), RW_OK);
    ANSWERS(rw_free(engine), RW_OK);
}

int main(int argc, char **argv) {
    const char *url = argc > 3 ? argv[3] : NULL;
    int count = argc > 2 ? atoi(argv[1]) : 0;
    struct sigaction before[32], after;
    for (int number = 1; number < 32; number++) {
        sigaction(number, NULL, &before[number]);
    }
    int descriptors_before = descriptors(), threads_before = threads();
    for (int index = 0; index < count; index++) {
        rw_engine *engine = start_with(url, argv[2]);
        rw_channel *channel;
        rw_publisher *publisher;
        rw_reports *reports;
        rw_publisher *gone;
        rw_reports *gones;
        rw_subscriber *subscriber;
        rw_report report;
        ANSWERS(rw_channel_open(engine, "x", 1, &channel), RW_OK);
        ANSWERS(rw_publisher_open(engine, &publisher, &reports), RW_OK);
        ANSWERS(rw_subscriber_open(engine, &subscriber), RW_OK);
        ANSWERS(rw_subscribe(subscriber, NULL, "x", 1, 0, NULL), RW_OK);
        ANSWERS(rw_engine_wait_ready(engine, 10 * SECOND_NS), 1);
        ANSWERS(rw_publisher_open(engine, &gone, &gones), RW_OK);
        struct pollfd end = {rw_reports_fd(gones), POLLIN, 0};
        ANSWERS(rw_reports_poll(gones, &report, 1), 0);
        ANSWERS(rw_free(gone), RW_OK);
        ANSWERS(rw_publish(publisher, channel, "x", 1, NULL), RW_OK);
        ANSWERS(rw_reports_wait(reports, 10 * SECOND_NS), 1);
        ANSWERS(rw_reports_poll(reports, &report, 1), 1);
        CHECK(report.outcome == RW_DELIVERED && report.channel == (uint32_t)rw_channel_index(channel));
        ANSWERS(rw_engine_shutdown(engine, SECOND_NS, NULL), RW_OK);
        /* The end is told to the reports of a publisher that went before it. */
        ANSWERS(poll(&end, 1, 10000), 1);
        ANSWERS(rw_reports_poll(gones, &report, 1), RW_CLOSED);
        ANSWERS(rw_free(gones), RW_OK);
        /* In whatever order. */
        ANSWERS(rw_free(index % 2 == 0 ? (void *)engine : (void *)publisher), RW_OK);
        ANSWERS(rw_free(index % 2 == 0 ? (void *)publisher : (void *)engine), RW_OK);
        ANSWERS(rw_free(subscriber), RW_OK);
        ANSWERS(rw_free(reports), RW_OK);
        await_threads(threads_before);
        CHECK(descriptors() == descriptors_before);
    }
    signals();
    await_threads(threads_before);
    if (url != NULL) {
        callbacks(url);
        await_threads(threads_before);
        CHECK(descriptors() == descriptors_before);
    }
    for (int number = 1; number < 32; number++) {
        sigaction(number, NULL, &after);
        CHECK(after.sa_handler == before[number].sa_handler);
    }
    return 0;
}
