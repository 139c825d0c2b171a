import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A broker that ends when its standard input does: however the test process ends, the broker follows.
 *
 * Arguments: the folder of the node, which holds server.properties; the cluster's id. The log folder is formatted
 * when it is empty. The same JVM does both: starting another one for the format would take a second more.
 */
public final class Node {
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

    private static void endWithInput(Path cluster) {
        try {
            while (System.in.read() >= 0) {
                // Nothing is ever said.
            }
        } catch (IOException error) {
            // It has ended as well.
        }
        try {
            // By another process, which outlives this one: a broker whose files vanish ends itself half-way.
            new ProcessBuilder("rm", "-rf", cluster.toString()).start();
        } catch (IOException error) {
            System.err.println("cannot remove " + cluster + ": " + error);
        }
        Runtime.getRuntime().halt(0);
    }
}
