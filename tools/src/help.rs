//! The long texts of `--help`, of the completions and of the manual pages.

pub(crate) const SHORT: &str =
    "Hands messages to Redis and Kafka through rings, and says exactly what became of each";

pub(crate) const ABOUT: &str = "\
Hands messages to Redis and Kafka through rings, and says exactly what became of each.

Ringwire is a library for programs that must not wait for a broker: they write a message into a ring in tens of \
nanoseconds, and a shard, a thread with its own connections, sends it and reports the outcome. This command publishes \
and subscribes through the library, looks at the endpoints of a configuration, and shows what the library does. \
To try it, nothing has to be installed: `demo` brings a small Redis or Kafka of its own, and `loopback` runs one.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  ringwire demo
      ten seconds of real EUR/USD quotes at 20,000 a second, out to a Redis and back, with latencies
  ringwire demo --kafka
      the same into a Kafka, with partitions and offsets
  ringwire loopback --redis 6390
      a small Redis on port 6390, to try the other commands with
  ringwire publish log 'it works' --redis redis://127.0.0.1:6390
      one message, and what became of it
  ringwire subscribe 'fx.*' log --redis redis://127.0.0.1:6390
      messages as they come, one a line
  ringwire replay quotes.csv --channel fx.eurusd --redis redis://127.0.0.1:6390 --speed real
      each line of a file, with the gaps between the times that it was recorded with

Configuration: --redis URL names one Redis, --kafka HOST:PORT one Kafka. Without them a file is read: --config FILE, else the one that the variable \
RINGWIRE_CONFIG names, else ./ringwire.toml if it is there. Then come variables such as RINGWIRE_ENGINE__IDLE, then \
--set. `ringwire config reference` describes every setting.

Exit codes: 0 all went well; 1 it did not, and standard error says why; 2 the command line or the configuration cannot \
be used.";

pub(crate) const DEMO: &str = "\
Real quotes out to a Redis and back, or into a Kafka, with latencies.

One thread publishes EUR/USD quotes into a ring at a fixed rate. A shard takes them out, publishes them to a Redis \
over RESP, and receives them again through a subscription; they come back through another ring. Each quote carries \
its number as one more column, so that the demo can check that each one arrives as it was sent.

The Redis is one inside this process, unless --redis, --config, RINGWIRE_CONFIG or a variable such as \
RINGWIRE_ENDPOINT__MAIN__URL names another; ./ringwire.toml is not read.

Latency is counted open loop: message i is due at start + i / rate, whatever happened before it, and its latency \
begins then, even if the publisher itself was late. It ends when the shard reads the acknowledgement from the socket, \
and when it reads the message that comes back. The shard reads its clock once per duty cycle (a turn around its rings \
and sockets, some microseconds), so each figure is exact to one such cycle.

With --kafka the quotes are records of a topic, ringwire.demo.quotes (behind topic.prefix, if that is set), and nothing \
comes back: the table has the partitions with their first and last offset. Without a value it is a Kafka inside this \
process; with HOST:PORT another, which must have the topic or make it by itself, and keeps it.

A message that is refused is counted and not tried again: the next one is due. The demo succeeds if every accepted \
message has exactly one outcome (delivered, not sent or unknown) and everything delivered to a Redis was received, or \
told to the subscriber as a gap. Ctrl-C ends it early, with the same account.";

pub(crate) const DEMO_EXAMPLES: &str = "\
Examples:
  ringwire demo
  ringwire demo --redis redis://127.0.0.1:6379 --rate 100000 --seconds 30
  ringwire demo --kafka
  ringwire demo --kafka 127.0.0.1:9092 --set compression.type=zstd
  ringwire demo --json | jq .ack_ns.p99";

pub(crate) const PUBLISH: &str = "\
Publishes one message, or each line of standard input, and says what became of it.

With - for the message, or with none where standard input is a pipe or a file, each line is a message as it stands, \
without its line end (LF or CRLF). There may be any number of lines: they are read as they are sent. A line may be as \
long as the longest message, which is a quarter of the setting engine.ring_bytes less some bytes: 2 MiB, or with a \
configuration file 1 MiB unless that says otherwise.

A refusal (no room, no credit, not connected) is waited out. To a Redis nothing is ever sent twice: a PUBLISH that was handed to \
the network and not answered ends as *unknown*. The exit code is 0 only if every message was delivered, which means that \
the server executed it; receivers are the subscriptions that the server counted for it, of which there may be none. At a \
Kafka the channel is the topic, or its route names one; delivered means that the broker has it, as `acks` says, and what \
may be in the log is sent again with the same sequence until that is decided.

Ctrl-C (or SIGTERM) ends the reading; what was accepted is flushed and counted. A second one ends the command at once.

One shard carries the messages, not pinned, and sleeps when there is nothing to do, whatever the configuration says of \
shards, cores and idle: the application that it belongs to may run on this machine.";

pub(crate) const PUBLISH_EXAMPLES: &str = "\
Examples:
  ringwire publish fx.eurusd 1.12120,1.12172 --redis redis://127.0.0.1:6379
  tail -n +2 quotes.csv | ringwire publish fx.eurusd --redis redis://127.0.0.1:6379
  ringwire publish orders 'it works' --kafka 127.0.0.1:9092
  tail -f app.log | ringwire publish log - --config prod.toml --json";

pub(crate) const PRODUCE: &str = "\
Produces records to a topic of a Kafka, and says what became of them: in which partitions they are, and at which offsets.

A record is the argument, or each line of standard input or of a file (-f) as it stands, without its line end; --whole \
makes one of all of it, --null one without a value. -k is the key of all, --key-delimiter splits one from each line: a \
line without the delimiter ends the run there. -H and -p go with every record.

Delivered means that the broker has it, as `acks` says. The exit code is 0 only if every record was delivered. Refusals, \
Ctrl-C, the length of lines and the shard are those of `ringwire publish --help`.";

pub(crate) const PRODUCE_EXAMPLES: &str = "\
Examples:
  ringwire produce orders 'it works' -k 4711 -H source=desk --kafka 127.0.0.1:9092
  ringwire produce orders -f orders.txt --key-delimiter : --kafka 127.0.0.1:9092 --json
  ringwire produce orders --null -k 4711 --kafka 127.0.0.1:9092
  ringwire produce images --whole -f chart.png -p 2 --config prod.toml";

pub(crate) const SUBSCRIBE: &str = "\
Prints the messages of channels and patterns as they come, one a line.

A line is the channel, a blank and the message. Control characters, but the tab, are written as \\n, \\r or \\x1b: so a \
message is one line, and cannot steer a terminal. With --json each line is an object: {\"channel\", \"pattern\" (if it came by one), \
\"payload\", \"received_ns\"}, the last in nanoseconds since 1970; what is not UTF-8 comes as \"payload_base64\" or \
\"channel_base64\".

Redis' pub/sub loses messages while a connection is down, and this command tells you: a gap stands on standard error, \
and with --json as {\"gap\": {\"pattern\", \"reason\", \"lost\", \"received_ns\"}} before the first message after it. If \
standard output is not read as fast as messages come, the ring fills, and that is told as a gap as well. A message \
comes once for each pattern that matches it.

It ends by Ctrl-C, SIGTERM, --count, or when nobody reads its output any more, and then counts on standard error. \
Connections that are lost later are tried again for ever.";

pub(crate) const SUBSCRIBE_EXAMPLES: &str = "\
Examples:
  ringwire subscribe 'fx.*' --redis redis://127.0.0.1:6379
  ringwire subscribe fx.eurusd fx.gbpusd --config prod.toml --endpoint main --json | jq -r .payload
  ringwire subscribe 'log.*' --count 10";

pub(crate) const REPLAY: &str = "\
Publishes the lines of a file, and accounts for each.

A message is a line as it stands, without its line end (LF or CRLF); bytes are bytes, and an empty line is an empty \
message. The first line is taken for the header and is not sent, unless --no-header says otherwise. The file is read \
as it is sent: its size does not matter. A line may be as long as the longest message, which is a quarter of the \
setting engine.ring_bytes less some bytes: 2 MiB, or with a configuration file 1 MiB unless that says otherwise. The \
header, and the first line under --channel-column, may have 1 MiB.

All lines go to one channel (--channel), or each to the one that a column of it names (--channel-column, with \
--channel-prefix before it).

A refusal (no room, no credit, not connected) is waited out, and the replay goes on when the server is back. Nothing \
is ever sent twice: a PUBLISH that was handed to the network and not answered may have been executed, and its \
subscribers cannot recognise a duplicate. So it ends as *unknown*, and what certainly did not go out before the \
connection was lost as *not sent*. The exit code is 0 only if every line was delivered, which for PUBLISH means that \
the server executed it, with or without subscribers. Ctrl-C ends it early, with a true account, and with 1.

Times (for --speed real and --speed N) are numbers that count seconds, milliseconds, microseconds or nanoseconds \
since 1970, with or without a fraction, or dates and times as in 2020-01-01T22:00:00.065Z: with a T or a blank, with \
or without a fraction, with an offset, a Z or nothing (then it is UTC). The unit of numbers is guessed from the first \
that is not 0: below 100,000,000,000 it is seconds, and each further factor of 1,000 is the next finer unit. A line \
whose time lies before an earlier one's is sent at once, and counted.

At a Kafka a line is a record of the topic that the channel's name is, or that its route names. Delivered means that the \
broker has it, as `acks` says; the table has a line for each partition, with its first and last offset. What may be in \
the log is sent again, with the same sequence, until that is decided.

Latency is counted from the time at which a line was due (at --speed max: was first offered) to the acknowledgement, \
on the shard's clock, which is read once per duty cycle (some microseconds).";

pub(crate) const REPLAY_EXAMPLES: &str = "\
Examples:
  ringwire replay quotes.csv --channel fx.eurusd --redis redis://127.0.0.1:6379
  ringwire replay quotes.csv --channel fx.eurusd --redis redis://127.0.0.1 --speed 10 --time-column ts_ns
  ringwire replay quotes.csv --channel fx.eurusd --kafka 127.0.0.1:9092 --set compression.type=zstd
  ringwire replay quotes.csv --channel-column symbol --channel-prefix fx. --config prod.toml
  ringwire replay lines.txt --no-header --channel log --redis redis://127.0.0.1 --rate 1000
  ringwire replay quotes.csv --channel fx.eurusd --json | jq .delivered";

pub(crate) const TOPICS_EXAMPLES: &str = "\
Examples:
  ringwire topics --kafka 127.0.0.1:9092
  ringwire topics quotes --config prod.toml --endpoint log --json";

pub(crate) const CREATE_TOPIC_EXAMPLES: &str = "\
Examples:
  ringwire create-topic quotes --partitions 3 --replication-factor 2 --kafka 127.0.0.1:9092
  ringwire create-topic quotes --topic-config retention.ms=60000 --kafka 127.0.0.1:9092";

pub(crate) const STATUS: &str = "\
Connects to every endpoint of the configuration, and says how each stands.

It opens connections of its own, for publishing and for subscribing, as the application would: with the same address, \
user and password. It does not look into an application that runs. For each endpoint there is a line with both \
connections, how long they have been in their state, and the breaker (a Kafka has neither subscriptions nor a breaker); \
below it stands what went wrong, and what to do. \
The exit code is 0 if all are connected and well.

With --json it is one object: {\"well\", \"health\", \"file\", \"endpoints\": [{\"name\", \"address\", \"well\", \"publish\": \
{\"state\", \"since_ms\", \"error\": {\"code\", \"text\"}}, \"subscribe\", \"breaker\"}], \"error\"}.";

pub(crate) const STATUS_EXAMPLES: &str = "\
Examples:
  ringwire status --redis redis://:password@127.0.0.1:6379
  ringwire status --config prod.toml --timeout 2
  ringwire status --json | jq -e .well";

pub(crate) const CONFIG: &str = "\
Checks the configuration, shows it, or prints the reference of its settings.

The configuration is what a command of the same options would use: a file, the variables RINGWIRE_… of the \
environment, and --set, each before the one that follows it.";

pub(crate) const CONFIG_EXAMPLES: &str = "\
Examples:
  ringwire config check prod.toml
  ringwire config show prod.toml --set engine.idle=busy-spin
  ringwire config reference";

pub(crate) const CONFIG_CHECK_EXAMPLES: &str = "\
Examples:
  ringwire config check prod.toml
  ringwire config check prod.toml --json | jq -r .error";

pub(crate) const CONFIG_SHOW_EXAMPLES: &str = "\
Examples:
  ringwire config show prod.toml
  RINGWIRE_ENGINE__IDLE=park ringwire config show";

pub(crate) const CONFIG_REFERENCE_EXAMPLES: &str = "\
Examples:
  ringwire config reference | less
  ringwire config reference > SETTINGS.md";

pub(crate) const LOOPBACK: &str = "\
Runs a small Redis, a small Kafka cluster, or both for trying things out, until Ctrl-C or SIGTERM.

It prints the URL of the Redis and the bootstrap servers of the Kafka cluster once they listen. The Redis knows pub/sub, \
and enough else for clients to greet it. The Kafka brokers take and check record batches, and let them be read; there \
are no consumer groups and no transactions, and the oldest batches of a partition go when it has more than 64 MiB. \
Nothing outlives the process, and none of it is a product. Without a host they listen on 127.0.0.1, where only this \
machine reaches them.";

pub(crate) const LOOPBACK_EXAMPLES: &str = "\
Examples:
  ringwire loopback --redis 6390
  ringwire loopback --redis 0 --json | jq -r .redis
  ringwire loopback --kafka 9092 --brokers 3 --partitions 8";

pub(crate) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(ringwire completions bash)
  ringwire completions zsh > ~/.zfunc/_ringwire";

pub(crate) const MAN_EXAMPLES: &str = "\
Examples:
  ringwire man | man -l -
  ringwire man --dir ~/.local/share/man/man1";

pub(crate) const REDIS: &str = "\
One Redis, and no file: redis://[user:password@]host[:port][/db] or unix:///path/to.sock";

pub(crate) const KAFKA: &str = "\
One Kafka by some of its brokers, and no file: host[:port][,host[:port]…]";

pub(crate) const DEMO_KAFKA: &str = "\
One Kafka by some of its brokers, and no file; without a value one inside this process";

pub(crate) const CONFIG_FILE: &str = "\
The configuration file [default: what RINGWIRE_CONFIG names, else ./ringwire.toml]";

pub(crate) const SET: &str = "\
Set one setting, over the file and the environment, as in engine.idle=park; may be repeated";

pub(crate) const ENDPOINT: &str = "\
The endpoint to listen at; needed where several are configured. Without it, the only one";

pub(crate) const CHANNEL_COLUMN: &str = "\
Publish each line on the channel that this column names, by its name in the header or its number from 1";

pub(crate) const TIME_COLUMN: &str = "\
The column that holds the time, by its name in the header or by its number from 1 [default: the first]";

pub(crate) const BENCH: &str = "\
Measures this machine: Ringwire beside a bare socket and beside other clients of Redis, in about five minutes, or \
nine with all of them.

Load is open loop: each message has a time at which it is due, and its latency begins then, whatever happened before. \
Every run is a process of its own, in a shuffled order, several times; what is shown are medians with their spread, and \
beside each tail the noise of the machine itself in the same seconds. Nothing else should run meanwhile.

The server is the redis-server on PATH, started and ended here, else the embedded one. Other clients take part if they \
are installed (bench/peers/install in the source); those that are not are named. The report is a table here, and a \
folder with an HTML page, .hgrm and .hdr files and JSON.";

pub(crate) const BENCH_EXAMPLES: &str = "\
Examples:
  ringwire bench --quick
      about a minute, to see whether everything works
  ringwire bench --only ack --rates 20000,100000 --clients ringwire,floor
  ringwire bench check
      is the rig itself right? a server that delays its answers by known times must be measured so";
