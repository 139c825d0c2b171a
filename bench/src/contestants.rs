//! Who can take part, and where its program is.

use std::path::{Path, PathBuf};

use crate::client::Mode;
use crate::results::Absent;
use crate::server::on_path;

/// A program that obeys the contract, or `redis-benchmark`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contestant {
    pub(crate) name: String,
    /// The program, and what comes before the contract's own arguments.
    pub(crate) words: Vec<String>,
    pub(crate) is_foreign: bool,
}

/// Foreign clients, as `bench/peers` calls them.
pub(crate) const PEERS: [&str; 6] = ["redis-rs", "fred", "hiredis", "rueidis", "go-redis", "redis-py"];
/// Comes with Redis, with arguments of its own: floods alone.
pub(crate) const BENCHMARK: &str = "redis-benchmark";
/// What a call costs from C: ways of one program, `bench/peers/c/publish_cost.c`.
pub(crate) const C_CALLS: [&str; 5] =
    ["C publish", "C claim", "rd_kafka_produce", "redisAppendCommand", "C empty region"];
/// That program.
pub(crate) const C_CALLER: &str = "publish-cost";
/// Where `bench/peers/install` puts programs, from the root of the checkout.
const INSTALLED: &str = "bench/peers/.installed";

impl Contestant {
    /// The rig itself: all of its latency is lateness.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.name.as_str(), "null" | "null-sleep")
    }

    /// Whether it can do that at all.
    pub(crate) fn can(&self, mode: Mode) -> bool {
        match self.name.as_str() {
            BENCHMARK => mode == Mode::Flood,
            name if C_CALLS.contains(&name) => mode == Mode::Cost,
            _ => mode == Mode::Ack || !self.is_null(),
        }
    }
}

/// Contestants of this program, then the foreign ones that are installed; and those that are not.
pub(crate) fn find(peers: Option<&Path>, own: &[String]) -> (Vec<Contestant>, Vec<Absent>) {
    let mut found: Vec<Contestant> =
        ["ringwire", "floor", "null", "null-sleep"].map(|name| inside(name, own)).into();
    let mut absent = Vec::new();
    let folders = folders(peers);
    for name in PEERS {
        match program(&folders, name) {
            Some(program) => found.push(foreign(name, &program)),
            None => absent.push(Absent {
                name: name.to_owned(),
                why: format!("not installed: bench/peers/install {name}"),
            }),
        }
    }
    match program(&folders, C_CALLER) {
        Some(program) => found.extend(C_CALLS.map(|name| foreign(name, &program))),
        None => absent.push(Absent {
            name: "the C ABI beside rd_kafka_produce and redisAppendCommand".to_owned(),
            why: format!("not installed: bench/peers/install {C_CALLER}"),
        }),
    }
    match on_path(BENCHMARK) {
        Some(program) => found.push(foreign(BENCHMARK, &program)),
        None => absent.push(Absent {
            name: BENCHMARK.to_owned(),
            why: "not on PATH: it comes with redis-tools (Debian) or redis (Fedora)".to_owned(),
        }),
    }
    (found, absent)
}

/// A contestant of this program.
pub(crate) fn inside(name: &str, own: &[String]) -> Contestant {
    Contestant { name: name.to_owned(), words: [own, &["client".to_owned()]].concat(), is_foreign: false }
}

/// The program of a client that `bench/peers/install` has installed.
pub(crate) fn installed(peers: Option<&Path>, name: &str) -> Option<PathBuf> {
    program(&folders(peers), name)
}

pub(crate) fn foreign(name: &str, program: &Path) -> Contestant {
    Contestant {
        name: name.to_owned(),
        words: vec![program.to_string_lossy().into_owned()],
        is_foreign: true,
    }
}

/// Where programs of `bench/peers` may lie: as told, or in the checkout that this was built or started in.
fn folders(peers: Option<&Path>) -> Vec<PathBuf> {
    if let Some(folder) = peers {
        return vec![folder.to_path_buf()];
    }
    let places = [std::env::current_dir().ok(), std::env::current_exe().ok()];
    let above = places.iter().flatten().flat_map(|place| place.ancestors());
    above.map(|folder| folder.join(INSTALLED)).filter(|folder| folder.is_dir()).collect()
}

fn program(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    let inside = folders.iter().flat_map(|folder| [folder.join(name), folder.join("bin").join(name)]);
    inside.into_iter().find(|file| file.is_file()).or_else(|| on_path(&format!("ringwire-peer-{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_installed_is_named() {
        let own = ["program".to_owned(), "bench".to_owned()];
        let (found, absent) = find(Some(Path::new("/nowhere")), &own);
        let names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names[..4], ["ringwire", "floor", "null", "null-sleep"]);
        assert_eq!(found[0].words, ["program", "bench", "client"]);
        for peer in PEERS {
            let words = absent.iter().find(|it| it.name == peer).map(|it| it.why.as_str());
            assert!(
                names.contains(&peer) || words.is_some_and(|it| it.contains("bench/peers/install")),
                "{peer}"
            );
        }
    }
}
