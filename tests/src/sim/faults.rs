//! What goes wrong with an endpoint, and when.

use ringwire_core::{MILLISECOND_NS, Role};

use super::random::Random;

/// One thing that goes wrong at one endpoint for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) endpoint: usize,
    pub(crate) at_ns: u64,
    pub(crate) lasts_ns: u64,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The connection of this role (none: both) breaks, and the client is told.
    Break { role: Option<Role> },
    /// The connection stays, but nothing arrives any more and nobody is told. When it ends, what is in the air
    /// arrives, unless the path is gone for good.
    Freeze { role: Option<Role>, for_good: bool },
    /// New connections break before or soon after their greeting is done.
    Flap,
    /// Connects are refused.
    Refuse,
    /// Connects are not answered.
    Hang,
    /// Connects succeed, but nobody ever answers.
    Mute,
    /// The process ends, and is back without its state when the fault ends.
    Crash,
    /// The process restarts at once with another password, and with the right one when the fault ends.
    OtherPassword,
    /// The process executes nothing.
    Pause,
    /// A command is answered with an error.
    Inject { command: &'static str, error: &'static str },
    /// The server loads its data.
    Loading,
    /// A script holds the server up.
    Busy,
    /// The server's disk refuses snapshots.
    Misconf,
    /// The server takes so many clients and no more.
    Full { clients_max: usize },
    /// The server is a replica.
    Demote,
    /// The server is a replica without its primary.
    MasterDown,
    /// Everything takes as long as a timeout.
    Slow,
    /// The server ends a subscription by itself.
    Unsubscribe,
    /// New connections lie.
    Lie,
}

/// A text that no small ring has room for.
const LONG_ERROR: &str = concat!(
    "NOPERM this user has no permissions to access one of the channels used as arguments; ",
    "the rules of this server are long, and it likes to tell all of them to everyone who asks: ",
    "first, nobody subscribes before noon; second, nobody subscribes after noon; third, see the first; ",
    "fourth, whoever reads on to the fourth rule may ask the administrator for a fifth; fifth, granted; ",
    "sixth, the administrator answers letters only, and those only in the morning, see the first again"
);

/// What a server says that cannot take messages for now.
const PUBLISH_FAULTS: [(&str, &str); 2] =
    [("publish", "OOM"), ("publish", "MISCONF Errors writing to the AOF file: No space left on device")];

/// Commands and the errors that they are answered with.
pub(crate) const INJECTIONS: [(&str, &str); 18] = [
    ("publish", "NOPERM this user has no permissions to run the 'publish' command"),
    ("publish", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("subscribe", "NOPERM no permissions to access one of the channels used as arguments"),
    ("subscribe", LONG_ERROR),
    ("psubscribe", LONG_ERROR),
    ("psubscribe", "NOPERM no permissions to access one of the channels used as arguments"),
    ("unsubscribe", "NOPERM this user has no permissions to run the 'unsubscribe' command"),
    ("punsubscribe", "NOPERM this user has no permissions to run the 'punsubscribe' command"),
    ("unsubscribe", "NOPERM"),
    ("client|kill", "NOPERM this user has no permissions to run the 'client|kill' command"),
    ("client|kill", "ERR unknown subcommand 'KILL'. Try CLIENT HELP."),
    ("client|info", "ERR unknown subcommand 'INFO'. Try CLIENT HELP."),
    ("ping", "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
    ("ping", "NOPERM this user has no permissions to run the 'ping' command"),
    ("role", "NOPERM this user has no permissions to run the 'role' command"),
    ("hello", "ERR unknown command 'HELLO', with args beginning with: '3' "),
    ("hello", "WRONGPASS invalid username-password pair or user is disabled."),
    ("client|setname", "ERR unknown subcommand 'SETNAME'. Try CLIENT HELP."),
];

impl Kind {
    /// Whether a server with this fault may turn connections away by an error.
    pub(crate) fn refuses(self) -> bool {
        match self {
            Self::Inject { command, .. } => !matches!(command, "publish"),
            Self::OtherPassword
            | Self::Loading
            | Self::Busy
            | Self::Misconf
            | Self::Full { .. }
            | Self::Demote
            | Self::MasterDown => true,
            _ => false,
        }
    }
}

/// Chooses what goes wrong with one endpoint between two times.
pub(crate) fn choose(
    random: &mut Random,
    endpoint: usize,
    hostile: bool,
    tempo_ns: u64,
    from_ns: u64,
    until_ns: u64,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let most = 3 + (until_ns - from_ns) / (5 * tempo_ns);
    for _ in 0..random.between(1, most) {
        let at_ns = random.between(from_ns, until_ns - 1);
        let longest = random.pick(&[tempo_ns / 2, tempo_ns * 4, tempo_ns * 12]);
        let lasts_ns = random.between(MILLISECOND_NS, longest).min(until_ns - at_ns);
        let kind = choose_kind(random, hostile);
        // Found out by a `ROLE` now and then.
        let least_ns = if matches!(kind, Kind::Demote | Kind::MasterDown) { tempo_ns * 12 } else { 0 };
        let lasts_ns = lasts_ns.max(least_ns).min(until_ns - at_ns);
        faults.push(Fault { endpoint, at_ns, lasts_ns, kind });
        let shows_when_connecting =
            matches!(kind, Kind::Inject { .. } | Kind::Flap | Kind::OtherPassword | Kind::Full { .. });
        if shows_when_connecting && random.percent(70) {
            let at_ns = if kind == Kind::Flap { at_ns } else { at_ns + random.below(lasts_ns) };
            faults.push(Fault { endpoint, at_ns, lasts_ns: 0, kind: Kind::Break { role: None } });
        }
    }
    faults
}

fn choose_kind(random: &mut Random, hostile: bool) -> Kind {
    if hostile && random.percent(50) {
        return Kind::Lie;
    }
    let role = random.pick(&[None, Some(Role::Publish), Some(Role::Publish), Some(Role::Subscribe)]);
    match random.below(44) {
        27..30 => Kind::Flap,
        30..34 => Kind::Busy,
        34..36 => Kind::Loading,
        36 => Kind::Misconf,
        37..39 => Kind::Full { clients_max: random.index(2) },
        39 => Kind::MasterDown,
        // A server that greets, and then takes no message.
        40..44 => {
            let (command, error) = random.pick(&PUBLISH_FAULTS);
            Kind::Inject { command, error }
        }
        0..4 => Kind::Break { role },
        4..9 => Kind::Freeze { role, for_good: random.percent(30) },
        9..11 => Kind::Refuse,
        11 => Kind::Hang,
        12 => Kind::Mute,
        13..15 => Kind::Crash,
        15 => Kind::OtherPassword,
        16..18 => Kind::Pause,
        18..23 => {
            let (command, error) = random.pick(&INJECTIONS);
            Kind::Inject { command, error }
        }
        23 => Kind::Loading,
        24 => Kind::Demote,
        25 => Kind::Slow,
        _ => Kind::Unsubscribe,
    }
}
