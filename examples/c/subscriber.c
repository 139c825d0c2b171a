/*
 * Receives messages, in a loop that polls or in one that sleeps in epoll.
 *
 *   subscriber ENDPOINT PATTERN COUNT poll|epoll
 *   subscriber redis://127.0.0.1:6390 'fx.*' 100000 epoll
 */
#define _POSIX_C_SOURCE 200809L
#include "example.h"

#include <sys/epoll.h>
#include <unistd.h>

enum { AT_A_TIME = 64, TIMEOUT_MS = 20000 };

static uint64_t messages, bytes, gaps;

/* Takes what there is. Answers whether that was anything. */
static int take(rw_subscriber *subscriber) {
    rw_event events[AT_A_TIME];
    int count = check(rw_poll(subscriber, events, AT_A_TIME), "rw_poll");
    for (int index = 0; index < count; index++) {
        const rw_event *event = &events[index];
        switch (event->kind) {
        case RW_EVENT_MESSAGE:
            messages++;
            bytes += event->payload_len;
            break;
        case RW_EVENT_SUBSCRIBED:
            printf("subscribed\n");
            fflush(stdout);
            break;
        case RW_EVENT_GAP:
            gaps++;
            break;
        default:
            fprintf(stderr, "refused: %.*s\n", (int)event->payload_len, (const char *)event->payload);
            exit(1);
        }
    }
    return count > 0;
}

static void poll_until(rw_subscriber *subscriber, uint64_t count) {
    /* Spinning on rw_poll alone would be the fastest; this sleeps when there is nothing. */
    while (messages < count) {
        if (!take(subscriber) && rw_wait(subscriber, (uint64_t)TIMEOUT_MS * 1000000) != 1) {
            return;
        }
    }
}

static void epoll_until(rw_subscriber *subscriber, uint64_t count) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, rw_subscriber_fd(subscriber), &event) != 0) {
        perror("epoll");
        exit(1);
    }
    for (;;) {
        /* A poll that finds nothing asks to be rung: until then, no waiting. */
        while (take(subscriber)) {
        }
        if (messages >= count || epoll_wait(epoll, &event, 1, TIMEOUT_MS) == 0) {
            break;
        }
    }
    close(epoll);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: subscriber ENDPOINT PATTERN COUNT poll|epoll\n");
        return 2;
    }
    uint64_t count = strtoull(argv[3], NULL, 10);
    rw_engine *engine = started(configured(argv[1]));
    rw_subscriber *subscriber;
    check(rw_subscriber_open(engine, &subscriber), "rw_subscriber_open");
    check(rw_subscribe(subscriber, NULL, argv[2], strlen(argv[2]), RW_PATTERN, NULL), "rw_subscribe");
    await_ready(engine);
    if (strcmp(argv[4], "epoll") == 0) {
        epoll_until(subscriber, count);
    } else {
        poll_until(subscriber, count);
    }
    printf("received %llu messages, %llu bytes, %llu gaps\n", (unsigned long long)messages,
           (unsigned long long)bytes, (unsigned long long)gaps);
    rw_engine_shutdown(engine, 0, NULL);
    rw_free(subscriber);
    rw_free(engine);
    return messages >= count && gaps == 0 ? 0 : 1;
}
