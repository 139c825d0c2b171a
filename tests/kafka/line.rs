//! The lines of Kafka that we are tested against, and the Java programs that go with them.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The oldest line that is still in use, and the newest.
const VERSIONS: [&str; 2] = ["3.9.1", "4.1.1"];
/// Names the versions to test with, with commas between; without it all of them.
const CHOICE: &str = "TEST_KAFKA";
/// What a broker and the clients need, where we set it.
const JAVA: &str = "java 17 or later on PATH, with javac (apt-get install default-jdk-headless)";
/// Fast to start, which matters more here than to be fast after minutes; and small.
const JAVA_OPTIONS: [&str; 4] = [
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];

const SOURCES: [(&str, &str); 2] =
    [("Node.java", include_str!("java/Node.java")), ("Judge.java", include_str!("java/Judge.java"))];

/// A version of Kafka whose jars are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) version: &'static str,
}

/// Those to test with.
pub(crate) fn lines() -> Vec<Line> {
    let choice = std::env::var(CHOICE).unwrap_or_else(|_| VERSIONS.join(","));
    let known = |word: &str| VERSIONS.into_iter().find(|version| *version == word);
    let line = |word: &str| Line {
        version: known(word).unwrap_or_else(|| panic!("{CHOICE}={choice}: expected some of {VERSIONS:?}")),
    };
    choice.split(',').map(line).collect()
}

impl Line {
    /// A folder of jars.
    fn library(self) -> PathBuf {
        let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
        let folder = cache.join("ringwire").join(format!("kafka-{}", self.version));
        let version = self.version;
        assert!(
            folder.is_dir(),
            "Kafka {version} is not in {}: `tests/kafka/fetch {version}` gets it",
            folder.display()
        );
        folder
    }

    /// `java`, with Kafka and our programs to be found, and memory of so many MiB at most. Its compressors unpack their
    /// native libraries into `scratch`: by default they would stay in the system's folder for such files.
    pub(crate) fn java(self, memory_max_mib: u32, scratch: &Path) -> Command {
        let class_path = format!("{}:{}/*", self.classes().display(), self.library().display());
        let mut java = Command::new("java");
        java.arg(format!("-Xmx{memory_max_mib}m")).args(JAVA_OPTIONS).args(["-cp", &class_path]);
        for name in ["java.io.tmpdir", "org.xerial.snappy.tempdir"] {
            java.arg(format!("-D{name}={}", scratch.display()));
        }
        java
    }

    /// Our programs compiled, a folder for each text of them.
    fn classes(self) -> PathBuf {
        static COMPILING: Mutex<()> = Mutex::new(());
        let mut hasher = DefaultHasher::new();
        (self.version, SOURCES).hash(&mut hasher);
        let name = format!("kafka-judges-{:016x}", hasher.finish());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _alone = COMPILING.lock();
        if !folder.is_dir() {
            self.compile(&folder);
        }
        folder
    }

    fn compile(self, folder: &Path) {
        // Renamed when it is complete: other test processes may do the same just now.
        let draft = folder.with_extension(std::process::id().to_string());
        fs::create_dir_all(&draft).expect("the folder for the tests' files can be written");
        for (name, text) in SOURCES {
            fs::write(draft.join(name), text).expect("a source file can be written");
        }
        let output = Command::new("javac")
            .args(["--release", "17", "-d"])
            .arg(&draft)
            .args(["-cp", &format!("{}/*", self.library().display())])
            .args(SOURCES.map(|(name, _)| draft.join(name)))
            .output()
            .unwrap_or_else(|error| panic!("javac: {error}; these tests need {JAVA}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        if fs::rename(&draft, folder).is_err() {
            // Somebody was faster.
            let _ = fs::remove_dir_all(&draft);
        }
    }
}
