"""redis-py, with hiredis as its parser, as a client of the p99 rig: bench/peers/README.md has the contract.

Threads, not asyncio. asyncio's timers have the resolution of epoll, a millisecond, and its clients lend a connection to
each outstanding command, with a task for each message. Here the pacing thread writes to one connection, and a second
thread reads the answers from it: both wait in system calls, without the interpreter's lock.
"""

import array
import os
import queue
import sys
import threading

import hiredis
import redis
import redis.backoff
import redis.retry

from contract import FAILED, LEAD_NS, NO_PROGRESS_S, Mark, Plan, now_ns, print_result, sharpen_timer, sleep_until
from contract import watchdog, write_words

# A subscriber ends after so long without a message.
QUIET_S = 3
# How soon a thread that wakes may ask for the interpreter; the default of 5 ms is a stall for the other thread.
SWITCH_INTERVAL_S = 50e-6
progress = 0


def connect(plan, timeout_s):
    # decode_responses stays off: payloads are bytes. The retries that redis-py adds could send a message twice.
    retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    return redis.Redis(plan.host, plan.port, socket_timeout=timeout_s, retry=retry)


def ack(plan):
    """Open loop. Everything that is due goes out in one write, and no write waits for an answer."""
    global progress
    connection = connect(plan, NO_PROGRESS_S).connection_pool.get_connection()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    latencies = array.array("Q", [FAILED]) * plan.total
    late = array.array("Q", bytes(8 * plan.total))
    schedule, total = plan.schedule, plan.total
    started = queue.SimpleQueue()

    def read_answers():
        global progress
        start_ns = started.get()
        for message in range(total):
            try:
                connection.read_response()
                latencies[message] = now_ns() - start_ns - schedule[message]
            except redis.ResponseError:
                pass  # It stays FAILED.
            except redis.RedisError as error:
                print(error, file=sys.stderr)
                os._exit(1)
            progress += 1

    reader = threading.Thread(target=read_answers, daemon=True)
    reader.start()
    mark = Mark()
    start_ns = now_ns() + LEAD_NS
    started.put(start_ns)
    sent = 0
    while sent < total:
        if sent == plan.warmup:
            mark = Mark()
        sleep_until(start_ns + schedule[sent])
        commands = []
        end = total if sent >= plan.warmup else plan.warmup
        while sent < end and (lag := now_ns() - start_ns - schedule[sent]) >= 0:
            late[sent] = lag
            commands.append(("PUBLISH", plan.channel(sent), plan.payload(sent)))
            sent += 1
        connection.send_packed_command(connection.pack_commands(commands), check_health=False)
    reader.join()
    passed = mark.elapsed()
    write_words(plan.out, latencies[plan.warmup :])
    write_words(plan.out + ".late", late[plan.warmup :])
    return latencies[plan.warmup :].count(FAILED), passed


def flood(plan):
    """One pipeline of the window's size after the other."""
    server = connect(plan, NO_PROGRESS_S)
    mark = Mark()
    failed = 0
    for begin, end in ((0, plan.warmup), (plan.warmup, plan.total)):
        mark = Mark()
        failed = sum(pipeline(plan, server, at, min(at + plan.window, end)) for at in range(begin, end, plan.window))
    return failed, mark.elapsed()


def pipeline(plan, server, begin, end):
    global progress
    commands = server.pipeline(transaction=False)
    for message in range(begin, end):
        commands.publish(plan.channel(message), plan.payload(message))
    answers = commands.execute(raise_on_error=False)
    progress += 1
    return sum(isinstance(answer, Exception) for answer in answers)


def subscribe(plan):
    global progress
    subscription = connect(plan, QUIET_S).pubsub()
    subscription.subscribe(*plan.channels)
    for _ in plan.channels:
        subscription.parse_response()
    print("ready", flush=True)
    # As PubSub.listen reads, but with the socket's own timeout.
    connection = subscription.connection
    latencies = array.array("Q")
    mark = Mark()
    while len(latencies) < plan.total:
        try:
            answer = connection.read_response(disconnect_on_error=False, push_request=True)
        except redis.TimeoutError:
            if latencies:
                break
            continue
        now = now_ns()
        if answer[0] != b"message":
            continue
        try:
            latencies.append(max(0, now - int(answer[2][:16], 16)))
        except ValueError:
            latencies.append(FAILED)
        progress += 1
        if len(latencies) == plan.warmup:
            mark = Mark()
    passed = mark.elapsed()
    latencies.extend([FAILED] * (plan.total - len(latencies)))
    write_words(plan.out, latencies[plan.warmup :])
    return latencies[plan.warmup :].count(FAILED), passed


SETTINGS = {
    "ack": [
        "one connection",
        "a thread paces and writes",
        "a thread reads",
        f"switch interval {SWITCH_INTERVAL_S * 1e6:.0f} us",
    ],
    "flood": ["pipeline(transaction=False)"],
    "subscribe": ["PubSub, read by Connection.read_response"],
}


def main():
    try:
        plan = Plan(sys.argv[1:])
        run = {"ack": ack, "flood": flood, "subscribe": subscribe}[plan.mode]
    except (KeyError, ValueError, OSError) as error:
        sys.exit(f"the command line: {error!r}")
    sharpen_timer()
    threading.Thread(target=watchdog, args=(lambda: progress,), daemon=True).start()
    try:
        failed, passed = run(plan)
    except (redis.RedisError, OSError) as error:
        sys.exit(str(error))
    settings = SETTINGS[plan.mode] + [f"hiredis {hiredis.__version__}"]
    print_result(plan, redis.__version__, settings, failed, passed)


if __name__ == "__main__":
    main()
