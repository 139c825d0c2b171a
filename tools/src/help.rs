//! The long texts of `--help`.

pub(crate) const ABOUT: &str = "\
Hands messages to Redis through rings, and says exactly what became of each.

Ringwire is a library for programs that must not wait for a broker: they write a message into a ring in tens of \
nanoseconds, and a shard, a thread with its own connections, sends it and reports the outcome. This command shows \
the library at work. Nothing has to be installed for it: without --redis it brings a small Redis of its own.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  ringwire demo
      ten seconds of real EUR/USD quotes at 20,000 a second, out to a Redis and back, with latencies
  ringwire demo --redis redis://127.0.0.1:6379 --rate 50000
      the same through a Redis of yours
  ringwire replay quotes.csv --channel fx.eurusd --redis redis://127.0.0.1:6379
      publishes each line of a file as fast as it is acknowledged, and accounts for each
  ringwire replay quotes.csv --channel fx.eurusd --redis redis://127.0.0.1 --speed real
      publishes it with the gaps between the times that it was recorded with

Exit codes: 0 all went well; 1 it did not, and standard error says why; 2 the command line is wrong.";

pub(crate) const DEMO: &str = "\
Real quotes out to a Redis and back, with latencies.

One thread publishes EUR/USD quotes into a ring at a fixed rate. A shard takes them out, publishes them to a Redis \
over RESP, and receives them again through a subscription; they come back through another ring. Each quote carries \
its number as one more column, so that the demo can check that each one arrives as it was sent.

Latency is counted open loop: message i is due at start + i / rate, whatever happened before it, and its latency \
begins then, even if the publisher itself was late. It ends when the shard reads the acknowledgement from the socket, \
and when it reads the message that comes back. The shard reads its clock once per duty cycle (a turn around its rings \
and sockets, some microseconds), so each figure is exact to one such cycle.

A message that is refused is counted and not tried again: the next one is due. The demo succeeds if every accepted \
message has exactly one outcome (delivered, not sent or unknown) and everything delivered was received, or told to \
the subscriber as a gap.";

pub(crate) const DEMO_EXAMPLES: &str = "\
Examples:
  ringwire demo
  ringwire demo --redis redis://127.0.0.1:6379 --rate 100000 --seconds 30
  ringwire demo --json | jq .ack_ns.p99";

pub(crate) const REPLAY: &str = "\
Publishes the lines of a file on a channel, and accounts for each.

A message is a line as it stands, without its line end (LF or CRLF); bytes are bytes, and an empty line is an empty \
message. The first line is taken for the header and is not sent, unless --no-header says otherwise. The file is read \
as it is sent: its size does not matter. A line may have up to 1 MiB (1048576 bytes).

A refusal (no room, no credit, not connected) is waited out, and the replay goes on when the server is back. Nothing \
is ever sent twice: a PUBLISH that was handed to the network and not answered may have been executed, and its \
subscribers cannot recognise a duplicate. So it ends as *unknown*, and what certainly did not go out before the \
connection was lost as *not sent*. The exit code is 0 only if every line was delivered, which for PUBLISH means that \
the server executed it, with or without subscribers.

Times (for --speed real and --speed N) are numbers that count seconds, milliseconds, microseconds or nanoseconds \
since 1970, with or without a fraction, or dates and times as in 2020-01-01T22:00:00.065Z: with a T or a blank, with \
or without a fraction, with an offset, a Z or nothing (then it is UTC). The unit of numbers is guessed from the first \
that is not 0: below 100,000,000,000 it is seconds, and each further factor of 1,000 is the next finer unit. A line \
whose time lies before an earlier one's is sent at once, and counted.

Latency is counted from the time at which a line was due (at --speed max: was first offered) to the acknowledgement, \
on the shard's clock, which is read once per duty cycle (some microseconds).";

pub(crate) const REPLAY_EXAMPLES: &str = "\
Examples:
  ringwire replay quotes.csv --channel fx.eurusd --redis redis://127.0.0.1:6379
  ringwire replay quotes.csv --channel fx.eurusd --redis redis://127.0.0.1 --speed 10 --time-column ts_ns
  ringwire replay lines.txt --no-header --channel log --redis redis://127.0.0.1 --rate 1000
  ringwire replay quotes.csv --channel fx.eurusd --json | jq .delivered";

pub(crate) const DEMO_REDIS: &str = "\
The Redis to go through: redis://[user:password@]host[:port][/db] or unix:///path/to.sock. Without it a small Redis \
inside this process is used";

pub(crate) const REPLAY_REDIS: &str = "\
The Redis to publish to: redis://[user:password@]host[:port][/db] or unix:///path/to.sock. Without it a small Redis \
inside this process takes the messages, and nobody hears them";

pub(crate) const TIME_COLUMN: &str = "\
The column that holds the time, by its name in the header or by its number from 1 [default: the first]";
