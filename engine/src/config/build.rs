//! From settings as they were given to a checked configuration.
//!
//! ```text
//!   Given, by layer ──► which endpoints and routes there are ──► which setting each value is for (address.rs)
//!                   ──► each setting's values, earlier layers first, kept or refused ──► what holds between settings
//! ```

use super::address::{Declared, Places, Target};
use super::endpoint::{Endpoint, EndpointKind, Server};
use super::kafka::Kafka;
use super::kafka_table::KAFKA;
use super::kind::Setting;
use super::layers::{Given, Layer};
use super::nearest::suggestion;
use super::redis::{Redis, RedisOptions};
use super::settings::{ENGINE, REDIS, ROUTE, names_of};
use super::url::{AnyUrl, masked};
use super::value::Value;
use super::{Config, ConfigError, Route, brokers};

/// Whoever has so many problems has one: the wrong file.
const PROBLEMS_MAX: usize = 100;

/// What a Kafka's url says.
const BOOTSTRAP: &str = "bootstrap.servers";

/// What is wrong: at least one thing.
pub(super) struct Problems {
    pub(super) first: ConfigError,
    pub(super) more: Vec<ConfigError>,
}

/// A value, the setting that it is for, and its place in the order of layers.
struct Aimed<'a> {
    rank: usize,
    given: &'a Given,
    target: Target,
}

/// A build under way.
struct Build<'a> {
    aimed: Vec<Aimed<'a>>,
    config: Config,
    /// Each with the rank of the value that it is about.
    problems: Vec<(usize, ConfigError)>,
}

/// Makes a configuration of what was given.
pub(super) fn build(given: &[Given]) -> Result<Config, Problems> {
    let mut by_layer: Vec<&Given> = given.iter().collect();
    by_layer.sort_by_key(|given| given.layer);
    let mut places = Places::default();
    let mut build = Build { aimed: Vec::new(), config: Config::default(), problems: Vec::new() };
    for (rank, given) in by_layer.iter().enumerate() {
        if let Err(error) = places.declare(rank, given) {
            build.problems.push((rank, error.from(&given.origin)));
            break;
        }
    }
    places.decide_kinds(&by_layer);
    for (rank, given) in by_layer.into_iter().enumerate() {
        if build.problems.len() >= PROBLEMS_MAX {
            break;
        }
        match places.target(given) {
            Ok(Some(target)) => build.aimed.push(Aimed { rank, given, target }),
            Ok(None) => {}
            Err(error) => build.problems.push((rank, error)),
        }
    }
    build.engine();
    for index in 0..places.endpoints.len() {
        build.endpoint(index, &places);
    }
    for (index, route) in places.routes.iter().enumerate() {
        build.route(index, route);
    }
    build.finish()
}

impl<'a> Build<'a> {
    fn engine(&mut self) {
        let mut config = std::mem::take(&mut self.config);
        for (index, setting) in ENGINE.iter().enumerate() {
            let key = format!("engine.{}", setting.name);
            self.put(&mut config, setting, &key, Target::Engine(index));
        }
        self.check_shards(&config);
        if !config.cores.is_empty() {
            config.shards = config.cores.len();
        }
        config.origins.extend(std::mem::take(&mut self.config.origins));
        self.config = config;
    }

    /// `shards` and `cores` both say how many shards there are.
    fn check_shards(&mut self, config: &Config) {
        let position = |name| ENGINE.iter().position(|setting| setting.name == name);
        let last = |index: Option<usize>| {
            self.aimed.iter().rfind(|aimed| index.is_some_and(|index| aimed.target == Target::Engine(index)))
        };
        let Some((shards, cores)) = last(position("shards")).zip(last(position("cores"))) else { return };
        let is_same = shards.given.value.integer().is_none_or(|number| number == config.cores.len() as u64);
        if config.cores.is_empty() || is_same {
            return;
        }
        let expected = format!(
            "expected {}, the number of engine.cores ({}), or an empty list of cores",
            config.cores.len(),
            cores.given.origin
        );
        let error = ConfigError::new("engine.shards", &shards.given.value.shown(), &expected);
        self.problems.push((shards.rank, error.from(&shards.given.origin)));
    }

    fn endpoint(&mut self, index: usize, places: &Places) {
        let Declared { name, kind, .. } = &places.endpoints[index];
        let before = self.problems.len();
        let url = self.url(index, places);
        let server = match kind {
            EndpointKind::Redis => {
                let mut redis = Redis::draft(RedisOptions::default());
                let (given, location, parts) = match url {
                    Some((given, AnyUrl::Redis(url))) => (Some(given), Some(url.location), url.settings),
                    _ => (None, None, Vec::new()),
                };
                self.settings(&mut redis, REDIS, index, places, given.map(|given| (given, parts)));
                redis.location = location.unwrap_or_default();
                Server::Redis(redis.finished())
            }
            EndpointKind::Kafka => {
                let mut kafka = Kafka::default();
                let url = match url {
                    Some((given, AnyUrl::Kafka(list))) => {
                        self.check_brokers(index, name, given, &list);
                        Some((given, vec![(BOOTSTRAP, list)]))
                    }
                    _ => None,
                };
                self.settings(&mut kafka, KAFKA, index, places, url);
                self.level(&mut kafka, name, places.endpoints[index].rank);
                Server::Kafka(kafka)
            }
        };
        if self.problems.len() == before {
            self.config.endpoints.push(Endpoint { name: name.clone(), server });
        }
    }

    /// What was given for each setting of an endpoint, the parts of its url included.
    fn settings<T>(
        &mut self,
        kept_in: &mut T,
        table: &[Setting<T>],
        index: usize,
        places: &Places,
        url: Option<(&'a Given, Vec<(&'static str, String)>)>,
    ) {
        let Declared { name, rank, .. } = &places.endpoints[index];
        for (number, setting) in table.iter().enumerate() {
            let key = format!("endpoint.{name}.{}", setting.name);
            let target = Target::Endpoint(index, number);
            // The url's part counts for less than a value of its own in the same layer, and for more than in an
            // earlier one.
            let part = url.as_ref().and_then(|(given, parts)| {
                let part = parts.iter().rfind(|(name, _)| *name == setting.name)?;
                Some((*given, part))
            });
            let Some((url_given, (_, text))) = part else {
                self.put(kept_in, setting, &key, target);
                continue;
            };
            self.put_if(kept_in, setting, &key, target, |given| given.layer < url_given.layer);
            let origin = format!("{} (the url)", url_given.origin);
            match setting.put(kept_in, &Value::Plain(text.clone())) {
                Ok(()) => {
                    self.config.origins.insert(key.clone(), origin);
                }
                Err(expected) => {
                    let found = url_given.value.text().map_or_else(String::new, masked);
                    let expected = format!("its {}: {expected}", setting.name);
                    let error = ConfigError::new(&format!("endpoint.{name}.url"), &found, &expected);
                    self.problems.push((*rank, error.from(&url_given.origin)));
                }
            }
            self.put_if(kept_in, setting, &key, target, |given| given.layer >= url_given.layer);
        }
    }

    /// A url and a list of the same layer say the same thing: which brokers to ask.
    fn check_brokers(&mut self, index: usize, name: &str, url: &Given, brokers: &str) {
        let number = KAFKA.iter().position(|setting| setting.name == BOOTSTRAP);
        let Some(target) = number.map(|number| Target::Endpoint(index, number)) else { return };
        let is_beside = |aimed: &&Aimed<'_>| aimed.target == target && aimed.given.layer == url.layer;
        let Some(list) = self.aimed.iter().rfind(is_beside) else { return };
        let Some(text) = list.given.value.text() else { return };
        let sorted = |text: &str| {
            let mut brokers = brokers::parse(text).ok()?;
            brokers.sort();
            Some(brokers)
        };
        let lists = sorted(text).zip(sorted(brokers));
        if lists.is_some_and(|(list, url)| list != url) {
            let expected = format!(
                "expected the brokers of endpoint.{name}.url ({}), or only one of the two settings",
                url.origin
            );
            let error = ConfigError::new(
                &format!("endpoint.{name}.{BOOTSTRAP}"),
                &list.given.value.shown(),
                &expected,
            );
            self.problems.push((list.rank, error.from(&list.given.origin)));
        }
    }

    /// `compression.level` means something only beside `compression.type`.
    fn level(&mut self, kafka: &mut Kafka, name: &str, rank: usize) {
        if let Err((found, expected)) = kafka.apply_level() {
            let key = format!("endpoint.{name}.compression.level");
            let error = ConfigError::new(&key, &found, expected);
            let origin = self.config.origins.get(&key).cloned().unwrap_or_default();
            self.problems.push((rank, error.from(&origin)));
        }
    }

    /// The url that counts, once all that were given are read.
    fn url(&mut self, index: usize, places: &Places) -> Option<(&'a Given, AnyUrl)> {
        let Declared { name, kind, rank, layer, origin } = &places.endpoints[index];
        let key = format!("endpoint.{name}.url");
        let target = |name| {
            let position = names_of(*kind).iter().position(|it| *it == name);
            position.map(|position| Target::Endpoint(index, position))
        };
        let (url_target, list_target) = (target("url"), target(BOOTSTRAP));
        let is_given = |target: Option<Target>| self.aimed.iter().any(|aimed| Some(aimed.target) == target);
        let mut last = None;
        let mut problems = Vec::new();
        if !is_given(url_target) && !is_given(list_target) {
            // A name that only a variable or --set has may be another one misspelt.
            let others = places.endpoints.iter().map(|it| it.name.as_str()).filter(|it| it != name);
            let hint = if *layer == Layer::File { String::new() } else { suggestion(name, others) };
            let expected = format!("missing; expected redis://, unix:// or kafka://{hint}");
            problems.push((*rank, ConfigError::new(&key, "", &expected).from(origin)));
        }
        for aimed in self.aimed.iter().filter(|aimed| Some(aimed.target) == url_target) {
            let parsed = match aimed.given.value.text() {
                Some(text) => AnyUrl::parse(text).map_err(|what| (masked(text), what)),
                None => Err((aimed.given.value.shown(), "expected a url in quotes".to_owned())),
            };
            match parsed {
                Ok(url) => {
                    self.config.origins.insert(key.clone(), aimed.given.origin.clone());
                    last = Some((aimed.given, url));
                }
                Err((found, what)) => {
                    let error = ConfigError::new(&key, &found, &what);
                    problems.push((aimed.rank, error.from(&aimed.given.origin)));
                }
            }
        }
        self.problems.extend(problems);
        last
    }

    fn route(&mut self, index: usize, declared: &Declared) {
        let mut route = Route::new("");
        let before = self.problems.len();
        for (number, setting) in ROUTE.iter().enumerate() {
            let key = format!("route.{index}.{}", setting.name);
            let target = Target::Route(index, number);
            if setting.is_required && !self.aimed.iter().any(|aimed| aimed.target == target) {
                let error = ConfigError::new(&key, "", &format!("missing; {}", setting.expected()));
                self.problems.push((declared.rank, error.from(&declared.origin)));
                continue;
            }
            self.put(&mut route, setting, &key, target);
        }
        if self.problems.len() == before {
            self.config.routes.push(route);
        }
    }

    /// Keeps the values of one setting in `target`, earlier layers first.
    fn put<T>(&mut self, kept_in: &mut T, setting: &Setting<T>, key: &str, target: Target) {
        self.put_if(kept_in, setting, key, target, |_| true);
    }

    fn put_if<T>(
        &mut self,
        kept_in: &mut T,
        setting: &Setting<T>,
        key: &str,
        target: Target,
        is_meant: impl Fn(&Given) -> bool,
    ) {
        for aimed in self.aimed.iter().filter(|aimed| aimed.target == target && is_meant(aimed.given)) {
            match setting.put(kept_in, &aimed.given.value) {
                Ok(()) => {
                    self.config.origins.insert(key.to_owned(), aimed.given.origin.clone());
                }
                Err(expected) => {
                    let error = ConfigError::new(key, &setting.quote(&aimed.given.value), &expected);
                    self.problems.push((aimed.rank, error.from(&aimed.given.origin)));
                }
            }
        }
    }

    fn finish(mut self) -> Result<Config, Problems> {
        if self.problems.is_empty()
            && let Err(error) = self.config.checked()
        {
            self.problems.push((0, error));
        }
        self.problems.sort_by_key(|(rank, _)| *rank);
        self.problems.truncate(PROBLEMS_MAX);
        let mut problems = self.problems.into_iter().map(|(_, error)| error);
        match problems.next() {
            None => Ok(self.config),
            Some(first) => Err(Problems { first, more: problems.collect() }),
        }
    }
}
