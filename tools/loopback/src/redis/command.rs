//! The command table, and what Redis checks before a command executes.
//!
//! ```text
//! name, subcommand -> arity -> NOAUTH -> (injected error) -> OOM -> MISCONF -> READONLY -> subscriber mode
//!                  -> MASTERDOWN -> LOADING -> BUSY -> run
//! ```

use super::request::Args;
use super::{Role, Server, Slot};
use super::{client_command, connection, introspection, keyspace, pubsub};

/// One command on its way through a handler.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) slot: Slot,
    pub(super) now_ns: u64,
    pub(super) args: Args<'a>,
}

type Handler = fn(&mut Server, Call<'_>);

enum Run {
    Handler(Handler),
    /// The second argument chooses.
    Subcommands(&'static [Command]),
}

struct Command {
    /// In lower case.
    name: &'static str,
    /// `name`, or `container|name`: how errors and `CLIENT LIST` call it.
    full_name: &'static str,
    /// The number of arguments, the name among them; negative: at least so many.
    arity: i32,
    flags: u8,
    run: Run,
}

/// Before authentication, too.
const NO_AUTH: u8 = 1;
/// While loading, and on a replica without its primary, too: all commands here have both of Redis' flags or neither.
const LOADING: u8 = 2;
/// By RESP2 clients with subscriptions, too.
const SUBSCRIBED: u8 = 4;
/// Not on a replica.
const WRITE: u8 = 8;
/// Not while memory is full.
const DENY_OOM: u8 = 16;
/// While a script holds up the server, too.
const BUSY: u8 = 32;
/// Not while the disk refuses what has been written. Beside the commands that write it is `PING`, so that
/// somebody notices.
const MISCONF: u8 = 64;

const fn command(name: &'static str, arity: i32, flags: u8, run: Handler) -> Command {
    Command { name, full_name: name, arity, flags, run: Run::Handler(run) }
}

const fn subcommand(name: &'static str, full_name: &'static str, arity: i32, run: Handler) -> Command {
    Command { name, full_name, arity, flags: LOADING, run: Run::Handler(run) }
}

const fn container(name: &'static str, subcommands: &'static [Command]) -> Command {
    Command { name, full_name: name, arity: -2, flags: 0, run: Run::Subcommands(subcommands) }
}

/// Searched from the front, so the hot command stands first. Arities and flags: Redis 7.0's `COMMAND INFO`.
static COMMANDS: &[Command] = &[
    command("publish", 3, LOADING, pubsub::publish),
    command("ping", -1, SUBSCRIBED | MISCONF, connection::ping),
    command("subscribe", -2, LOADING | SUBSCRIBED, pubsub::subscribe),
    command("psubscribe", -2, LOADING | SUBSCRIBED, pubsub::psubscribe),
    command("unsubscribe", -1, LOADING | SUBSCRIBED, pubsub::unsubscribe),
    command("punsubscribe", -1, LOADING | SUBSCRIBED, pubsub::punsubscribe),
    container("pubsub", PUBSUB),
    container("client", CLIENT),
    command("hello", -1, NO_AUTH | LOADING | BUSY, connection::hello),
    command("auth", -2, NO_AUTH | LOADING | BUSY, connection::auth),
    command("select", 2, LOADING, connection::select),
    command("echo", 2, LOADING, connection::echo),
    command("quit", -1, NO_AUTH | LOADING | SUBSCRIBED | BUSY, connection::quit),
    command("reset", 1, NO_AUTH | LOADING | SUBSCRIBED | BUSY, connection::reset),
    command("get", 2, 0, keyspace::get),
    command("set", -3, WRITE | DENY_OOM | MISCONF, keyspace::set),
    command("del", -2, WRITE | MISCONF, keyspace::del),
    command("exists", -2, 0, keyspace::exists),
    command("role", 1, LOADING, introspection::role),
    command("info", -1, LOADING, introspection::info),
    command("command", -1, LOADING, introspection::command),
];

static PUBSUB: &[Command] = &[
    subcommand("channels", "pubsub|channels", -2, pubsub::channels),
    subcommand("numsub", "pubsub|numsub", -2, pubsub::numsub),
    subcommand("numpat", "pubsub|numpat", 2, pubsub::numpat),
];

static CLIENT: &[Command] = &[
    subcommand("reply", "client|reply", 3, client_command::reply),
    subcommand("id", "client|id", 2, client_command::id),
    subcommand("info", "client|info", 2, client_command::info),
    subcommand("list", "client|list", -2, client_command::list),
    subcommand("kill", "client|kill", -3, client_command::kill),
    subcommand("getname", "client|getname", 2, client_command::name),
    subcommand("setname", "client|setname", 3, client_command::set_name),
    subcommand("no-evict", "client|no-evict", 3, client_command::no_evict),
];

const MISCONF_ERROR: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that \
     may modify the data set are disabled, because this instance is configured to report errors during writes if \
     RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the \
     RDB error.";
const MASTERDOWN_ERROR: &str =
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
const BUSY_ERROR: &str =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";

/// Errors quote at most this much of a name, and of all arguments together, as Redis' formats do.
const QUOTED_MAX: usize = 128;

impl Server {
    /// Executes one command: checks it as Redis does, in Redis' order, and replies.
    pub(super) fn execute(&mut self, now_ns: u64, slot: Slot, args: Args<'_>) {
        let name = args.at(0);
        if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
            // A browser was made to send commands here: Redis hangs up on it.
            return self.kill(slot);
        }
        let found = self.lookup(args);
        self.clients.at_mut(slot).last_command = found.as_ref().map_or("NULL", |(name, _)| name);
        match found {
            Ok((full_name, command)) => match self.refusal(slot, full_name, command, args.len()) {
                None => {
                    if let Run::Handler(run) = command.run {
                        run(self, Call { slot, now_ns, args });
                    }
                }
                Some(error) => self.clients.reply(slot).error(&error),
            },
            Err(error) => self.clients.reply(slot).error_bytes(&error),
        }
    }

    /// The command that `args` name, or the text of the error.
    fn lookup(&self, args: Args<'_>) -> Result<(&'static str, &'static Command), Vec<u8>> {
        let command = find(COMMANDS, args.at(0))
            .filter(|command| self.options.resp3 || command.name != "hello")
            .ok_or_else(|| unknown_command(args))?;
        match command.run {
            Run::Subcommands(subcommands) if args.len() > 1 => match find(subcommands, args.at(1)) {
                Some(command) => Ok((command.full_name, command)),
                None => Err(unknown_subcommand(command.name, args)),
            },
            Run::Handler(_) | Run::Subcommands(_) => Ok((command.full_name, command)),
        }
    }

    /// Why `command` cannot be executed for this client now.
    fn refusal(&self, slot: Slot, full_name: &str, command: &Command, args: usize) -> Option<String> {
        let client = self.clients.at(slot);
        let allows = |flag: u8| command.flags & flag != 0;
        let wrong_arity = if command.arity < 0 {
            args < command.arity.unsigned_abs() as usize
        } else {
            args != command.arity.unsigned_abs() as usize
        };
        if wrong_arity {
            return Some(wrong_number_of_arguments(full_name));
        }
        if !client.authenticated && !allows(NO_AUTH) {
            return Some("NOAUTH Authentication required.".into());
        }
        if !self.injected.is_empty()
            && let Some(error) = self.injected.get(full_name)
        {
            return Some(error.clone());
        }
        if allows(DENY_OOM) && self.keyspace.bytes() > self.options.limits.stored_bytes_max {
            return Some("OOM command not allowed when used memory > 'maxmemory'.".into());
        }
        if allows(MISCONF) && self.misconf {
            return Some(MISCONF_ERROR.into());
        }
        let is_replica = self.role == Role::Replica;
        if allows(WRITE) && is_replica {
            return Some("READONLY You can't write against a read only replica.".into());
        }
        if !allows(SUBSCRIBED) && !client.resp3 && client.subscriptions() > 0 {
            return Some(format!(
                "ERR Can't execute '{full_name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
                 are allowed in this context"
            ));
        }
        if self.master_down && is_replica && !allows(LOADING) {
            return Some(MASTERDOWN_ERROR.into());
        }
        if self.loading && !allows(LOADING) {
            return Some("LOADING Redis is loading the dataset in memory".into());
        }
        if self.busy && !allows(BUSY) {
            return Some(BUSY_ERROR.into());
        }
        None
    }
}

pub(super) fn wrong_number_of_arguments(full_name: &str) -> String {
    format!("ERR wrong number of arguments for '{full_name}' command")
}

fn find(commands: &'static [Command], name: &[u8]) -> Option<&'static Command> {
    commands.iter().find(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
}

fn unknown_command(args: Args<'_>) -> Vec<u8> {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(quoted(args.at(0), QUOTED_MAX));
    text.extend_from_slice(b"', with args beginning with: ");
    let mut quoted_args = Vec::new();
    for arg in args.from(1) {
        if quoted_args.len() >= QUOTED_MAX {
            break;
        }
        let room = QUOTED_MAX - quoted_args.len();
        quoted_args.push(b'\'');
        quoted_args.extend_from_slice(quoted(arg, room));
        quoted_args.extend_from_slice(b"' ");
    }
    text.extend_from_slice(&quoted_args);
    text
}

fn unknown_subcommand(container: &str, args: Args<'_>) -> Vec<u8> {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend_from_slice(quoted(args.at(1), QUOTED_MAX));
    text.extend_from_slice(b"'. Try ");
    text.extend_from_slice(container.to_ascii_uppercase().as_bytes());
    text.extend_from_slice(b" HELP.");
    text
}

/// What Redis prints of an argument: it ends at a NUL, as C strings do.
pub(super) fn quoted(arg: &[u8], max: usize) -> &[u8] {
    let end = arg.iter().take(max).position(|byte| *byte == 0).unwrap_or(arg.len().min(max));
    &arg[..end]
}
