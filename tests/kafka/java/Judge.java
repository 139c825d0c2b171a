import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AccessControlEntryFilter;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourcePatternFilter;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What Kafka's own clients and tools say of a cluster. Argument: its bootstrap list.
 *
 * <pre>
 *   read TOPIC                  record PARTITION OFFSET CreateTime|LogAppendTime TIMESTAMP KEY VALUE [KEY VALUE]..
 *   dump FILE                   what DumpLogSegments prints of a log segment
 *   produce TOPIC CODEC COUNT   after that so many lines KEY VALUE:  sent PARTITION OFFSET, one for each
 *   grow TOPIC COUNT            makes it have so many partitions
 *   delete TOPIC                deletes it
 *   forbid TOPIC                lets nobody write to it
 *   allow TOPIC                 takes that back
 * </pre>
 *
 * Each answer ends with a line "end", or "error" and why. Bytes are "x" and hexadecimal digits, null is "-". The JVM
 * takes a second to start: hence one for many questions.
 */
public final class Judge {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Duration POLL = Duration.ofMillis(200);
    private static final HexFormat HEX = HexFormat.of();

    private final String bootstrap;
    private final BufferedReader questions;
    private final PrintStream answers;

    private Judge(String bootstrap) {
        this.bootstrap = bootstrap;
        questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        answers = System.out;
    }

    public static void main(String[] args) throws IOException {
        new Judge(args[0]).work();
        Runtime.getRuntime().halt(0);
    }

    private void work() throws IOException {
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            String[] words = line.split(" ");
            try {
                switch (words[0]) {
                    case "read" -> read(words[1]);
                    case "dump" -> kafka.tools.DumpLogSegments.main(
                            new String[] {"--deep-iteration", "--print-data-log", "--files", words[1]});
                    case "produce" -> produce(words[1], words[2], Integer.parseInt(words[3]));
                    case "grow" -> grow(words[1], Integer.parseInt(words[2]));
                    case "delete" -> delete(words[1]);
                    case "forbid" -> forbid(words[1]);
                    case "allow" -> allow(words[1]);
                    default -> throw new IllegalArgumentException("what is " + line + "?");
                }
                answers.println("end");
            } catch (Exception error) {
                answers.println("error " + error.toString().replace('\n', ' '));
            }
            answers.flush();
        }
    }

    /** Every record that is there now. */
    private void read(String topic) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "max.poll.records", 10_000);
        var bytes = new ByteArrayDeserializer();
        try (var consumer = new KafkaConsumer<byte[], byte[]>(settings, bytes, bytes)) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(topic, PATIENCE)
                    .forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions, PATIENCE);
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (!ends.entrySet().stream().allMatch(
                    end -> consumer.position(end.getKey(), PATIENCE) >= end.getValue())) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("the end of " + topic + " was not reached");
                }
                consumer.poll(POLL).forEach(this::print);
            }
        }
    }

    private void print(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder line = new StringBuilder("record ").append(record.partition());
        line.append(' ').append(record.offset()).append(' ').append(record.timestampType());
        line.append(' ').append(record.timestamp());
        line.append(' ').append(hex(record.key())).append(' ').append(hex(record.value()));
        for (Header header : record.headers()) {
            line.append(' ').append(hex(header.key().getBytes(StandardCharsets.UTF_8)));
            line.append(' ').append(hex(header.value()));
        }
        answers.println(line);
    }

    /** With the default partitioner. */
    private void produce(String topic, String codec, int count) throws Exception {
        Map<String, Object> settings =
                Map.of("bootstrap.servers", bootstrap, "compression.type", codec, "linger.ms", 20);
        var bytes = new ByteArraySerializer();
        try (var producer = new KafkaProducer<byte[], byte[]>(settings, bytes, bytes)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int left = count; left > 0; left--) {
                String[] words = questions.readLine().split(" ");
                sent.add(producer.send(new ProducerRecord<>(topic, bytes(words[0]), bytes(words[1]))));
            }
            for (Future<RecordMetadata> one : sent) {
                RecordMetadata metadata = one.get();
                answers.println("sent " + metadata.partition() + " " + metadata.offset());
            }
        }
    }

    private void grow(String topic, int count) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(count))).all().get();
        }
    }

    private void delete(String topic) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.deleteTopics(List.of(topic)).all().get();
        }
    }

    private void forbid(String topic) throws Exception {
        // A topic with a list of its own is nobody's but for what the list allows.
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createAcls(List.of(
                            rule(topic, AclOperation.WRITE, AclPermissionType.DENY),
                            rule(topic, AclOperation.READ, AclPermissionType.ALLOW),
                            rule(topic, AclOperation.DESCRIBE, AclPermissionType.ALLOW)))
                    .all()
                    .get();
        }
    }

    private void allow(String topic) throws Exception {
        ResourcePatternFilter pattern = new ResourcePatternFilter(ResourceType.TOPIC, topic, PatternType.LITERAL);
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.deleteAcls(List.of(new AclBindingFilter(pattern, AccessControlEntryFilter.ANY))).all().get();
        }
    }

    private static AclBinding rule(String topic, AclOperation operation, AclPermissionType permission) {
        ResourcePattern pattern = new ResourcePattern(ResourceType.TOPIC, topic, PatternType.LITERAL);
        return new AclBinding(pattern, new AccessControlEntry("User:*", "*", operation, permission));
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? "-" : "x" + HEX.formatHex(bytes);
    }

    private static byte[] bytes(String text) {
        return text.equals("-") ? null : HEX.parseHex(text, 1, text.length());
    }
}
