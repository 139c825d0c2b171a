/*
 * One thread does everything: the application's own loop drives the shard, and the library starts no thread
 * (but to look up a host name: give an IP address or a Unix path).
 *
 *   embedded_shard ENDPOINT COUNT
 */
#define _POSIX_C_SOURCE 200809L
#include "example.h"

#include <poll.h>

enum { AT_A_TIME = 64 };

/* Sleeps until a socket has something, somebody publishes, or the shard's next deadline. */
static void sleep_until_due(rw_shard *shard) {
    uint64_t deadline_ns, now = now_ns(), left_ns = SECOND_NS;
    struct pollfd descriptor = {.fd = rw_shard_fd(shard), .events = POLLIN};
    check(rw_shard_next_deadline(shard, &deadline_ns), "rw_shard_next_deadline");
    if (deadline_ns < now + left_ns) {
        left_ns = deadline_ns > now ? deadline_ns - now : 0;
    }
    poll(&descriptor, 1, (int)((left_ns + 999999) / 1000000));
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: embedded_shard ENDPOINT COUNT\n");
        return 2;
    }
    uint64_t count = strtoull(argv[2], NULL, 10), sent = 0, delivered = 0, reported = 0, received = 0;
    uint64_t give_up_ns = now_ns() + 60 * SECOND_NS;
    rw_config *config = configured(argv[1]);
    check(rw_config_host_driven(config), "rw_config_host_driven");
    rw_engine *engine = started(config);
    rw_shard *shard;
    rw_channel *quotes;
    rw_publisher *publisher;
    rw_reports *reports;
    rw_subscriber *subscriber;
    check(rw_shard_take(engine, 0, &shard), "rw_shard_take");
    check(rw_channel_open(engine, "fx.embedded", strlen("fx.embedded"), &quotes), "rw_channel_open");
    check(rw_publisher_open(engine, &publisher, &reports), "rw_publisher_open");
    check(rw_subscriber_open(engine, &subscriber), "rw_subscriber_open");
    check(rw_subscribe(subscriber, NULL, "fx.embedded", strlen("fx.embedded"), 0, NULL), "rw_subscribe");
    check(rw_shard_fd(shard), "rw_shard_fd");

    int is_ready = 0;
    while ((reported < count || received < count) && now_ns() < give_up_ns) {
        rw_report outcomes[AT_A_TIME];
        rw_event events[AT_A_TIME];
        int has_worked = check(rw_shard_poll(shard), "rw_shard_poll");
        is_ready = is_ready || rw_engine_wait_ready(engine, 0) == 1;
        for (int burst = 0; is_ready && sent < count && burst < AT_A_TIME; burst++) {
            if (rw_publish(publisher, quotes, "1.12120,1.12172", 15, NULL) != RW_OK) {
                break;
            }
            sent++;
            has_worked = 1;
        }
        int polled = check(rw_reports_poll(reports, outcomes, AT_A_TIME), "rw_reports_poll");
        for (int index = 0; index < polled; index++) {
            reported++;
            delivered += outcomes[index].outcome == RW_DELIVERED;
        }
        int taken = check(rw_poll(subscriber, events, AT_A_TIME), "rw_poll");
        for (int index = 0; index < taken; index++) {
            received += events[index].kind == RW_EVENT_MESSAGE;
        }
        if (!has_worked && polled == 0 && taken == 0) {
            sleep_until_due(shard);
        }
    }
    printf("published %llu, delivered %llu, received %llu\n", (unsigned long long)sent,
           (unsigned long long)delivered, (unsigned long long)received);

    /* It only begins: the shard ends when it has answered for everything. */
    check(rw_engine_shutdown(engine, SECOND_NS, NULL), "rw_engine_shutdown");
    while (rw_shard_poll(shard) != RW_CLOSED) {
    }
    rw_free(shard);
    rw_free(subscriber);
    rw_free(publisher);
    rw_free(reports);
    rw_free(engine);
    return delivered == count && received == count ? 0 : 1;
}
