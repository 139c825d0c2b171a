/*
 * Replays quotes, and prints what publishing costs its caller and what became of every message.
 *
 *   tick_publisher ENDPOINT FILE COUNT RATE      RATE in messages a second; 0 is as fast as it goes
 *   tick_publisher redis://127.0.0.1:6390 bench/data/eurusd-quotes.csv 100000 20000
 */
#define _POSIX_C_SOURCE 200809L
#include "example.h"

enum { LINE_MAX_LEN = 128, LINES_MAX = 20000, AT_A_TIME = 64 };

static char lines[LINES_MAX][LINE_MAX_LEN];
static size_t lens[LINES_MAX];

static size_t read_lines(const char *path) {
    FILE *file = fopen(path, "r");
    size_t count = 0;
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    while (count < LINES_MAX && fgets(lines[count], LINE_MAX_LEN, file) != NULL) {
        lens[count] = strcspn(lines[count], "\n");
        count++;
    }
    fclose(file);
    if (count == 0) {
        fprintf(stderr, "%s: no lines\n", path);
        exit(1);
    }
    return count;
}

static int by_value(const void *one, const void *other) {
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

/* Outcomes by their number: delivered, not sent, unknown. */
static uint64_t take_reports(rw_reports *reports, uint64_t outcomes[3]) {
    rw_report array[AT_A_TIME];
    int count = rw_reports_poll(reports, array, AT_A_TIME);
    for (int index = 0; index < count; index++) {
        outcomes[array[index].outcome]++;
    }
    return count > 0 ? (uint64_t)count : 0;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: tick_publisher ENDPOINT FILE COUNT RATE\n");
        return 2;
    }
    size_t line_count = read_lines(argv[2]);
    uint64_t count = strtoull(argv[3], NULL, 10), rate = strtoull(argv[4], NULL, 10);
    uint64_t *cost_ns = calloc((size_t)count + 1, sizeof(uint64_t));
    rw_engine *engine = started(configured(argv[1]));
    rw_channel *quotes;
    rw_publisher *publisher;
    rw_reports *reports;
    uint64_t outcomes[3] = {0, 0, 0}, reported = 0, refused = 0;
    if (cost_ns == NULL) {
        return 1;
    }
    check(rw_channel_open(engine, "fx.eurusd", strlen("fx.eurusd"), &quotes), "rw_channel_open");
    check(rw_publisher_open(engine, &publisher, &reports), "rw_publisher_open");
    await_ready(engine);

    uint64_t begin_ns = now_ns();
    for (uint64_t sent = 0; sent < count;) {
        uint64_t due_ns = rate == 0 ? 0 : begin_ns + sent * SECOND_NS / rate;
        rw_msg message = RW_MSG_INIT;
        message.channel = quotes;
        message.payload = lines[sent % line_count];
        message.payload_len = lens[sent % line_count];
        message.intended_ns = due_ns;
        message.tag = sent;
        while (now_ns() < due_ns) {
            reported += take_reports(reports, outcomes);
        }
        uint64_t before_ns = now_ns();
        int answer = rw_publish_msg(publisher, &message, NULL);
        cost_ns[sent] = now_ns() - before_ns;
        if (answer == RW_BACK_PRESSURED || answer == RW_REPORTS_FULL) {
            /* An ordinary answer: nobody has the message, so it is published again. */
            refused++;
            reported += take_reports(reports, outcomes);
            rw_wait_writable(publisher, quotes, message.payload_len, SECOND_NS / 1000);
            continue;
        }
        check(answer, "rw_publish_msg");
        sent++;
    }
    while (reported < count && rw_reports_wait(reports, 10 * SECOND_NS) == 1) {
        reported += take_reports(reports, outcomes);
    }
    double seconds = (double)(now_ns() - begin_ns) / 1e9;

    qsort(cost_ns, (size_t)count, sizeof(uint64_t), by_value);
    printf("%llu messages in %.2f s; refused meanwhile: %llu\n", (unsigned long long)count, seconds,
           (unsigned long long)refused);
    const double quantiles[] = {0.5, 0.9, 0.99, 0.999, 1.0};
    for (size_t index = 0; count > 0 && index < sizeof quantiles / sizeof quantiles[0]; index++) {
        uint64_t at = (uint64_t)(quantiles[index] * (double)(count - 1));
        printf("cost of a call, p%-5g %8llu ns (two looks at the clock included)\n", quantiles[index] * 100,
               (unsigned long long)cost_ns[at]);
    }
    printf("delivered %llu, not sent %llu, unknown %llu\n", (unsigned long long)outcomes[RW_DELIVERED],
           (unsigned long long)outcomes[RW_NOT_SENT], (unsigned long long)outcomes[RW_UNKNOWN]);

    rw_engine_shutdown(engine, SECOND_NS, NULL);
    rw_free(publisher);
    rw_free(reports);
    rw_free(engine);
    free(cost_ns);
    return outcomes[RW_DELIVERED] == count ? 0 : 1;
}
