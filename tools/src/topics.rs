//! `ringwire topics` and `ringwire create-topic`: what a Kafka has, and what it shall have.

use ringwire::admin::{self, Admin};
use serde::Serialize;

use crate::args::{Asking, CreateTopic, Topics};
use crate::configuration::{Configuration, FileHere};
use crate::output::{Failure, Summary};
use crate::table;

/// What the cluster answered.
#[derive(Debug, Default, Serialize)]
pub(crate) struct TopicsSummary {
    topics: Vec<Topic>,
    /// One topic was asked for: its partitions are shown.
    #[serde(skip)]
    is_described: bool,
    #[serde(skip)]
    created: Option<String>,
    error: Option<Failure>,
}

#[derive(Debug, Serialize)]
struct Topic {
    name: String,
    internal: bool,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
struct Partition {
    partition: i32,
    leader: Option<i32>,
    replicas: Vec<i32>,
    isr: Vec<i32>,
}

/// Lists topics, or describes one.
pub(crate) fn run(plan: &Topics) -> TopicsSummary {
    let mut summary = TopicsSummary { is_described: plan.topic.is_some(), ..TopicsSummary::default() };
    summary.error = list(plan, &mut summary).err();
    summary
}

fn list(plan: &Topics, summary: &mut TopicsSummary) -> Result<(), Failure> {
    let admin = ask(&plan.asking)?;
    let found = match &plan.topic {
        Some(name) => admin.topic(name).map(|topic| vec![topic]),
        None => admin.topics(),
    };
    summary.topics = found.map_err(|error| error.to_string())?.into_iter().map(Topic::new).collect();
    Ok(())
}

/// Makes a topic, and shows it.
pub(crate) fn create(plan: &CreateTopic) -> TopicsSummary {
    let mut summary = TopicsSummary { is_described: true, ..TopicsSummary::default() };
    let created = ask(&plan.asking)
        .and_then(|admin| admin.create_topic(&plan.new).map_err(|error| Failure::from(error.to_string())));
    match created {
        Ok(()) => summary.created = Some(plan.new.name.clone()),
        Err(failure) => summary.error = Some(failure),
    }
    summary
}

fn ask(asking: &Asking) -> Result<Admin, Failure> {
    let configuration = Configuration::load(&asking.origin, FileHere::Read)?.with_endpoint()?;
    let admin = Admin::of(&configuration.config, asking.endpoint.as_deref());
    Ok(admin.map_err(|error| Failure::usage(error.to_string()))?.timeout(asking.timeout))
}

impl Topic {
    fn new(topic: admin::Topic) -> Self {
        let partition = |it: admin::Partition| {
            let admin::Partition { number, leader, replicas, isr } = it;
            Partition { partition: number, leader, replicas, isr }
        };
        let partitions = topic.partitions.into_iter().map(partition).collect();
        Self { name: topic.name, internal: topic.is_internal, partitions }
    }
}

impl Summary for TopicsSummary {
    fn table(&self) -> String {
        if self.error.is_some() {
            return String::new();
        }
        if let Some(name) = &self.created {
            return format!("created topic {name}\n");
        }
        let numbers = |numbers: &[i32]| numbers.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
        if self.is_described {
            let titles = ["TOPIC", "PARTITION", "LEADER", "REPLICAS", "ISR"].map(str::to_owned);
            let rows = self.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|it| {
                    let leader = it.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
                    let (replicas, isr) = (numbers(&it.replicas), numbers(&it.isr));
                    [topic.name.clone(), it.partition.to_string(), leader, replicas, isr]
                })
            });
            return table::columns(&std::iter::once(titles).chain(rows).collect::<Vec<_>>()).concat();
        }
        let titles = ["TOPIC", "PARTITIONS", "REPLICAS"].map(str::to_owned);
        let rows = self.topics.iter().map(|topic| {
            let replicas = topic.partitions.iter().map(|it| it.replicas.len()).max().unwrap_or(0);
            [topic.name.clone(), topic.partitions.len().to_string(), replicas.to_string()]
        });
        table::columns(&std::iter::once(titles).chain(rows).collect::<Vec<_>>()).concat()
    }

    fn failure(&self) -> Option<&Failure> {
        self.error.as_ref()
    }
}
