import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * Kafka's own Java producer as a client of the p99 rig: bench/peers/README.md has the contract.
 *
 * <p>ack: one thread paces and sends; the library's thread calls back. flood: one thread sends, and waits inside `send`
 * when the library's memory is full.
 */
public final class KafkaClients {
    private static final String TOPIC = "rig";
    private static final long SECOND_NS = 1_000_000_000L;
    /** Between the start of the schedule and its first message. */
    private static final long LEAD_NS = SECOND_NS / 100;
    /** The rig's bound for a program that hears nothing. */
    private static final long NO_PROGRESS_NS = 60 * SECOND_NS;
    /** How long one look at the progress lasts. */
    private static final long LOOK_NS = SECOND_NS / 100;
    /** In --out, a message without an answer. */
    private static final long FAILED = -1;

    private final Map<String, String> given;
    private final int messages, warmup, total;
    private final byte[][] payloads, keys;
    private final KafkaProducer<byte[], byte[]> producer;
    private final AtomicLong answered = new AtomicLong(), failed = new AtomicLong();
    private volatile long lastNs;
    private long startNs, markNs, markCpuNs;
    private long[] schedule, latencies;

    private KafkaClients(Map<String, String> given) throws IOException {
        this.given = given;
        messages = number("--messages", 1);
        warmup = number("--warmup", 0);
        total = messages + warmup;
        payloads = records(Files.readAllBytes(Path.of(text("--payloads"))), number("--bytes", 1));
        keys = new byte[number("--channels", 1)][];
        for (int key = 0; key < keys.length; key++) keys[key] = ("rig." + key).getBytes(StandardCharsets.US_ASCII);
        Properties settings = new Properties();
        settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, text("--address"));
        settings.put(ProducerConfig.ACKS_CONFIG, "all");
        settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "true");
        settings.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, given.getOrDefault("--compression", "none"));
        if (given.containsKey("--linger")) settings.put(ProducerConfig.LINGER_MS_CONFIG, given.get("--linger"));
        producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private String text(String name) {
        String value = given.get(name);
        if (value == null) throw new IllegalArgumentException(name + " is missing");
        return value;
    }

    private int number(String name, int least) {
        int value = Integer.parseInt(text(name));
        if (value < least) throw new IllegalArgumentException(name + " " + value + ": at least " + least);
        return value;
    }

    private static byte[][] records(byte[] file, int bytes) {
        byte[][] records = new byte[file.length / bytes][];
        if (records.length == 0) throw new IllegalArgumentException("--payloads: less than one record of --bytes");
        for (int record = 0; record < records.length; record++)
            records[record] = Arrays.copyOfRange(file, record * bytes, (record + 1) * bytes);
        return records;
    }

    private void send(int message) {
        ProducerRecord<byte[], byte[]> record =
                new ProducerRecord<>(TOPIC, keys[message % keys.length], payloads[message % payloads.length]);
        producer.send(record, (position, error) -> settle(message, error));
    }

    /** On the library's one thread. */
    private void settle(int message, Exception error) {
        int counted = message - warmup;
        if (error != null) {
            if (counted >= 0) failed.incrementAndGet();
        } else if (counted >= 0 && latencies != null) {
            long now = System.nanoTime();
            latencies[counted] = now - startNs - schedule[message];
            lastNs = now;
        }
        answered.lazySet(answered.getPlain() + 1);
    }

    private void mark() {
        markNs = System.nanoTime();
        markCpuNs = cpuNs();
    }

    private static long cpuNs() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }

    /** Waits until so many have their answer. */
    private void waitFor(int count) {
        long seen = -1, seenNs = System.nanoTime();
        while (answered.get() < count) {
            long now = System.nanoTime();
            if (answered.get() != seen) {
                seen = answered.get();
                seenNs = now;
            } else if (now - seenNs > NO_PROGRESS_NS) {
                throw new IllegalStateException("no answer for 60 s");
            }
            LockSupport.parkNanos(LOOK_NS);
        }
    }

    private void flood() {
        for (int message = 0; message < warmup; message++) send(message);
        producer.flush();
        waitFor(warmup);
        mark();
        for (int message = warmup; message < total; message++) send(message);
        producer.flush();
        waitFor(total);
        print("one thread sends, and flushes at the end", System.nanoTime());
    }

    private void ack() throws IOException {
        schedule = words(Path.of(text("--schedule")));
        if (schedule.length < total) throw new IllegalArgumentException("--schedule: too few times");
        latencies = new long[messages];
        Arrays.fill(latencies, FAILED);
        long[] lates = new long[messages];
        // The topic's metadata is fetched before the clock starts.
        producer.partitionsFor(TOPIC);
        sharpenTimer();
        mark();
        startNs = System.nanoTime() + LEAD_NS;
        for (int message = 0; message < total; message++) {
            long due = startNs + schedule[message];
            for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) LockSupport.parkNanos(left);
            if (message == warmup) mark();
            if (message >= warmup) lates[message - warmup] = System.nanoTime() - due;
            send(message);
        }
        waitFor(total);
        write(Path.of(text("--out")), latencies);
        write(Path.of(text("--out") + ".late"), lates);
        print("one thread paces and sends, the library's calls back", lastNs);
    }

    /** The kernel rounds this thread's sleeps up by its timer slack: 1 ns instead of 50 µs, where it may be set. */
    private static void sharpenTimer() {
        try {
            Path thread = Files.readSymbolicLink(Path.of("/proc/thread-self")).getFileName();
            Files.writeString(Path.of("/proc", thread.toString(), "timerslack_ns"), "1");
        } catch (IOException refused) {
            // Sleeps are later then, and the lateness says so.
        }
    }

    private static long[] words(Path path) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
        long[] words = new long[bytes.remaining() / Long.BYTES];
        bytes.asLongBuffer().get(words);
        return words;
    }

    private static void write(Path path, long[] words) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(words.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asLongBuffer().put(words);
        Files.write(path, bytes.array());
    }

    /** The high-water mark of this program's own memory. */
    private static long maxRssKib() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status")))
                if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("[^0-9]", ""));
        } catch (IOException absent) {
            // Then it is not known.
        }
        return 0;
    }

    private void print(String ways, long endNs) {
        long cpuNs = cpuNs() - markCpuNs;
        String linger = given.containsKey("--linger") ? "linger.ms " + given.get("--linger") : "its own linger.ms";
        String compression = "compression " + given.getOrDefault("--compression", "none");
        System.out.printf(
                "{\"client\":\"kafka-clients\",\"version\":\"%s\",\"settings\":[\"%s\",\"%s\",\"%s\",\"Java %s\"],"
                        + "\"messages\":%d,\"failed\":%d,\"elapsed_ns\":%d,\"cpu_ns\":%d,\"max_rss_kib\":%d}%n",
                AppInfoParser.getVersion(), ways, linger, compression, System.getProperty("java.version"), messages,
                failed.get(), endNs - markNs, cpuNs, maxRssKib());
    }

    public static void main(String[] words) {
        Map<String, String> given = new HashMap<>();
        for (int word = 0; word + 1 < words.length; word += 2) given.put(words[word], words[word + 1]);
        try {
            KafkaClients client = new KafkaClients(given);
            switch (client.text("--mode")) {
                case "ack" -> client.ack();
                case "flood" -> client.flood();
                default -> throw new IllegalArgumentException("--mode is ack or flood");
            }
            System.out.flush();
            // What is not closed here ends with the process.
            Runtime.getRuntime().halt(0);
        } catch (IOException | RuntimeException error) {
            System.err.println(error);
            Runtime.getRuntime().halt(1);
        }
    }
}
