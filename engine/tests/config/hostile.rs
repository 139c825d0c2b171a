//! Files that nobody meant as a configuration: each gets an error in one line, soon, and nothing panics.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ringwire::config::FILE_BYTES_MAX;
use ringwire::{Config, Settings};

use crate::{MAIN, TWO, read};

/// A folder that is removed with its files.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ringwire-config-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_of_every_kind() {
    let folder = Folder::new("kinds");
    let check = |name: &str, content: &[u8], expected: &str| {
        let path = folder.0.join(name);
        fs::write(&path, content).expect("a temporary file can be written");
        check_path(&path.display().to_string(), expected);
    };
    check("empty", b"", "");
    check("crlf", b"[engine]\r\nidle = 'park'\r\n", "");
    check("bom", b"\xef\xbb\xbf[engine]\nidle = 'park'\n", "");
    check(
        "bom-line",
        b"\xef\xbb\xbf[engine]\nidle = 'nap'\n",
        ":2: engine.idle = \"nap\": expected busy-spin, spin-then-park, park or moderate",
    );
    check("nul", b"[engine]\nidle = \"\0\"", ":2:9: not TOML: ");
    check("nul-outside", b"\0\0\0\0", ":1:5: not TOML: ");
    check("binary", b"\x7fELF\x02\x01\x01\0\xff\xfe", ": line 1 is not UTF-8 text; expected TOML");
    check("latin", b"[engine]\n\n# \xe9t\xe9\n", ": line 3 is not UTF-8 text; expected TOML");
    check("cr", b"[engine]\ridle = 'park'", ":1:10: not TOML: ");
    let large = vec![b'#'; FILE_BYTES_MAX as usize + 1];
    check("large", &large, ": larger than 1048576 bytes; expected a configuration file");
    check("full", &large[1..], "");
}

#[test]
fn paths_that_are_no_files() {
    let folder = Folder::new("paths");
    let path = |name: &str| folder.0.join(name).display().to_string();
    check_path(&folder.0.display().to_string(), ": is a directory; expected a configuration file");
    check_path(&path("missing"), ": cannot be read: ");
    fs::write(folder.0.join("file"), "").expect("a temporary file can be written");
    check_path(&path("file/below"), ": cannot be read: ");
    check_path("", "\"\": cannot be read: ");
    check_path("/dev/zero", ": is not a regular file; expected a configuration file");
    let made = Command::new("mkfifo").arg(path("fifo")).status().expect("mkfifo can be run");
    assert!(made.success());
    check_path(&path("fifo"), ": is not a regular file; expected a configuration file");
    // Sparse: it costs no disk, and must cost no memory.
    let sparse = fs::File::create(folder.0.join("sparse")).expect("a temporary file can be made");
    sparse.set_len(1 << 40).expect("it can be sparse");
    check_path(&path("sparse"), ": larger than 1048576 bytes; expected a configuration file");
}

/// `expected` follows the path in the error; none is an acceptable file.
fn check_path(path: &str, expected: &str) {
    match Settings::new().read_file(path).and_then(|settings| settings.config()) {
        Ok(_) => assert_eq!(expected, "", "{path} is accepted"),
        Err(error) => {
            let error = error.to_string();
            let rest = error.strip_prefix(path).unwrap_or(&error);
            assert!(
                !expected.is_empty() && rest.starts_with(expected) && error.lines().count() == 1,
                "{error}"
            );
        }
    }
}

/// Text that is far too much of something, on a thread with little stack.
#[test]
fn too_much_of_anything() {
    let dotted = ["'='"; 13].join(" . ");
    let deepest =
        format!("[{dotted}]\n{dotted} = {}1{}", format!("{{{dotted} = ").repeat(78), "}".repeat(78));
    let many = |count: usize, line: fn(usize) -> String| (0..count).map(line).collect::<String>();
    let check = |text: String, expected: &str| {
        let read = move || Config::from_toml(&text).err().map(|error| error.to_string());
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(read);
        let error = thread.expect("a thread starts").join().expect("nothing panics");
        let error = error.unwrap_or_default();
        assert!(error.contains(expected) && error.lines().count() == 1, "{error:?}, expected {expected:?}");
        assert!(error.chars().count() < ERROR_LEN_MAX, "{error}");
    };
    check("[".repeat(100_000), "not TOML");
    check(format!("a = {}", "[".repeat(100_000)), "nested too deeply");
    check(format!("a = {}", "{a = ".repeat(100_000)), "nested too deeply");
    check(format!("a{} = 1", ".a".repeat(100_000)), "nested too deeply");
    check(format!("[a{}]", ".a".repeat(100_000)), "nested too deeply");
    check(deepest, "no such section");
    check(format!("{} = 1", ["a"; 14].join(".")), "nested too deeply");
    check(format!("[engine]\nidle = '{}'", "x".repeat(1_000_000)), "engine.idle = \"xxx");
    check(format!("[engine]\n{} = 1", "x".repeat(1_000_000)), "engine.xxx");
    check(format!("[engine]\ncores = [{}]", "1,".repeat(500_000)), "engine.cores = [1, 1");
    check(many(10_000, |index| format!("[endpoint.e{index}]\nurl = 'redis://h'\n")), "at most 100 endpoints");
    check(many(20_000, |_| "[[route]]\nchannels = 'a'\nto = []\n".to_owned()), "at most 1000 routes");
    check(many(50_000, |index| format!("k{index} = 1\n")), "k0: no such setting");
    check(format!("[engine]\n{}", many(50_000, |index| format!("ide{index} = 1\n"))), "engine.ide0");
    check(format!("{MAIN}url2 = \"\\n\\u0007\"\n'a\\nb' = 1"), "endpoint.main.");
}

/// A small thread's; the main thread has sixteen times as much.
const STACK_BYTES: usize = 512 << 10;
/// Key, value and origin are cut at 100 characters each.
const ERROR_LEN_MAX: usize = 600;

#[test]
fn problems_are_bounded() {
    let file: String = (0..10_000).map(|index| format!("k{index} = 1\n")).collect();
    assert_eq!(read(&file, &[], &[]).unwrap().problems().len(), 100);
}

/// A small generator of our own: a failure is repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Enough to meet most places of the text with most mutations, and done in seconds.
const ROUNDS: u64 = 10_000;
/// What settings are made of.
const PIECES: [&str; 32] = [
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "'",
    "\"",
    "\"\"\"",
    "#",
    "\n",
    "\r",
    "\u{0}",
    "\u{feff}",
    "ü",
    "-1",
    "1e9",
    "99999999999999999999",
    "true",
    "route",
    "engine",
    "endpoint",
    "main",
    "url",
    "redis://",
    ":@",
    "%",
    "?db=",
    "\u{2028}",
];
const SECRET: &str = "hunter2";

#[test]
fn mutated_files_are_read_or_refused_in_one_line() {
    let valid = format!(
        "{TWO}external_only = true\n[engine]\ncores = [1, 2]\nidle = \"park\"\nring_bytes = 65_536\n[endpoint.third]\n\
         password = '{SECRET}'\nurl = 'redis://bot:{SECRET}@[::1]:7/3?socket_timeout=1.5'\n"
    );
    let mut accepted = 0;
    for seed in 1..=ROUNDS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut text: Vec<char> = valid.chars().collect();
        for _ in 0..=random.below(4) {
            mutate(&mut text, &mut random);
        }
        let text: String = text.into_iter().collect();
        let settings = match Settings::new().read_toml(&text, "a.toml") {
            Ok(settings) => settings,
            Err(error) => {
                let error = error.to_string();
                assert!(error.starts_with("a.toml:") && error.lines().count() == 1, "seed {seed}: {error:?}");
                continue;
            }
        };
        for problem in settings.problems() {
            let line = problem.to_string();
            assert!(line.lines().count() == 1 && !line.contains(char::is_control), "seed {seed}: {line:?}");
        }
        if let Ok(config) = settings.config() {
            accepted += 1;
            let shown = config.to_toml();
            assert!(
                Config::from_toml(&shown).is_ok(),
                "seed {seed}: {:?} in\n{shown}",
                Config::from_toml(&shown)
            );
        }
    }
    assert!(accepted > 0 && accepted < ROUNDS, "{accepted}");
}

fn mutate(text: &mut Vec<char>, random: &mut Random) {
    let at = random.below(text.len().max(1)).min(text.len());
    let end = (at + random.below(6)).min(text.len());
    match random.below(4) {
        0 => drop(text.drain(at..end)),
        1 => {
            let piece: Vec<char> = PIECES[random.below(PIECES.len())].chars().collect();
            text.splice(at..at, piece);
        }
        2 => {
            let piece: Vec<char> = PIECES[random.below(PIECES.len())].chars().collect();
            text.splice(at..end, piece);
        }
        _ => {
            let copied: Vec<char> = text[at..end].to_vec();
            let to = random.below(text.len() + 1);
            text.splice(to..to, copied);
        }
    }
}
