/* What the test programs share. */
#ifndef CHECK_H
#define CHECK_H

#include <ringwire.h>

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS UINT64_C(1000000000)

/* The program ends where something is not as it should be. */
#define CHECK(condition)                                                                                    \
    do {                                                                                                    \
        if (!(condition)) {                                                                                 \
            fprintf(stderr, "%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #condition, rw_last_error()); \
            exit(1);                                                                                        \
        }                                                                                                   \
    } while (0)

#define ANSWERS(call, expected)                                                                     \
    do {                                                                                            \
        int answer_ = (call);                                                                       \
        if (answer_ != (expected)) {                                                                \
            fprintf(stderr, "%s:%d: %s answers %d, not %d; last error: %s\n", __FILE__, __LINE__, #call, \
                    answer_, (int)(expected), rw_last_error());                                     \
            exit(1);                                                                                \
        }                                                                                           \
    } while (0)

static inline uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* Entries of a folder, without the two that every folder has. */
static inline int entries(const char *path) {
    DIR *folder = opendir(path);
    int count = -2;
    CHECK(folder != NULL);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

/* The folder itself is open while it is counted, in both counts. */
static inline int descriptors(void) { return entries("/proc/self/fd"); }
static inline int threads(void) { return entries("/proc/self/task"); }

/* A thread that was joined leaves the list a moment later. */
static inline void await_threads(int expected) {
    uint64_t until_ns = now_ns() + 10 * SECOND_NS;
    while (threads() != expected && now_ns() < until_ns) {
    }
    CHECK(threads() == expected);
}

/* An engine with one endpoint, or with the local bus alone where `url` is NULL. */
static inline rw_engine *start_with(const char *url, const char *host) {
    rw_config *config;
    rw_engine *engine;
    ANSWERS(rw_config_new(RW_ABI_VERSION, &config), RW_OK);
    ANSWERS(rw_config_set(config, "engine.host", host), RW_OK);
    ANSWERS(rw_config_set(config, "engine.idle", "park"), RW_OK);
    if (url != NULL) {
        ANSWERS(rw_config_set(config, "endpoint.main.url", url), RW_OK);
    }
    ANSWERS(rw_engine_start(config, &engine), RW_OK);
    ANSWERS(rw_free(config), RW_OK);
    return engine;
}

#endif
