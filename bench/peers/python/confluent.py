"""confluent-kafka as a client of the p99 rig: bench/peers/README.md has the contract.

ack: one thread paces and produces, another one polls, on which the delivery reports call back. flood: one thread does
both, and polls when the library's queue is full.
"""

import array
import sys
import threading

import confluent_kafka

from contract import FAILED, LEAD_NS, Mark, Plan, now_ns, print_result, sharpen_timer, sleep_until, watchdog, write_words

TOPIC = "rig"
# How long one wait for delivery reports lasts.
POLL_S = 0.1
# How soon a thread that wakes may ask for the interpreter; the default of 5 ms is a stall for the other thread.
SWITCH_INTERVAL_S = 50e-6
METADATA_S = 60

answered = failed = 0


class Client:
    def __init__(self, plan):
        settings = {"bootstrap.servers": plan.address, "enable.idempotence": True, "acks": "all"}
        settings["compression.codec"] = plan.compression
        if plan.linger is not None:
            settings["linger.ms"] = plan.linger
        self.plan, self.producer = plan, confluent_kafka.Producer(settings)
        self.keys = [channel.encode() for channel in plan.channels]
        self.producer.list_topics(TOPIC, METADATA_S)

    def produce(self, message, on_delivery):
        """Hands a message over, and answers reports while the library's queue is full."""
        while True:
            try:
                key, value = self.keys[message % len(self.keys)], self.plan.payload(message)
                return self.producer.produce(TOPIC, value, key, on_delivery=on_delivery)
            except BufferError:
                self.producer.poll(POLL_S)


def flood(plan):
    client = Client(plan)

    def told(error, _):
        global answered, failed
        answered += 1
        failed += error is not None

    mark = Mark()
    for begin, end in ((0, plan.warmup), (plan.warmup, plan.total)):
        mark, before = Mark(), failed
        for message in range(begin, end):
            client.produce(message, told)
            if message % 1000 == 0:
                client.producer.poll(0)
        while answered < end:
            client.producer.poll(POLL_S)
    return failed - before, mark.elapsed()


def ack(plan):
    client = Client(plan)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    latencies = array.array("Q", [FAILED]) * plan.total
    late = array.array("Q", bytes(8 * plan.total))
    start_ns = 0

    def teller(message):
        def told(error, _):
            global answered
            if error is None:
                latencies[message] = now_ns() - start_ns - plan.schedule[message]
            answered += 1

        return told

    def serve():
        while answered < plan.total:
            client.producer.poll(POLL_S)

    reports = threading.Thread(target=serve, daemon=True)
    mark = Mark()
    start_ns = now_ns() + LEAD_NS
    reports.start()
    for message in range(plan.total):
        due_ns = start_ns + plan.schedule[message]
        sleep_until(due_ns)
        if message == plan.warmup:
            mark = Mark()
        late[message] = now_ns() - due_ns
        client.produce(message, teller(message))
    reports.join()
    passed = mark.elapsed()
    write_words(plan.out, latencies[plan.warmup :])
    write_words(plan.out + ".late", late[plan.warmup :])
    return latencies[plan.warmup :].count(FAILED), passed


SETTINGS = {
    "ack": ["a thread paces and produces", "a thread polls", f"switch interval {SWITCH_INTERVAL_S * 1e6:.0f} us"],
    "flood": ["one thread produces and polls"],
}


def main():
    try:
        plan = Plan(sys.argv[1:])
        run = {"ack": ack, "flood": flood}[plan.mode]
    except (KeyError, ValueError, OSError) as error:
        sys.exit(f"the command line: {error!r}")
    sharpen_timer()
    threading.Thread(target=watchdog, args=(lambda: answered,), daemon=True).start()
    try:
        failed, passed = run(plan)
    except (confluent_kafka.KafkaException, OSError) as error:
        sys.exit(str(error))
    linger = "its own linger.ms" if plan.linger is None else f"linger.ms {plan.linger}"
    settings = SETTINGS[plan.mode] + [linger, f"compression {plan.compression}", f"librdkafka {confluent_kafka.libversion()[0]}"]
    print_result(plan, confluent_kafka.__version__, settings, failed, passed)


if __name__ == "__main__":
    main()
