//! The reference page of all settings: `SETTINGS.md`.

use std::fmt::Write;

use super::address::variable;
use super::endpoint::EndpointKind;
use super::foreign::{FOREIGN, Foreign};
use super::foreign_kafka::FOREIGN_KAFKA;
use super::kafka::Kafka;
use super::kafka_table::KAFKA;
use super::kind::{Kind, Setting};
use super::redis::{Redis, RedisOptions};
use super::settings::{ENGINE, REDIS, ROUTE, names_of};
use super::{Config, Route};

const HEAD: &str = "\
# Settings

All settings of the engine. This page is made from the table that reads them: `ringwire config reference >
engine/SETTINGS.md`.
";

const LAYERS: &str = "
## Where settings come from

1. The **file**: TOML, with the sections below.
2. **Environment variables** win over the file: `RINGWIRE_`, then the path in upper case, with `__` between its levels
   and `_` for `.` and `-`. An unknown one is an error. `RINGWIRE_CONFIG` is the file's path, for the command.
3. **`--set PATH=VALUE`** (in code `Settings::set`) wins over both, and later ones over earlier ones.

| In the file | Environment | `--set` |
|---|---|---|
| `[engine]` `idle = \"park\"` | `RINGWIRE_ENGINE__IDLE=park` | `engine.idle=park` |
| `[engine]` `cores = [2, 3]` | `RINGWIRE_ENGINE__CORES=2,3` | `engine.cores=2,3` |
| `[endpoint.my-redis]` `url = \"redis://h\"` | `RINGWIRE_ENDPOINT__MY_REDIS__URL=redis://h` | `endpoint.my-redis.url=redis://h` |
| the first `[[route]]`'s `to = [\"main\"]` | `RINGWIRE_ROUTE__0__TO=main` | `route.0.to=main` |
| with one endpoint: its `reply_timeout_ms = 500` | | `reply_timeout_ms=500` |

In a variable and in `--set` a value has no quotes, and a list is comma separated (or a TOML array). In the file a
number is a number and a text has quotes. A variable whose endpoint is not in the file makes a new one, with its name
in lower case. Routes are numbered from 0 in the file's order; the number after the last adds one. Every value that is
given is checked, also one that a later layer replaces. `ringwire config show` prints what is in effect, and where
each value came from.
";

const EXAMPLE: &str = "
## An example

```toml
[engine]
cores = [2, 3]              # one pinned shard each
idle = \"busy-spin\"

[endpoint.main]
url = \"redis://bot@10.0.0.5:6379\"
# The password is in RINGWIRE_ENDPOINT__MAIN__PASSWORD.
reply_timeout_ms = 500

[endpoint.spare]
url = \"unix:///run/redis.sock\"

[endpoint.log]
url = \"kafka://10.0.0.7:9092,10.0.0.8:9092\"
compression.type = \"lz4\"

[[route]]                   # a few channels stay in the process,
channels = \"fx.internal.*\"
to = []

[[route]]                   # and all others go out
channels = \"*\"
to = [\"main\", \"spare\", \"log\"]
topic = \"ticks\"             # else the channel's name
when_down = \"buffer\"
external_only = true
```
";

const ENDPOINT_HEAD: &str = "
## `[endpoint.NAME]`

A name is 1 to 64 letters, digits, `-` or `_`. There may be 100 endpoints. What an endpoint is, its url says by its
scheme; without a url, `bootstrap.servers` makes it a Kafka.

### A Redis

";

const KAFKA_HEAD: &str = "
### A Kafka

The names are Kafka's own; the [README](../README.md) has the defaults beside those of other clients, and each meaning
that differs. In the file a name with dots is written as it is: `linger.ms = 5`.

";

const KAFKA_NOTES: &str = "
A channel's topic is `topic.prefix` and the channel's name, or what its route says by `topic`. A channel whose topic
would have no legal name is refused when it is opened.

What users of other clients write is refused, with the right name:

| Setting | Here |
|---|---|
";

const REDIS_NOTES: &str = "
### A Redis' url

- `redis://[user:password@]host[:port][/database]`, also spelt `valkey://`; an IPv6 address stands in brackets, the port
  is 6379 unless given, the host 127.0.0.1.
- `unix://[user:password@]/path/to.sock`, also spelt `redis+unix://`.
- `rediss://` (TLS) is not built yet.
- In user, password and options, `@ : / ? # & %` are percent-encoded: `%40` is an `@`.
- What a url says is as if it had been set beside it; a setting of its own wins over it, unless the url is of a later
  layer.

Options that users of other clients know are taken behind the `?`. A time is seconds, as in `1.5`, or has units, as in
`500ms` or `1m30s`; `timeout` needs a unit, because clients differ in what it means without one.

| Option | Here |
|---|---|
";

const ROUTE_NOTES: &str = "
The first route whose `channels` match a channel's name decides. With one endpoint and no route, every channel goes
there; with several endpoints and no route the configuration is refused. A channel that no route matches is local, and
so is one whose route has `to = []`: subscribers in the same process receive it, with no broker. So a few channels can be
exempted before a route that takes all others.

A channel that has an endpoint is never on the local bus as well. `external_only = true` states that in the file: it
changes nothing, and is refused where `to` is empty.
";

/// The Markdown page of all settings, with their units, defaults and meanings: `engine/SETTINGS.md`.
pub fn reference() -> String {
    let mut page = String::from(HEAD);
    page.push_str(LAYERS);
    page.push_str(EXAMPLE);
    page.push_str("\n## `[engine]`\n\n");
    table(&mut page, ENGINE, &Config::default());
    page.push_str(ENDPOINT_HEAD);
    table(&mut page, REDIS, &Redis::draft(RedisOptions::default()));
    page.push_str(REDIS_NOTES);
    options(&mut page, FOREIGN);
    page.push_str(KAFKA_HEAD);
    table(&mut page, KAFKA, &Kafka::default());
    page.push_str(KAFKA_NOTES);
    options(&mut page, FOREIGN_KAFKA);
    page.push_str("\n## `[[route]]`\n\n");
    table(&mut page, ROUTE, &Route::new(""));
    page.push_str(ROUTE_NOTES);
    variables(&mut page);
    page
}

fn table<T>(page: &mut String, table: &[Setting<T>], default: &T) {
    page.push_str("| Setting | Unit | Default | Values | Meaning |\n|---|---|---|---|---|\n");
    for setting in table {
        let default =
            if setting.is_required { "required".to_owned() } else { format!("`{}`", setting.show(default)) };
        let values = match &setting.kind {
            Kind::Integer { .. }
            | Kind::Duration { .. }
            | Kind::Milliseconds { .. }
            | Kind::Word { .. }
            | Kind::Integers { .. } => setting.bounds(),
            Kind::PowerOfTwo { .. } => format!("a power of two {}", setting.bounds()),
            Kind::Flag { .. } => "true or false".to_owned(),
            Kind::Names { .. } => "names of endpoints".to_owned(),
            Kind::Text { .. } | Kind::Parsed { .. } => "text".to_owned(),
            Kind::Secret { .. } => "text, secret".to_owned(),
            Kind::Url { .. } => "url".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {default} | {values} | {} |",
            setting.name, setting.unit, setting.meaning
        );
    }
}

fn options(page: &mut String, table: &[Foreign]) {
    for foreign in table {
        let names: Vec<String> = foreign.names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(page, "| {} | {} |", names.join(", "), foreign.meaning());
    }
}

fn variables(page: &mut String) {
    page.push_str("\n## Environment variables\n\n```text\n");
    let names = ENGINE.iter().map(|setting| variable(&["engine", setting.name]));
    let endpoints =
        names_of(EndpointKind::Redis).into_iter().chain(names_of(EndpointKind::Kafka).into_iter().skip(1));
    let names = names.chain(endpoints.map(|name| variable(&["endpoint", "name", name])));
    for name in names.chain(ROUTE.iter().map(|setting| variable(&["route", "0", setting.name]))) {
        let _ = writeln!(page, "{name}");
    }
    page.push_str("```\n");
}
