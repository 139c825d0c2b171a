/* What the three programs share: time, errors, and the way to an engine. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <ringwire.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS UINT64_C(1000000000)

static inline uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* The answer, unless it is an error: then the program ends. */
static inline int check(int answer, const char *what) {
    if (answer < 0) {
        const char *text = rw_last_error();
        fprintf(stderr, "%s: %s\n", what, *text != '\0' ? text : rw_strerror(answer));
        exit(1);
    }
    return answer;
}

/* A configuration with one endpoint: redis://HOST:PORT, unix:///PATH, or HOST:PORT of a Kafka broker. */
static inline rw_config *configured(const char *endpoint) {
    rw_config *config;
    const char *key = strstr(endpoint, "://") != NULL ? "endpoint.main.url" : "endpoint.main.bootstrap.servers";
    check(rw_config_new(RW_ABI_VERSION, &config), "rw_config_new");
    check(rw_config_set(config, key, endpoint), key);
    /* So that a debugger or Valgrind sees plain threads that sleep. */
    check(rw_config_set(config, "engine.host", "thread"), "engine.host");
    check(rw_config_set(config, "engine.idle", "park"), "engine.idle");
    return config;
}

static inline rw_engine *started(rw_config *config) {
    rw_engine *engine;
    check(rw_engine_start(config, &engine), "rw_engine_start");
    rw_free(config);
    return engine;
}

/* Waits for the connections, or says what is missing. */
static inline void await_ready(const rw_engine *engine) {
    rw_endpoint_status status;
    if (rw_engine_wait_ready(engine, 10 * SECOND_NS) == 1) {
        return;
    }
    if (rw_engine_status(engine, &status, 1) > 0) {
        fprintf(stderr, "%s (%s): %s\n", status.name, status.address, status.error);
    }
    exit(1);
}

#endif
