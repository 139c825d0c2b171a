/*
 * Ringwire: hand messages to Redis and Kafka through rings, without waiting for them.
 *
 * HOW IT IS USED
 *
 *   rw_config *config;  rw_engine *engine;  rw_channel *quotes;  rw_publisher *publisher;  rw_reports *reports;
 *   rw_config_new(RW_ABI_VERSION, &config);
 *   rw_config_set(config, "endpoint.main.url", "redis://127.0.0.1:6379");
 *   rw_engine_start(config, &engine);
 *   rw_free(config);
 *   rw_channel_open(engine, "fx.eurusd", 9, &quotes);
 *   rw_publisher_open(engine, &publisher, &reports);
 *   rw_engine_wait_ready(engine, 5000000000);                        // until then publishing is refused
 *   rw_publish(publisher, quotes, "1.12120,1.12172", 15, NULL);      // strategy thread: never blocks
 *   rw_reports_poll(reports, array, 64);                             // another thread, or the same
 *   rw_engine_shutdown(engine, 1000000000, NULL);
 *   rw_free(publisher); rw_free(reports); rw_free(engine);
 *
 * ANSWERS
 *
 *   Every function that can fail answers an int: 0 or a positive count if it went well, else one of the negative
 *   RW_ codes below. A refusal (back-pressured, not connected, ...) is an ordinary answer: nothing was accepted, and
 *   nothing has to be cleaned up. rw_strerror puts a code into words; rw_last_error says what was wrong the last time,
 *   on this thread, where there is more to say than the code does.
 *
 *   Each function answers, besides what its own comment lists:
 *     RW_INVALID       an argument is NULL or out of its range, or a handle is none, was freed, or is of another kind
 *     RW_WRONG_THREAD  the handle belongs to another thread, another thread is in a call on it, or the call would wait
 *                      for the very callback that makes it
 *     RW_CLOSED        after a fork, in the child: handles stay with the parent
 *     RW_INTERNAL      a defect of ours, caught at the boundary; the handle may not be usable any more
 *
 * HANDLES
 *
 *   Every handle is freed by rw_free, and by nothing else; channels go with their engine. A handle that was freed is
 *   refused with RW_INVALID until its place is given to another handle of the same kind, so do not rely on that.
 *   Handles may outlive the engine: they answer RW_CLOSED then.
 *
 * THREADS
 *
 *   rw_config, rw_engine, rw_channel   any thread, several at a time. rw_free of an engine must be the last call on it
 *                                      and on its channels.
 *   rw_publisher                       belongs to the thread that first publishes with it; others are refused.
 *                                      rw_publisher_unbind hands it on. Make one for each publishing thread.
 *   rw_reports, rw_subscriber,         any thread, one at a time; a second one is refused meanwhile.
 *   rw_shard
 *
 *   No callback may throw, or be left by longjmp; no thread may be cancelled (pthread_cancel) within a call.
 *
 *   No callback for a message ever runs on a thread of ours. Our threads are named ringwire-*, and rw_free of an engine
 *   waits for their end: but for a ringwire-dns-N whose host name the system still looks up, and a helper of glommio's that
 *   ends some milliseconds later, neither of which calls you any more. The shared library stays loaded after dlclose.
 *
 * WHAT IT LEAVES ALONE
 *
 *   It installs no signal handler and raises no SIGPIPE, never exits, aborts or prints, changes no environment, and
 *   allocates with the process's malloc. (Should malloc itself fail, Rust's standard library aborts.) Its threads block
 *   signals, but for those of faults and SIGPROF: your handlers run on your threads. Rings of 2 MiB and more lie in huge
 *   pages where /sys/kernel/mm/transparent_hugepage/enabled says madvise or always.
 *
 * UNITS
 *
 *   Times are nanoseconds: a timeout is a length, a point in time is on CLOCK_MONOTONIC. Timestamps of records are
 *   milliseconds since 1970. Lengths are bytes. Texts that we answer end with a zero byte and are UTF-8.
 */
#ifndef RINGWIRE_H
#define RINGWIRE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header. It changes with every change that a compiled program would notice. */
#define RW_ABI_VERSION 1u
#define RW_VERSION "0.1.0"

/* ------------------------------------------------------------------------------------------------ answers */

#define RW_OK 0
/* The ring, or the credit of one of the channel's endpoints, is used up: rw_wait_writable. */
#define RW_BACK_PRESSURED (-1)
/* As many reports as there are slots wait to be polled: rw_reports_poll. */
#define RW_REPORTS_FULL (-2)
/* None of the channel's endpoints is connected, and its route rejects meanwhile. */
#define RW_NOT_CONNECTED (-3)
/* The engine was shut down, or this is the child of a fork. */
#define RW_CLOSED (-4)
/* A shard failed. rw_engine_health tells why, in rw_last_error. */
#define RW_FAILED (-5)
/* The message is longer than the ring can ever take: engine.ring_bytes raises that. */
#define RW_TOO_LONG (-6)
/* An argument or a handle is not what it should be. */
#define RW_INVALID (-7)
/* The handle is another thread's. */
#define RW_WRONG_THREAD (-8)
/* The configuration cannot be: rw_last_error names the setting and what would be accepted. */
#define RW_CONFIG (-9)
/* The system refused a thread, a descriptor or memory. */
#define RW_SYSTEM (-10)
/* There is no endpoint or shard of that name or number. */
#define RW_NOT_FOUND (-11)
/* The library has another ABI than the header that the program was compiled with. */
#define RW_ABI_MISMATCH (-12)
/* A defect of ours was caught. */
#define RW_INTERNAL (-13)

/* What a code means; a text for every number. Valid for ever. Any thread, also where nothing else works. */
const char *rw_strerror(int code);

/* What was wrong the last time that a call on this thread failed with more to say than its code; "" if none has.
 * RW_BACK_PRESSURED, RW_REPORTS_FULL, RW_NOT_CONNECTED and RW_WRONG_THREAD leave it as it was, and so does RW_CLOSED
 * where it is the end of what is polled. Valid until the next call on this thread that fails. At most 1023 bytes. */
const char *rw_last_error(void);

/* The library's own version, as in RW_VERSION. Valid for ever. */
const char *rw_version(void);

/* ------------------------------------------------------------------------------------------------ handles */

typedef struct rw_config rw_config;
typedef struct rw_engine rw_engine;
typedef struct rw_channel rw_channel;
typedef struct rw_publisher rw_publisher;
typedef struct rw_reports rw_reports;
typedef struct rw_subscriber rw_subscriber;
typedef struct rw_shard rw_shard;

/* Frees a handle of any kind but a channel's; NULL is nothing to do. No other thread may be in a call on it.
 * An engine that was not shut down is shut down without flushing: what is not sent by then is reported so.
 * A claim that is under way is aborted. A shard ends: what it holds is reported. A publisher whose reports are freed
 * goes on without.
 * RW_WRONG_THREAD: another thread is in a call on it, or (an engine) this is one of our callbacks. It is not freed. */
int rw_free(void *handle);

/* No limit of time. */
#define RW_FOREVER UINT64_MAX

/* ------------------------------------------------------------------------------------------ configuration */

/* Begins a configuration: all defaults, no endpoint. `abi_version` is RW_ABI_VERSION, always.
 * RW_ABI_MISMATCH: the library is another one than this header's. */
int rw_config_new(uint32_t abi_version, rw_config **config);

/* Sets one setting by its path, as in "engine.idle" or "endpoint.main.url"; where there is exactly one endpoint, its
 * settings need no "endpoint.NAME." before them. It wins over files and variables. Both texts are copied.
 * RW_CONFIG: the path is none. A setting that does not exist is found by rw_config_check and rw_engine_start. */
int rw_config_set(rw_config *config, const char *path, const char *value);

/* Reads TOML text of `len` bytes, as a file would have it. It is copied.
 * RW_CONFIG: it is not TOML in UTF-8. */
int rw_config_parse(rw_config *config, const char *toml, size_t len);

/* Reads a file, if `path` is not NULL, and then the process's variables whose names begin with RINGWIRE_, which win
 * over it. No other thread may change the environment meanwhile.
 * RW_CONFIG: the file cannot be read, or is none. */
int rw_config_load(rw_config *config, const char *path);

/* The application's own threads drive the shards (rw_shard_take), and the library starts none for them. Host names
 * are looked up on threads of the library's own all the same (ringwire-control, ringwire-dns-N): with IP addresses or
 * Unix paths there is none. A Kafka always has ringwire-control: its brokers may have names. */
int rw_config_host_driven(rw_config *config);

/* Called on each thread of ours when it begins, with its name: to set its priority, say. NULL for none. Signals are blocked
 * there, and what it starts inherits that.
 * `user` must stay valid until rw_free of the engine returns, or rw_engine_start fails: both wait for a callback that
 * runs, and none comes after them. It may call any function on a handle of another engine
 * but rw_free and rw_engine_shutdown of that engine. */
typedef void (*rw_thread_start)(void *user, const char *name);
int rw_config_on_thread_start(rw_config *config, rw_thread_start callback, void *user);

/* Called with one line of text, without control characters and of at most 2048 bytes, when the state of an endpoint has
 * changed. It runs on a thread of its own, ringwire-log, which exists only where this is set; in a host-driven engine it
 * runs within rw_engine_control. The line is valid until the callback returns. rw_engine_shutdown, rw_engine_control and
 * rw_free of the engine are refused within it with RW_WRONG_THREAD. NULL for none. */
#define RW_LOG_INFO 1
#define RW_LOG_WARNING 2
#define RW_LOG_ERROR 3
typedef void (*rw_log)(void *user, int level, const char *line);
int rw_config_on_log(rw_config *config, rw_log callback, void *user);

/* Checks all of it, without starting anything.
 * RW_CONFIG: rw_last_error names the first setting that is unknown or out of bounds. */
int rw_config_check(const rw_config *config);

/* ------------------------------------------------------------------------------------------------- engine */

/* Starts the shards. It does not wait for connections: see rw_engine_wait_ready. The configuration stays the
 * caller's, and may be used again.
 * RW_CONFIG, or RW_SYSTEM: a core is not allowed, there is no io_uring for host "glommio", no descriptor, no thread.
 * Then nothing was started. */
int rw_engine_start(const rw_config *config, rw_engine **engine);

/* Waits until every connection that an open channel or subscription needs is there, and every subscription is in
 * force. 1: so it is. 0: `timeout_ns` has passed, or the engine ended; rw_engine_status says what is missing. A
 * host-driven engine is not driven meanwhile: ask with a timeout of 0, between two polls. */
int rw_engine_wait_ready(const rw_engine *engine, uint64_t timeout_ns);

/* How the engine is: one of these. Below a microsecond. */
#define RW_HEALTHY 0
/* An endpoint that is needed is not connected, or says that something ails it. */
#define RW_DEGRADED 1
#define RW_SHUT_DOWN 2
/* A shard failed: rw_last_error tells why. */
#define RW_BROKEN 3
int rw_engine_health(const rw_engine *engine);

/* Counts since the start: of one endpoint, or of the local bus. */
typedef struct rw_counters {
    uint64_t accepted;
    uint64_t delivered;
    uint64_t not_sent;
    uint64_t unknown;
    uint64_t in_flight;       /* accepted, no outcome yet */
    uint64_t in_flight_bytes;
    uint64_t reconnects;
    uint64_t unfenced;        /* reconnects whose predecessor could not be killed on the server */
    uint64_t received;        /* messages that subscriptions received */
    uint64_t dropped;         /* of those, dropped because a subscriber's ring was full */
    uint64_t errors;          /* error replies */
    uint64_t breaker_trips;
} rw_counters;

/* States of an endpoint's connections. */
#define RW_DISCONNECTED 0 /* nobody has needed it yet */
#define RW_CONNECTING 1
#define RW_CONNECTED 2
#define RW_RECONNECTING 3
#define RW_TURNED_AWAY 4 /* the server refused us: its words are in the error; it is tried again, rarely */
/* States of its breaker. */
#define RW_BREAKER_CLOSED 0 /* messages flow */
#define RW_BREAKER_HALF_OPEN 1
#define RW_BREAKER_OPEN 2

/* How one endpoint is, all shards together. */
typedef struct rw_endpoint_status {
    char name[72];
    char address[256];           /* without user and password; cut if it is longer */
    char error[512];             /* what went wrong last, where something is not connected; cut if it is longer */
    uint32_t publish;            /* RW_DISCONNECTED ... */
    uint32_t subscribe;          /* RW_DISCONNECTED ... */
    uint32_t breaker;            /* RW_BREAKER_CLOSED ... */
    uint32_t reserved;
    uint64_t publish_since_ns;   /* how long it has been in that state */
    uint64_t subscribe_since_ns;
    uint64_t oldest_ns;          /* age of the oldest message without an outcome; 0 if there is none */
    rw_counters counters;
} rw_endpoint_status;

/* Writes the status of up to `capacity` endpoints, in the order of the configuration, and answers how many there are.
 * Costs the shards nothing. */
int rw_engine_status(const rw_engine *engine, rw_endpoint_status *array, size_t capacity);

/* Writes the counts of one endpoint; of the local bus where `endpoint` is NULL.
 * RW_NOT_FOUND: no endpoint is called so. */
int rw_engine_counters(const rw_engine *engine, const char *endpoint, rw_counters *counters);

/* What delivered messages took, in nanoseconds, right within 1 %; all 0 where there were none. */
typedef struct rw_latency {
    uint64_t count;
    uint64_t mean_ns;
    uint64_t p50_ns;
    uint64_t p90_ns;
    uint64_t p99_ns;
    uint64_t p999_ns;
    uint64_t max_ns;
} rw_latency;

/* Writes the latencies of an endpoint's delivered messages since the start: from the shard's taking of a message to its
 * answer, and from its intended time to its answer, where one was given. Either may be NULL. Takes some 100
 * microseconds, and costs the shards nothing.
 * RW_NOT_FOUND: no endpoint is called so. */
int rw_engine_latency(const rw_engine *engine, const char *endpoint, rw_latency *acknowledgement,
                      rw_latency *from_intended);

/* How a shutdown went. */
typedef struct rw_shutdown_report {
    uint32_t flushed;    /* 1 if every accepted message was answered before the deadline */
    uint32_t reserved;
    uint64_t delivered;  /* outcomes since the shutdown began */
    uint64_t not_sent;
    uint64_t unknown;
} rw_shutdown_report;

/* Refuses new messages, flushes what was accepted for up to `deadline_ns`, reports what is left as not sent or
 * unknown, closes the connections and ends the threads. Reports and received messages stay to be polled. `report` may
 * be NULL. A second shutdown finds nothing to do.
 * With a host-driven engine it only begins: poll the shards until they answer RW_CLOSED; `report` stays empty.
 * RW_WRONG_THREAD: called by one of our callbacks. */
int rw_engine_shutdown(rw_engine *engine, uint64_t deadline_ns, rw_shutdown_report *report);

/* Does the control duties of a host-driven engine: log lines. Call it now and then, ten times a second, say; from one
 * thread at a time. 0; where the engine is not host-driven there is nothing to do.
 * RW_WRONG_THREAD: called by one of our callbacks. */
int rw_engine_control(rw_engine *engine);

/* ----------------------------------------------------------------------------------------------- channels */

/* Opens a channel: where its messages go is decided once, by the routes. Opening it again gives the same handle. It
 * lasts as long as the engine, and is not freed. A name is 1 to 1024 bytes of any kind.
 * RW_INVALID (the name), RW_CLOSED, RW_FAILED. */
int rw_channel_open(rw_engine *engine, const void *name, size_t name_len, rw_channel **channel);

/* Its number within the engine, from 0: reports name the channel by it. */
int rw_channel_index(const rw_channel *channel);

/* --------------------------------------------------------------------------------------------- publishing */

/* Opens a publisher. With `reports` each accepted message is reported on; where it is NULL outcomes are only counted.
 * They are also where the reports are freed before the publisher: it goes on without.
 * RW_CLOSED, RW_FAILED, RW_SYSTEM. */
int rw_publisher_open(rw_engine *engine, rw_publisher **publisher, rw_reports **reports);

/* Some bytes. */
typedef struct rw_slice {
    const void *data; /* may be NULL if len is 0 */
    size_t len;
} rw_slice;

/* A record's header: a name in UTF-8, and a value, NULL for none. */
typedef struct rw_header {
    const char *name;
    size_t name_len;
    const void *value;
    size_t value_len;
} rw_header;

/* Leaves the partition to the endpoint. */
#define RW_ANY_PARTITION (-1)

/* A message with all that it may carry. Begin with RW_MSG_INIT. Redis pub/sub sends the payload alone. */
typedef struct rw_msg {
    uint32_t size;            /* sizeof(rw_msg): later versions may have more */
    int32_t partition;        /* RW_ANY_PARTITION, or from 0 */
    const rw_channel *channel;
    const void *payload;      /* NULL is no payload: a tombstone on Kafka, empty on Redis */
    size_t payload_len;
    const void *key;          /* NULL is no key */
    size_t key_len;
    const rw_header *headers; /* in order; names may repeat */
    size_t header_count;
    int64_t timestamp_ms;     /* since 1970; 0 is when the shard takes it */
    uint64_t intended_ns;     /* when it was meant to be sent; 0 for none. Reports carry it back. */
    uint64_t tag;             /* the caller's own number. Reports carry it back. */
} rw_msg;

#define RW_MSG_INIT {(uint32_t)sizeof(rw_msg), RW_ANY_PARTITION, NULL, NULL, 0, NULL, 0, NULL, 0, 0, 0, 0}

/* All of these copy the message into a ring, and neither block, lock, allocate nor make a system call while the shard
 * is awake. 0: the message is accepted, and `sequence`, where it is not NULL, gets its number: dense for this
 * publisher, from 0. Otherwise no destination has it:
 * RW_BACK_PRESSURED, RW_REPORTS_FULL, RW_NOT_CONNECTED, RW_CLOSED, RW_FAILED, RW_TOO_LONG; RW_INVALID also where the
 * channel is another engine's, or a claim is under way. */

/* Publishes `len` bytes. */
int rw_publish(rw_publisher *publisher, const rw_channel *channel, const void *payload, size_t len,
               uint64_t *sequence);

/* Publishes a message with a key, headers, a tag or a time.
 * RW_INVALID also: `size` is below the first version's or says of more than the library knows, with something other
 * than zeros there; a header's name is not UTF-8. */
int rw_publish_msg(rw_publisher *publisher, const rw_msg *message, uint64_t *sequence);

/* Publishes the `count` slices, one behind the other, as one message. */
int rw_publishv(rw_publisher *publisher, const rw_channel *channel, const rw_slice *slices, size_t count,
                uint64_t *sequence);

/* Claims room for a payload of exactly `len` bytes in the ring itself: `*place` is where to write it. It holds old
 * bytes: overwrite all of them, then rw_commit or rw_abort with that place. One claim at a time; until then every
 * other publishing with this publisher is refused with RW_INVALID. The channel's engine must not be freed meanwhile. */
int rw_try_claim(rw_publisher *publisher, const rw_channel *channel, size_t len, void **place);

/* Publishes what was written at `place`. There is room for it, and it is paid for: only the engine's end is in its way.
 * RW_CLOSED, RW_FAILED: the engine ended meanwhile, and no destination has it.
 * RW_INVALID: that is not the claim under way of this publisher. */
int rw_commit(rw_publisher *publisher, void *place, uint64_t *sequence);

/* Gives the room back.
 * RW_INVALID: that is not the claim under way of this publisher. */
int rw_abort(rw_publisher *publisher, void *place);

/* Waits until a message of `len` bytes would be accepted. 1: it would. 0: `timeout_ns` has passed; or, at once, reports
 * that wait to be polled hold every slot, and no other thread polled them last: poll them, and go on.
 * RW_CLOSED, RW_FAILED, RW_TOO_LONG; RW_INVALID as rw_publish. */
int rw_wait_writable(rw_publisher *publisher, const rw_channel *channel, size_t len, uint64_t timeout_ns);

/* Waits until every accepted message has had its outcome at its endpoints; what waits for company (linger.ms) is sent at
 * once. 1: they have. 0: `timeout_ns` has passed, or the engine ended. Reports stay to be polled.
 * RW_INVALID: a claim is under way. */
int rw_flush(rw_publisher *publisher, uint64_t timeout_ns);

/* Lets go of a publisher: the next thread that publishes with it has it from then on. Called by the thread that has
 * it; the two threads must agree on the moment by themselves.
 * RW_INVALID: a claim is under way. */
int rw_publisher_unbind(rw_publisher *publisher);

/* ------------------------------------------------------------------------------------------------ reports */

/* Outcomes. Each accepted message has exactly one for each of its channel's endpoints. */
#define RW_DELIVERED 0 /* the endpoint said that it executed the command, or has the record */
#define RW_NOT_SENT 1  /* it did not, and never will */
#define RW_UNKNOWN 2   /* its last byte was handed to the network, and no answer came */

/* Reasons. */
#define RW_REASON_NONE 0
#define RW_REASON_NOT_CONNECTED 1
#define RW_REASON_DROPPED 2
#define RW_REASON_CONNECTION_LOST 3
#define RW_REASON_SERVER_ERROR 4
#define RW_REASON_SHUTDOWN 5
#define RW_REASON_BREAKER_OPEN 6
#define RW_REASON_BROKER_ERROR 7     /* Kafka: detail.broker_error */
#define RW_REASON_EXPIRED 8          /* Kafka: delivery.timeout.ms passed first */
#define RW_REASON_TOO_LARGE 9        /* Kafka: larger than max.request.size allows */
#define RW_REASON_NO_PARTITION 10    /* Kafka: the topic has no such partition */
#define RW_REASON_STATE_LOST 11      /* Kafka: the broker no longer knows what this producer wrote */
#define RW_REASON_NOT_ACKNOWLEDGED 12 /* Kafka: the endpoint does not acknowledge (acks=0) */

/* What became of one message at one endpoint. */
typedef struct rw_report {
    uint64_t sequence;           /* as rw_publish answered it */
    uint64_t tag;                /* as it was given */
    uint64_t intended_ns;        /* as it was given */
    uint64_t at_ns;              /* when the shard learnt it */
    int64_t broker_timestamp_ms; /* the broker's own; 0 where there is none, as for Redis pub/sub */
    union {
        uint64_t receivers;      /* Redis, delivered: how many subscriptions the server counted */
        struct {
            int32_t partition;   /* Kafka, delivered */
            int32_t reserved;
            int64_t offset;      /* -1 where the broker only says that it had the record already */
        } record;
        int16_t broker_error;    /* RW_REASON_BROKER_ERROR: Kafka's own number; RW_REASON_EXPIRED and _SHUTDOWN: its last one, or 0 */
        char error[16];          /* RW_REASON_SERVER_ERROR: the beginning of the server's words, zeros behind */
    } detail;
    uint32_t channel;            /* rw_channel_index */
    uint8_t leg;                 /* which of the channel's endpoints, from 0, in the order of its route */
    uint8_t outcome;             /* RW_DELIVERED ... */
    uint8_t reason;              /* RW_REASON_NONE ... */
    uint8_t reserved;
} rw_report;

/* Writes up to `capacity` reports, and answers how many. Never blocks.
 * RW_CLOSED: none is left: the engine has ended. A message that another thread was publishing at that moment may still
 * be accepted, and is reported as not sent by a later poll: none will come once every publishing thread has returned
 * from its last call; poll once more after that. */
int rw_reports_poll(rw_reports *reports, rw_report *array, size_t capacity);

/* Waits until there is something to poll. 1: there is. 0: `timeout_ns` has passed.
 * RW_CLOSED: as rw_reports_poll. */
int rw_reports_wait(rw_reports *reports, uint64_t timeout_ns);

/* A descriptor for epoll, poll, libuv, Asio: readable when there may be something to poll. Poll until the answer is 0,
 * then wait on it again: a poll that answers 0 asks to be rung once. It is readable at first, and after a wait
 * whose time has passed. From this call on a poll that answers 0 costs a system call or two. Ours: never close it, read it or write it. Valid until the handle is freed. */
int rw_reports_fd(rw_reports *reports);

/* --------------------------------------------------------------------------------------------- subscribing */

/* Opens a subscriber, with no subscription yet.
 * RW_CLOSED, RW_FAILED, RW_SYSTEM. */
int rw_subscriber_open(rw_engine *engine, rw_subscriber **subscriber);

/* The name is a pattern, by Redis' glob rules. */
#define RW_PATTERN 1u

/* Subscribes to a channel, or to all that match a pattern, at an endpoint; where `endpoint` is NULL, where the
 * channel's route leads, or at the only endpoint. It does not wait: an RW_EVENT_SUBSCRIBED tells when it is in force.
 * `*subscription`, where it is not NULL, gets its number, which the events name.
 * RW_INVALID (the name, the flags; a pattern without the name of one of several endpoints), RW_NOT_FOUND, RW_CLOSED,
 * RW_FAILED. */
int rw_subscribe(rw_subscriber *subscriber, const char *endpoint, const void *name, size_t name_len, uint32_t flags,
                 uint32_t *subscription);

/* Ends a subscription. What has arrived already still comes.
 * RW_NOT_FOUND: there is none of that number. */
int rw_unsubscribe(rw_subscriber *subscriber, uint32_t subscription);

/* Kinds of events. */
#define RW_EVENT_MESSAGE 0u
#define RW_EVENT_SUBSCRIBED 1u /* in force for the first time: messages published from now on arrive */
#define RW_EVENT_GAP 2u        /* messages may be missing before the next one: `gap` says why, `lost` how many */
#define RW_EVENT_REFUSED 3u    /* the server refuses the subscription; payload: its words. It is asked again. */

/* Why there is a gap: any of these together. */
#define RW_GAP_RECONNECTED 1u
#define RW_GAP_RING_FULL 2u
#define RW_GAP_TOO_LONG 4u
#define RW_GAP_UNSUBSCRIBED 8u

/* One event of one subscription. What it points at is valid until the next rw_poll or rw_free of the subscriber. */
typedef struct rw_event {
    uint32_t kind;         /* RW_EVENT_MESSAGE ... */
    uint32_t subscription; /* as rw_subscribe answered it */
    uint64_t received_ns;  /* when the shard saw it */
    const void *channel;   /* the name of the channel on which it was published */
    size_t channel_len;
    const void *payload;
    size_t payload_len;
    const void *key;       /* Kafka; NULL is none */
    size_t key_len;
    int64_t timestamp_ms;  /* Kafka; 0 elsewhere */
    int64_t offset;        /* Kafka; -1 elsewhere */
    int32_t partition;     /* Kafka; -1 elsewhere */
    uint32_t gap;          /* RW_GAP_RECONNECTED ... */
    uint64_t lost;         /* how many are known to be missing */
    uint64_t reserved[2];
} rw_event;

/* Writes up to `capacity` events, and answers how many: fewer where their bytes together pass 256 KiB. Never blocks.
 * The views of the poll before are no longer valid.
 * RW_CLOSED: none is left, and none will come: the engine has ended. */
int rw_poll(rw_subscriber *subscriber, rw_event *array, size_t capacity);

/* Waits until there is something to poll. 1: there is. 0: `timeout_ns` has passed. The views of the last poll stay
 * valid.
 * RW_CLOSED: as rw_poll. */
int rw_wait(rw_subscriber *subscriber, uint64_t timeout_ns);

/* A descriptor, as rw_reports_fd is. */
int rw_subscriber_fd(rw_subscriber *subscriber);

/* ------------------------------------------------------------------------------------- host-driven shards */

/* Takes shard `index` of a host-driven engine, once: its caller's thread drives it from then on.
 * RW_NOT_FOUND: there is none of that number, it was taken before, or the engine drives its shards itself. */
int rw_shard_take(rw_engine *engine, uint32_t index, rw_shard **shard);

/* One turn: drains rings, sends, receives, delivers; about a millisecond at worst. 1: it did something. 0: there was
 * nothing to do. Never waits.
 * RW_CLOSED: the shard has ended after a shutdown: every message has its outcome. */
int rw_shard_poll(rw_shard *shard);

/* When the next poll has something to do even if nothing happens: on CLOCK_MONOTONIC; 0 is at once, UINT64_MAX never.
 * Writes it to `deadline_ns`. */
int rw_shard_next_deadline(rw_shard *shard, uint64_t *deadline_ns);

/* A descriptor that is readable when a socket has something, or when somebody published. From this call on a poll that
 * answers 0 asks to be rung, as rw_reports_fd says: then wait on it until the next deadline, and poll again. */
int rw_shard_fd(rw_shard *shard);

#ifdef __cplusplus
}
#endif

#endif
