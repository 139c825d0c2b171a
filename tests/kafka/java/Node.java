import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryNotEmptyException;
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
    private static final int REMOVE_ATTEMPTS = 10;

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        Thread guard = new Thread(() -> endWithInput(folder), "end-with-input");
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
        // The broker is still running, and may make a file in a folder that was emptied just now.
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
        try {
            // The cluster's; the last of its nodes finds it empty.
            Files.deleteIfExists(folder.getParent());
        } catch (IOException error) {
            return true;
        }
        return true;
    }
}
