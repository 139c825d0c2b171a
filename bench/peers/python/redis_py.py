"""redis-py, with hiredis as its parser, as a client of the p99 rig: bench/peers/README.md has the contract.

Threads, not asyncio. asyncio's timers have the resolution of epoll, a millisecond, and its clients lend a connection to
each outstanding command, with a task for each message. Here the pacing thread writes to one connection, and a second
thread reads the answers from it: both wait in system calls, without the interpreter's lock.
"""

import array
import ctypes
import json
import os
import queue
import resource
import sys
import threading
import time

import hiredis
import redis
import redis.backoff
import redis.retry

# Between the start of the schedule and its first message.
LEAD_NS = 10_000_000
# The rig's bound for a program that hears nothing.
NO_PROGRESS_S = 60
# A subscriber ends after so long without a message.
QUIET_S = 3
# How soon a thread that wakes may ask for the interpreter; the default of 5 ms is a stall for the other thread.
SWITCH_INTERVAL_S = 50e-6
# What stands in --out for a message without an answer.
FAILED = 2**64 - 1
CLOCK_MONOTONIC, TIMER_ABSTIME, PR_SET_TIMERSLACK = 1, 1, 29

libc = ctypes.CDLL(None, use_errno=True)
now_ns = time.monotonic_ns
progress = 0


class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class Plan:
    """What one run has to do, from the command line and the files that it names."""

    def __init__(self, words):
        given = dict(zip(words[::2], words[1::2]))

        def number(name, least):
            value = int(given[name])
            if value < least:
                raise ValueError(f"{name} {value}: at least {least}")
            return value

        self.client, self.mode, self.tuning = given["--client"], given["--mode"], given["--tuning"]
        self.host, _, port = given["--address"].rpartition(":")
        self.port = int(port)
        self.messages, self.warmup = number("--messages", 1), number("--warmup", 0)
        self.total, self.window = self.messages + self.warmup, number("--window", 1)
        self.channels = [f"rig.{channel}" for channel in range(number("--channels", 1))]
        if self.tuning not in ("latency", "throughput"):
            raise ValueError(f"--tuning {self.tuning}: latency or throughput")
        if self.mode != "flood":
            self.out = given["--out"]
        if self.mode != "subscribe":
            size = number("--bytes", 1)
            with open(given["--payloads"], "rb") as file:
                records = file.read()
            self.payloads = [records[at : at + size] for at in range(0, len(records) - size + 1, size)]
            if not self.payloads:
                raise ValueError("--payloads: less than one record of --bytes")
        if self.mode == "ack":
            self.schedule = array.array("Q")
            with open(given["--schedule"], "rb") as file:
                self.schedule.frombytes(file.read())
            if len(self.schedule) < self.total:
                raise ValueError(f"--schedule: {len(self.schedule)} of {self.total} times")

    def channel(self, message):
        return self.channels[message % len(self.channels)]

    def payload(self, message):
        return self.payloads[message % len(self.payloads)]

    def connect(self, timeout_s):
        # decode_responses stays off: payloads are bytes. The retries that redis-py adds could send a message twice.
        retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        return redis.Redis(self.host, self.port, socket_timeout=timeout_s, retry=retry)


class Mark:
    """Where the measured part began."""

    def __init__(self):
        self.at_ns, self.cpu_ns = now_ns(), cpu_ns()

    def elapsed(self):
        return now_ns() - self.at_ns, cpu_ns() - self.cpu_ns


def cpu_ns():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return int((usage.ru_utime + usage.ru_stime) * 1e9)


def sleep_until(due_ns):
    due = Timespec(*divmod(due_ns, 1_000_000_000))
    while due_ns > now_ns():
        # Interrupted: once more. The call lets the other thread have the interpreter.
        libc.clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, ctypes.byref(due), None)


def watchdog():
    seen, since = progress, time.monotonic()
    while time.monotonic() - since <= NO_PROGRESS_S:
        time.sleep(1)
        if progress != seen:
            seen, since = progress, time.monotonic()
    print(f"no progress for {NO_PROGRESS_S} s: gave up", file=sys.stderr)
    os._exit(1)


def ack(plan):
    """Open loop. Everything that is due goes out in one write, and no write waits for an answer."""
    global progress
    connection = plan.connect(NO_PROGRESS_S).connection_pool.get_connection()
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
    server = plan.connect(NO_PROGRESS_S)
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
    subscription = plan.connect(QUIET_S).pubsub()
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


def write_words(path, words):
    if sys.byteorder == "big":
        words.byteswap()
    with open(path, "wb") as file:
        words.tofile(file)


def max_rss_kib():
    """The high-water mark of this program's own memory: ru_maxrss would begin with that of the process that forked it."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


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
    if libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) != 0:
        sys.exit("the timer slack could not be set")
    threading.Thread(target=watchdog, daemon=True).start()
    try:
        failed, (elapsed_ns, spent_ns) = run(plan)
    except (redis.RedisError, OSError) as error:
        sys.exit(str(error))
    settings = SETTINGS[plan.mode] + [f"hiredis {hiredis.__version__}"]
    result = {"client": plan.client, "version": redis.__version__, "settings": settings, "messages": plan.messages}
    result |= {"failed": failed, "elapsed_ns": elapsed_ns, "cpu_ns": spent_ns, "max_rss_kib": max_rss_kib()}
    print(json.dumps(result, separators=(",", ":")))


if __name__ == "__main__":
    main()
