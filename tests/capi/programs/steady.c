/*
 * Publishes by every way, ten million times, and counts what the publishing thread allocates. Between its two marks on
 * standard error it makes no system call: strace sees that.  steady COUNT
 */
#define _GNU_SOURCE
#include "check.h"

#include <dlfcn.h>
#include <unistd.h>

static _Thread_local int is_counted;
static uint64_t allocations;

/* glibc's own, which these stand before. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    allocations += (uint64_t)is_counted;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    allocations += (uint64_t)is_counted;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    allocations += (uint64_t)is_counted;
    return __libc_realloc(memory, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    allocations += (uint64_t)is_counted;
    *memory = __libc_memalign(alignment, size);
    return *memory == NULL ? 12 : 0;
}

static rw_channel *channel;
static rw_publisher *publisher;
static rw_reports *reports;

/* One message, by a way that depends on its number. */
static int publish(uint64_t number, const char *payload) {
    void *place;
    rw_slice slices[2] = {{payload, 64}, {payload, 64}};
    rw_header header = {"trace", 5, payload, 8};
    rw_msg message = RW_MSG_INIT;
    int answer;
    switch (number % 4) {
    case 0:
        return rw_publish(publisher, channel, payload, 128, NULL);
    case 1:
        answer = rw_try_claim(publisher, channel, 128, &place);
        if (answer != RW_OK) {
            return answer;
        }
        memcpy(place, payload, 128);
        return rw_commit(publisher, place, NULL);
    case 2:
        return rw_publishv(publisher, channel, slices, 2, NULL);
    default:
        message.channel = channel;
        message.payload = payload;
        message.payload_len = 128;
        message.headers = &header;
        message.header_count = 1;
        message.tag = number;
        return rw_publish_msg(publisher, &message, NULL);
    }
}

static void run(uint64_t count, const char *payload) {
    rw_report array[256];
    uint64_t sent = 0, reported = 0;
    while (reported < count) {
        for (int burst = 0; sent < count && burst < 256; burst++) {
            int answer = publish(sent, payload);
            if (answer == RW_BACK_PRESSURED || answer == RW_REPORTS_FULL) {
                break;
            }
            ANSWERS(answer, RW_OK);
            sent++;
        }
        int polled = rw_reports_poll(reports, array, 256);
        CHECK(polled >= 0);
        reported += (uint64_t)polled;
    }
}

/* The ring begins on a huge page's boundary, and the kernel was asked for huge pages there. */
static void lies_in_huge_pages(void) {
    void *place;
    char line[512];
    unsigned long begin = 0, end = 0, from, to;
    int is_told = 0;
    if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) != 0) {
        return;
    }
    ANSWERS(rw_try_claim(publisher, channel, 128, &place), RW_OK);
    FILE *mappings = fopen("/proc/self/smaps", "r");
    CHECK(mappings != NULL);
    while (!is_told && fgets(line, sizeof line, mappings) != NULL) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            begin = from, end = to;
        }
        int is_there = begin <= (unsigned long)place && (unsigned long)place < end;
        is_told = is_there && strncmp(line, "VmFlags:", 8) == 0;
    }
    fclose(mappings);
    CHECK(is_told && strstr(line, " hg") != NULL && begin % (2 << 20) == 0);
    ANSWERS(rw_abort(publisher, place), RW_OK);
}

static void mark(const char *text) { CHECK(write(2, text, strlen(text)) > 0); }

int main(int argc, char **argv) {
    static char payload[128];
    rw_config *config;
    rw_engine *engine;
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    ANSWERS(rw_config_new(RW_ABI_VERSION, &config), RW_OK);
    ANSWERS(rw_config_set(config, "engine.host", "thread"), RW_OK);
    ANSWERS(rw_config_set(config, "engine.idle", "busy-spin"), RW_OK);
    ANSWERS(rw_engine_start(config, &engine), RW_OK);
    ANSWERS(rw_channel_open(engine, "steady", 6, &channel), RW_OK);
    ANSWERS(rw_publisher_open(engine, &publisher, &reports), RW_OK);
    ANSWERS(rw_engine_wait_ready(engine, 10 * SECOND_NS), 1);
    run(10000, payload);
    lies_in_huge_pages();
    mark("steady begins\n");
    is_counted = 1;
    run(count, payload);
    is_counted = 0;
    mark("steady ends\n");
    CHECK(allocations == 0);
    ANSWERS(rw_engine_shutdown(engine, SECOND_NS, NULL), RW_OK);
    rw_free(publisher);
    rw_free(reports);
    rw_free(engine);
    rw_free(config);
    return 0;
}
