//! The installed library, and programs that are compiled against it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use ringwire_tests::patience::until;

/// All that a careful host turns on.
const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wconversion"];

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_path_buf()
}

/// Where these tests write.
fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("capi")
}

/// The library, installed once for all tests.
pub(crate) fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = scratch().join("prefix");
        let _ = std::fs::remove_dir_all(scratch());
        let profile = std::env::var("TEST_CAPI_PROFILE").unwrap_or_else(|_| "dev".to_owned());
        let mut install = Command::new(root().join("tools/install-capi"));
        install.arg("--prefix").arg(&prefix).args(["--profile", &profile]);
        run(&mut install);
        prefix
    })
}

/// How a program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linking {
    Shared,
    Static,
    /// Not at all: the program loads it by itself.
    Loaded,
}

/// A compiler and a standard: `.c` files are C11, others C++17.
pub(crate) struct Build<'a> {
    pub(crate) compiler: &'a str,
    pub(crate) linking: Linking,
    pub(crate) flags: &'a [&'a str],
    pub(crate) libraries: &'a [&'a str],
}

impl Build<'_> {
    /// As most hosts do.
    pub(crate) const PLAIN: Build<'static> =
        Build { compiler: "gcc", linking: Linking::Shared, flags: &[], libraries: &[] };

    /// Compiles a source of the checkout, without a warning; answers the program.
    pub(crate) fn program(&self, source: &str) -> PathBuf {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = prefix();
        let program = scratch().join(format!("program-{number}"));
        let standard = if source.ends_with(".c") { "-std=c11" } else { "-std=c++17" };
        let mut command = Command::new(self.compiler);
        command.current_dir(root()).args([standard, "-g", "-O1"]).args(WARNINGS).args(self.flags);
        command.arg("-I").arg(prefix.join("include")).arg(source).arg("-o").arg(&program);
        match self.linking {
            Linking::Shared => {
                let lib = prefix.join("lib");
                command.arg("-L").arg(&lib).arg("-lringwire").arg(format!("-Wl,-rpath,{}", lib.display()));
            }
            Linking::Static => {
                command.arg(prefix.join("lib/libringwire.a")).args(["-lgcc_s", "-lm", "-ldl"]);
            }
            Linking::Loaded => {}
        }
        command.args(self.libraries).arg("-lpthread");
        run(&mut command);
        program
    }
}

/// Runs a command that must succeed; answers what it printed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs what is missing"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// A program that runs beside the test, and ends with it.
pub(crate) struct Running {
    child: Child,
    said: PathBuf,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let said = scratch().join(format!("said-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let file = std::fs::File::create(&said).expect("a file can be made");
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a file can be had twice")).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, said }
    }

    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// Waits until it has said that.
    pub(crate) fn wait_for(&mut self, words: &str) {
        let mut ended = None;
        until("a program's words", || {
            ended = self.child.try_wait().expect("a child can be asked");
            ended.is_some() || self.said().contains(words)
        });
        assert!(self.said().contains(words), "{ended:?}: {}", self.said());
    }

    /// Waits until it ends well; answers what it said.
    pub(crate) fn finish(mut self) -> String {
        let status = self.child.wait().expect("a child ends");
        assert!(status.success(), "{status}: {}", self.said());
        self.said()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
