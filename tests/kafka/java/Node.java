import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;

/**
 * A broker that ends when its standard input does: however the test process ends, the broker follows.
 *
 * Arguments: the folder of the node, which holds server.properties; the cluster's id. The log folder is formatted
 * when it is empty. The same JVM does both: starting another one for the format would take a second more.
 */
public final class Node {
    /** Each of them walks the whole folder; the first or second one succeeds. */
    private static final int REMOVE_ATTEMPTS = 100;

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        // The cluster's: all nodes end together, but for those that a test has killed, which can remove nothing.
        Path cluster = folder.toAbsolutePath().getParent();
        Thread guard = new Thread(() -> endWithInput(cluster), "end-with-input");
        guard.setDaemon(true);
        guard.start();
        String properties = folder.resolve("server.properties").toString();
        if (!Files.exists(folder.resolve("log").resolve("meta.properties"))) {
            String[] format = {"format", "--cluster-id", args[1], "--config", properties};
            int code = kafka.tools.StorageTool.execute(format, System.out);
            if (code != 0) {
                System.exit(code);
            }
        }
        kafka.Kafka.main(new String[] {properties});
    }

    private static void endWithInput(Path folder) {
        try {
            while (System.in.read() >= 0) {
                // Nothing is ever said.
            }
        } catch (IOException error) {
            // It has ended as well.
        }
        // Brokers are still running, and may make a file in a folder that was emptied just now.
        for (int attempt = 0; attempt < REMOVE_ATTEMPTS && !removed(folder); attempt++) {
            Thread.onSpinWait();
        }
        Runtime.getRuntime().halt(0);
    }

    private static boolean removed(Path folder) {
        try (var found = Files.walk(folder)) {
            List<Path> paths = found.sorted(Comparator.reverseOrder()).toList();
            for (Path path : paths) {
                Files.deleteIfExists(path);
            }
        } catch (IOException | UncheckedIOException error) {
            return !Files.exists(folder);
        }
        return true;
    }
}
