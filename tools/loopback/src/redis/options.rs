//! What a server is started with, and its bounds.

/// Redis' hard limit for clients with subscriptions (`client-output-buffer-limit pubsub 32mb 8mb 60`).
const PUBSUB_OUTPUT_MAX: usize = 32 * 1024 * 1024;
/// ... and its soft limit: more than this
const PUBSUB_SOFT_MAX: usize = 8 * 1024 * 1024;
/// ... for more than this.
const PUBSUB_SOFT_NS: u64 = 60_000_000_000;

/// Redis does not limit other clients' output by default. A server inside somebody's process does: a peer
/// that pipelines `GET` and never reads is closed here.
const REPLY_OUTPUT_MAX: usize = 256 * 1024 * 1024;

/// Redis' `client-query-buffer-limit` is 1 GiB; the largest message of the library is a quarter of its
/// 64 MiB ring at most, so that this is four of them.
const INPUT_MAX: usize = 64 * 1024 * 1024;

/// Redis' `proto-max-bulk-len`.
const BULK_MAX: usize = 512 * 1024 * 1024;

/// Redis' `maxclients`.
const CLIENTS_MAX: usize = 10_000;

/// Keys and values, with [`super::keyspace::KEY_OVERHEAD`] each: enough for tests of `SET`, which is not what
/// this server is for.
const STORED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Names of channels and patterns with an overhead each: a million subscriptions with names of 64 bytes.
const SUBSCRIPTION_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Journalled messages with an overhead each: what a simulated run publishes between two looks is far less.
const JOURNAL_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Offsets into a client's input are 32 bits wide.
const INPUT_CEILING: usize = 1024 * 1024 * 1024;

/// A user of the server, allowed everything.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// As in `AUTH name password`; `default` is not one of these.
    pub name: String,
    /// The only password accepted.
    pub password: String,
}

/// How a server is started. The default is Redis' own: no password, RESP3, nothing journalled.
#[derive(Clone)]
pub struct Options {
    /// The password of the user `default` (Redis' `requirepass`). Without it every connection is
    /// authenticated from the start.
    pub password: Option<String>,
    /// Further users.
    pub users: Vec<User>,
    /// False: `HELLO` is an unknown command and `AUTH` takes one argument, as before Redis 6.
    pub resp3: bool,
    /// Keep every executed `PUBLISH` for [`take_executed`](super::Server::take_executed). While the journal is
    /// full (see [`Limits::journal_bytes_max`]) `PUBLISH` is refused, so that it never lies.
    pub journal: bool,
    /// A client with subscriptions that has more unsent bytes than this is closed. Default: Redis' 32 MB.
    pub output_buffer_max: usize,
    /// What `CLIENT INFO` shows as `laddr`.
    pub local_addr: String,
    /// Bounds that are seldom changed.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            password: None,
            users: Vec::new(),
            resp3: true,
            journal: false,
            output_buffer_max: PUBSUB_OUTPUT_MAX,
            local_addr: String::from("127.0.0.1:6379"),
            limits: Limits::default(),
        }
    }
}

impl Options {
    pub(super) fn clamped(mut self) -> Self {
        self.limits.input_max = self.limits.input_max.min(INPUT_CEILING);
        self.limits.bulk_max = self.limits.bulk_max.min(BULK_MAX);
        self
    }
}

/// The server's bounds; nothing in it grows beyond them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// More unsent bytes than this for longer than [`pubsub_soft_ns`](Self::pubsub_soft_ns) close a client
    /// with subscriptions. Default: Redis' 8 MB. Judged when output is added.
    pub pubsub_soft_max: usize,
    /// Nanoseconds. Default: Redis' 60 s.
    pub pubsub_soft_ns: u64,
    /// A client without subscriptions that has this many unsent bytes is closed. Default: 256 MB.
    pub reply_output_max: usize,
    /// A client whose unfinished command is longer than this is closed without a reply. Default: 64 MB, at
    /// most 1 GB.
    pub input_max: usize,
    /// A longer argument is a protocol error. Default and maximum: Redis' 512 MB.
    pub bulk_max: usize,
    /// Clients beyond these are refused. Default: Redis' 10 000.
    pub clients_max: usize,
    /// Bytes of keys and values from which on `SET` answers `OOM`. Default: 64 MB.
    pub stored_bytes_max: usize,
    /// Bytes of subscriptions' names from which on `SUBSCRIBE` is refused. Default: 256 MB.
    pub subscription_bytes_max: usize,
    /// Bytes of journalled messages from which on `PUBLISH` is refused. Default: 256 MB.
    pub journal_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pubsub_soft_max: PUBSUB_SOFT_MAX,
            pubsub_soft_ns: PUBSUB_SOFT_NS,
            reply_output_max: REPLY_OUTPUT_MAX,
            input_max: INPUT_MAX,
            bulk_max: BULK_MAX,
            clients_max: CLIENTS_MAX,
            stored_bytes_max: STORED_BYTES_MAX,
            subscription_bytes_max: SUBSCRIPTION_BYTES_MAX,
            journal_bytes_max: JOURNAL_BYTES_MAX,
        }
    }
}
