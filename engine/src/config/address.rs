//! Which setting a path or a variable's name means.
//!
//! ```text
//!   engine.idle                      RINGWIRE_ENGINE__IDLE
//!   endpoint.my-redis.url            RINGWIRE_ENDPOINT__MY_REDIS__URL
//!   route.0.when_down                RINGWIRE_ROUTE__0__WHEN_DOWN
//!   reply_timeout_ms (--set alone)   of the one endpoint
//! ```
//!
//! A setting's own name may have dots: what follows the endpoint's name is the setting.

use super::endpoint::EndpointKind;
use super::foreign;
use super::kind::Setting;
use super::layers::{Address, Given, Layer, PREFIX};
use super::nearest::{nearest, suggestion};
use super::settings::{ENGINE, ROUTE, names_of};
use super::url::kind_of;
use super::value::Value;
use super::{ConfigError, ENDPOINTS_MAX, is_endpoint_name};

/// A channel's opening looks at the routes one by one.
const ROUTES_MAX: usize = 1000;
/// Between the levels of a variable's name.
const LEVEL: &str = "__";
const SECTIONS: [&str; 3] = ["engine", "endpoint", "route"];

/// A setting by its place in its table, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Engine(usize),
    Endpoint(usize, usize),
    Route(usize, usize),
}

/// An endpoint or a route, and the value that first named it.
pub(super) struct Declared {
    /// A route's is its number.
    pub(super) name: String,
    /// A route has none of its own.
    pub(super) kind: EndpointKind,
    /// That value's place in the order of layers.
    pub(super) rank: usize,
    pub(super) layer: Layer,
    pub(super) origin: String,
}

/// The endpoints and routes that there are.
#[derive(Default)]
pub(super) struct Places {
    pub(super) endpoints: Vec<Declared>,
    pub(super) routes: Vec<Declared>,
}

impl Places {
    /// Notes the endpoint or route that `given` is about, if it is the first to name it.
    pub(super) fn declare(&mut self, rank: usize, given: &Given) -> Result<(), ConfigError> {
        let declared = |name: &str| Declared {
            name: name.to_owned(),
            kind: EndpointKind::Redis,
            rank,
            layer: given.layer,
            origin: given.origin.clone(),
        };
        match &given.address {
            Address::Path(path) => match path.as_slice() {
                [_, _] if given.value != Value::Table => Ok(()),
                [section, name, ..] if section == "endpoint" => {
                    if self.endpoint(name).is_some() {
                        return Ok(());
                    }
                    self.add_endpoint(declared(name))
                }
                [section, number, ..] if section == "route" => self.add_route(number, declared(number)),
                _ => Ok(()),
            },
            Address::Variable(variable) => match levels(variable) {
                Some(("ENDPOINT", name, _)) if !self.endpoints.iter().any(|it| normal(&it.name) == name) => {
                    self.add_endpoint(declared(&name.to_lowercase()))
                }
                Some(("ROUTE", number, _)) => self.add_route(number, declared(number)),
                _ => Ok(()),
            },
        }
    }

    /// Finds out what each endpoint is: the last url says it by its scheme, and without any `bootstrap.servers` makes
    /// it a Kafka.
    pub(super) fn decide_kinds(&mut self, by_layer: &[&Given]) {
        let mut has_url = vec![false; self.endpoints.len()];
        for given in by_layer {
            let text = given.value.text().unwrap_or_default();
            for (index, is_url) in self.servers_named_by(&given.address) {
                if is_url {
                    has_url[index] = true;
                    self.endpoints[index].kind = kind_of(text);
                } else if !has_url[index] {
                    self.endpoints[index].kind = EndpointKind::Kafka;
                }
            }
        }
    }

    /// The endpoints whose servers an address names, and whether it does so by url.
    fn servers_named_by(&self, address: &Address) -> Vec<(usize, bool)> {
        const NAMES: [(&str, bool); 2] = [("url", true), ("bootstrap.servers", false)];
        let way = |is_name: &dyn Fn(&str) -> bool| {
            NAMES.into_iter().find(|(name, _)| is_name(name)).map(|(_, is_url)| is_url)
        };
        let all = 0..self.endpoints.len();
        match address {
            Address::Path(path) => match path.as_slice() {
                [section, endpoint, rest @ ..] if section == "endpoint" => {
                    let way = way(&|name| rest.join(".") == name);
                    self.endpoint(endpoint).zip(way).into_iter().collect()
                }
                _ => way(&|name| path.join(".") == name)
                    .map(|way| (0, way))
                    .filter(|_| all.len() == 1)
                    .into_iter()
                    .collect(),
            },
            Address::Variable(variable) => {
                let Some(("ENDPOINT", endpoint, setting)) = levels(variable) else { return Vec::new() };
                let Some(way) = way(&|name| normal(name) == setting) else { return Vec::new() };
                all.filter(|index| normal(&self.endpoints[*index].name) == endpoint)
                    .map(|it| (it, way))
                    .collect()
            }
        }
    }

    fn add_endpoint(&mut self, endpoint: Declared) -> Result<(), ConfigError> {
        let key = format!("endpoint.{}", endpoint.name);
        if !is_endpoint_name(&endpoint.name) {
            return Err(ConfigError::new(&key, "", super::ENDPOINT_NAME_EXPECTED));
        }
        if self.endpoints.len() == ENDPOINTS_MAX {
            return Err(ConfigError::new(&key, "", &format!("expected at most {ENDPOINTS_MAX} endpoints")));
        }
        self.endpoints.push(endpoint);
        Ok(())
    }

    fn add_route(&mut self, number: &str, route: Declared) -> Result<(), ConfigError> {
        // What is no number is told by `target`.
        let Ok(number) = number.parse::<usize>() else { return Ok(()) };
        let count = self.routes.len();
        let key = format!("route.{number}");
        match number {
            _ if number < count => Ok(()),
            ROUTES_MAX => Err(ConfigError::new(&key, "", &format!("expected at most {ROUTES_MAX} routes"))),
            _ if number == count => {
                self.routes.push(Declared { name: number.to_string(), ..route });
                Ok(())
            }
            _ => {
                let expected =
                    format!("routes are numbered from 0 without gaps; the next one is route.{count}");
                Err(ConfigError::new(&key, "", &expected))
            }
        }
    }

    /// The setting that `given` is for; `None` for a table, and for what is wrong in a way that was told already.
    pub(super) fn target(&self, given: &Given) -> Result<Option<Target>, ConfigError> {
        match &given.address {
            Address::Path(path) => self.of_path(path, given).map_err(|error| error.from(&given.origin)),
            Address::Variable(variable) => {
                self.of_variable(variable).map_err(|error| error.from("environment"))
            }
        }
    }

    fn of_path(&self, path: &[String], given: &Given) -> Result<Option<Target>, ConfigError> {
        let key = path.join(".");
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let is_table = given.value == Value::Table;
        let wrong = |expected: &str| Err(ConfigError::new(&key, "", expected));
        match parts.as_slice() {
            ["route"] if is_table => wrong("a route is written [[route]], with two brackets on each side"),
            ["engine" | "endpoint"] if is_table => Ok(None),
            ["engine"] => wrong("expected a table, written [engine]"),
            ["endpoint"] => wrong("expected tables, written [endpoint.NAME]"),
            ["route"] => wrong("expected tables, written [[route]]"),
            ["engine", rest @ ..] => {
                let name = rest.join(".");
                let found = index_of(ENGINE, &name).map(|index| Some(Target::Engine(index)));
                found.ok_or_else(|| unknown(&key, Section::Engine, &name, given.layer))
            }
            ["endpoint", _] | ["route", _] if is_table => Ok(None),
            ["endpoint", name] => wrong(&format!("expected a table, written [endpoint.{name}]")),
            ["endpoint", name, rest @ ..] => {
                let Some(endpoint) = self.endpoint(name) else { return Ok(None) };
                let kind = self.endpoints[endpoint].kind;
                let name_of_setting = rest.join(".");
                let index = index_in(kind, &name_of_setting)
                    .ok_or_else(|| unknown(&key, Section::Endpoint(kind), &name_of_setting, given.layer))?;
                Ok(Some(Target::Endpoint(endpoint, index)))
            }
            ["route", number, rest @ ..] if number.parse::<usize>().is_ok() && !rest.is_empty() => {
                let name = rest.join(".");
                let index = index_of(ROUTE, &name)
                    .ok_or_else(|| unknown(&key, Section::Route, &name, given.layer))?;
                Ok(self.route(number).map(|route| Target::Route(route, index)))
            }
            // Told where the file's table of that name stands.
            ["route", ..] if given.layer == Layer::File && path.len() > 1 && !is_list_item(path) => Ok(None),
            ["route", ..] => wrong("expected route.NUMBER.SETTING, counted from 0, as in route.0.when_down"),
            _ if given.layer == Layer::Set => self.of_short_form(&key).map(Some),
            [section] => Err(unknown_section(section, is_table)),
            _ => Ok(None),
        }
    }

    /// A setting of the one endpoint that has it, without its name.
    fn of_short_form(&self, key: &str) -> Result<Target, ConfigError> {
        let wrong = |expected: String| Err(ConfigError::new(key, "", &expected));
        let having = |(endpoint, it): (usize, &Declared)| {
            index_in(it.kind, key).map(|index| Target::Endpoint(endpoint, index))
        };
        let having: Vec<Target> = self.endpoints.iter().enumerate().filter_map(having).collect();
        if let [target] = having.as_slice() {
            return Ok(*target);
        }
        let owner = KINDS.into_iter().find(|kind| index_in(*kind, key).is_some());
        match (having.len(), owner) {
            (0, Some(_)) if self.endpoints.is_empty() => {
                wrong(format!("expected endpoint.NAME.{key}: there are 0 endpoints"))
            }
            (0, Some(kind)) => wrong(format!("it is a setting of a {kind}, and no endpoint is one")),
            (0, None) => wrong(format!("no such setting{}", self.short_form_hint(key))),
            (count, _) => wrong(format!("expected endpoint.NAME.{key}: there are {count} endpoints")),
        }
    }

    /// What may have been meant by a short form that means nothing.
    fn short_form_hint(&self, key: &str) -> String {
        // First by the kinds that there are.
        let is_there = |kind: &EndpointKind| self.endpoints.iter().any(|it| it.kind == *kind);
        let (there, others): (Vec<_>, Vec<_>) = KINDS.into_iter().partition(is_there);
        let mut kinds = there.iter().chain(&others);
        if let Some(hint) = kinds.find_map(|kind| foreign::hint(*kind, key)) {
            return format!("; {hint}");
        }
        let engine: Vec<String> = ENGINE.iter().map(|setting| format!("engine.{}", setting.name)).collect();
        let name = key.rsplit('.').next().unwrap_or(key);
        if let Some(path) = engine.iter().find(|path| path[SECTIONS[0].len() + 1..] == *name) {
            return format!("; did you mean `{path}`?");
        }
        let of_endpoints = if there.is_empty() { others } else { there };
        let known: Vec<&str> = of_endpoints.into_iter().flat_map(names_of).collect();
        let known = known.into_iter().chain(SECTIONS);
        suggestion(key, known.chain(engine.iter().map(String::as_str)))
    }

    fn of_variable(&self, variable: &str) -> Result<Option<Target>, ConfigError> {
        let full = format!("{PREFIX}{variable}");
        let unknown = |hint: Option<String>| {
            let hint = hint.or_else(|| self.meant(&full).map(|it| format!("did you mean `{it}`?")));
            let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
            ConfigError::new(&full, "", &format!("no such setting{hint}"))
        };
        let target = match levels(variable) {
            Some(("ENGINE", "", name)) => index_of_normal(ENGINE, name).map(Target::Engine),
            Some(("ENDPOINT", endpoint, name)) => {
                let mut alike =
                    (0..self.endpoints.len()).filter(|it| normal(&self.endpoints[*it].name) == endpoint);
                let Some(first) = alike.next() else { return Ok(None) };
                if let Some(second) = alike.next() {
                    let [first, second] = [first, second].map(|index| &self.endpoints[index].name);
                    let expected =
                        format!("means both endpoints, `{first}` and `{second}`; rename one of them");
                    return Err(ConfigError::new(&full, "", &expected));
                }
                let kind = self.endpoints[first].kind;
                let index = names_of(kind).iter().position(|setting| normal(setting) == name);
                let index = index
                    .ok_or_else(|| unknown(foreign::hint(kind, name).or_else(|| misplaced(kind, name))))?;
                Some(Target::Endpoint(first, index))
            }
            Some(("ROUTE", number, name)) if number.parse::<usize>().is_ok() => {
                let Some(route) = self.route(number) else { return Ok(None) };
                index_of_normal(ROUTE, name).map(|index| Target::Route(route, index))
            }
            _ => None,
        };
        target.map(Some).ok_or_else(|| unknown(None))
    }

    /// The variable that `given` is most like, or else the one whose setting is most like its end.
    fn meant(&self, given: &str) -> Option<String> {
        let names = self.variables(given);
        let end = |name: &str| {
            let name = name.strip_prefix(PREFIX).unwrap_or(name);
            name.rsplit(LEVEL).next().unwrap_or_default().to_owned()
        };
        if let Some(name) = nearest(given, names.iter().map(String::as_str)) {
            return Some(name.to_owned());
        }
        let ends: Vec<String> = names.iter().map(|name| end(name)).collect();
        let found = nearest(&end(given), ends.iter().map(String::as_str))?.to_owned();
        names.into_iter().find(|name| end(name) == found)
    }

    /// All variables that there could be, to find the one that was meant by `given`.
    fn variables(&self, given: &str) -> Vec<String> {
        let mut all: Vec<String> = ENGINE.iter().map(|setting| variable(&["engine", setting.name])).collect();
        let given = given.strip_prefix(PREFIX).unwrap_or(given);
        let route =
            levels(given).filter(|(section, ..)| *section == "ROUTE").map_or("0", |(_, number, _)| number);
        all.extend(ROUTE.iter().map(|setting| variable(&["route", route, setting.name])));
        let names = self.endpoints.iter().map(|endpoint| (endpoint.name.as_str(), endpoint.kind));
        for (name, kind) in names.chain([("main", EndpointKind::Redis)]) {
            all.extend(names_of(kind).into_iter().map(|setting| variable(&["endpoint", name, setting])));
        }
        all
    }

    fn endpoint(&self, name: &str) -> Option<usize> {
        self.endpoints.iter().position(|endpoint| endpoint.name == name)
    }

    fn route(&self, number: &str) -> Option<usize> {
        number.parse().ok().filter(|number| *number < self.routes.len())
    }
}

/// A variable's section, endpoint or route, and setting. `ENDPOINT__A__B__URL` is the url of `a__b`.
fn levels(variable: &str) -> Option<(&str, &str, &str)> {
    let (section, rest) = variable.split_once(LEVEL)?;
    if section == "ENGINE" {
        return Some((section, "", rest));
    }
    let (name, setting) = rest.rsplit_once(LEVEL)?;
    Some((section, name, setting))
}

/// The variable of a path, as in `RINGWIRE_ENGINE__IDLE`.
pub(super) fn variable(path: &[&str]) -> String {
    let parts: Vec<String> = path.iter().map(|part| normal(part)).collect();
    format!("{PREFIX}{}", parts.join(LEVEL))
}

/// A name as variables write it.
fn normal(name: &str) -> String {
    name.to_uppercase().replace(['.', '-'], "_")
}

fn index_of<T>(table: &[Setting<T>], name: &str) -> Option<usize> {
    table.iter().position(|setting| setting.name == name)
}

fn index_of_normal<T>(table: &[Setting<T>], name: &str) -> Option<usize> {
    table.iter().position(|setting| normal(setting.name) == name)
}

/// An element of `route = [ … ]` that is no table.
fn is_list_item(path: &[String]) -> bool {
    path.len() == 2 && path[1].parse::<usize>().is_ok()
}

const KINDS: [EndpointKind; 2] = [EndpointKind::Redis, EndpointKind::Kafka];

fn index_in(kind: EndpointKind, name: &str) -> Option<usize> {
    names_of(kind).iter().position(|setting| *setting == name)
}

/// For a setting that the other kind of endpoint has; `name` may be written as a variable writes it.
fn misplaced(kind: EndpointKind, name: &str) -> Option<String> {
    let other = kind.other();
    let has = names_of(other).iter().any(|setting| *setting == name || normal(setting) == name);
    has.then(|| format!("a {other} has it, and this endpoint is a {kind}"))
}

/// Where a setting was looked for.
#[derive(Clone, Copy)]
enum Section {
    Engine,
    Endpoint(EndpointKind),
    Route,
}

impl Section {
    fn names(self) -> Vec<&'static str> {
        match self {
            Self::Engine => ENGINE.iter().map(|setting| setting.name).collect(),
            Self::Endpoint(kind) => names_of(kind),
            Self::Route => ROUTE.iter().map(|setting| setting.name).collect(),
        }
    }
}

/// The section that has a setting of this name.
fn section_of(name: &str) -> Option<&'static str> {
    if index_of(ENGINE, name).is_some() {
        Some("[engine]")
    } else if KINDS.into_iter().any(|kind| index_in(kind, name).is_some()) {
        Some("[endpoint.NAME]")
    } else {
        index_of(ROUTE, name).map(|_| "[[route]]")
    }
}

fn unknown(key: &str, section: Section, name: &str, layer: Layer) -> ConfigError {
    let elsewhere = match section {
        Section::Endpoint(kind) => foreign::hint(kind, name).or_else(|| misplaced(kind, name)),
        Section::Engine | Section::Route => None,
    };
    let hint = match (elsewhere, section_of(name), nearest(name, section.names())) {
        (Some(hint), ..) => format!("; {hint}"),
        (None, _, Some(nearest)) if layer == Layer::Set => {
            let path = key.strip_suffix(name).unwrap_or_default();
            format!("; did you mean `{path}{nearest}`?")
        }
        (None, _, Some(nearest)) => format!("; did you mean `{nearest}`?"),
        (None, Some(place), None) => format!("; it belongs to {place}"),
        (None, None, None) => String::new(),
    };
    ConfigError::new(key, "", &format!("no such setting{hint}"))
}

fn unknown_section(name: &str, is_table: bool) -> ConfigError {
    let is_foreign = KINDS.into_iter().any(|kind| foreign::hint(kind, name).is_some());
    let place = match section_of(name) {
        Some(place) => format!("; it belongs to {place}"),
        None if is_foreign => "; it belongs to [endpoint.NAME]".to_owned(),
        None => suggestion(name, SECTIONS),
    };
    let what = if is_table { "no such section" } else { "no such setting" };
    let place =
        if place.is_empty() { "; expected [engine], [endpoint.NAME] or [[route]]".to_owned() } else { place };
    ConfigError::new(name, "", &format!("{what}{place}"))
}
