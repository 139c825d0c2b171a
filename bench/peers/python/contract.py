"""What the Python clients of the p99 rig share of its contract: bench/peers/README.md has it."""

import array
import ctypes
import json
import os
import resource
import sys
import time

# Between the start of the schedule and its first message.
LEAD_NS = 10_000_000
# The rig's bound for a program that hears nothing.
NO_PROGRESS_S = 60
# What stands in --out for a message without an answer.
FAILED = 2**64 - 1
CLOCK_MONOTONIC, TIMER_ABSTIME, PR_SET_TIMERSLACK = 1, 1, 29

libc = ctypes.CDLL(None, use_errno=True)
now_ns = time.monotonic_ns


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
        self.address = given["--address"]
        self.host, _, port = self.address.rpartition(":")
        self.port = int(port)
        self.messages, self.warmup = number("--messages", 1), number("--warmup", 0)
        self.total, self.window = self.messages + self.warmup, number("--window", 1)
        # Of Kafka's clients.
        self.compression, self.linger = given.get("--compression", "none"), given.get("--linger")
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


def watchdog(progress):
    """Ends the program when what `progress` answers has not moved for too long."""
    seen, since = progress(), time.monotonic()
    while time.monotonic() - since <= NO_PROGRESS_S:
        time.sleep(1)
        if progress() != seen:
            seen, since = progress(), time.monotonic()
    print(f"no progress for {NO_PROGRESS_S} s: gave up", file=sys.stderr)
    os._exit(1)


def sharpen_timer():
    """Sleeps of this thread, and of those that it starts, are rounded up by 1 ns instead of 50 us."""
    if libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) != 0:
        sys.exit("the timer slack could not be set")


def write_words(path, words):
    if sys.byteorder == "big":
        words.byteswap()
    with open(path, "wb") as file:
        words.tofile(file)


def max_rss_kib():
    """The high-water mark of this program's own memory: ru_maxrss would begin with that of the process that forked it."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def print_result(plan, version, settings, failed, passed):
    elapsed_ns, spent_ns = passed
    result = {"client": plan.client, "version": version, "settings": settings, "messages": plan.messages}
    result |= {"failed": failed, "elapsed_ns": elapsed_ns, "cpu_ns": spent_ns, "max_rss_kib": max_rss_kib()}
    print(json.dumps(result, separators=(",", ":")))
