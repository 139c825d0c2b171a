//! The command line, in two stages: what was written, then a plan that can be carried out.

mod config;
mod demo;
mod generate;
mod loopback;
mod origin;
mod produce;
mod publish;
mod replay;
mod status;
mod subscribe;
#[cfg(test)]
mod tests;
mod topics;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use ringwire_bench::rig::RigArgs;

use crate::help;
use crate::output::{self, Failure};

pub(crate) use config::{ConfigPlan, ConfigTask};
pub(crate) use demo::Demo;
pub(crate) use generate::{Completions, Man};
pub(crate) use loopback::{KafkaPlan, Loopback};
pub(crate) use origin::{ENDPOINT, KAFKA_ENDPOINT, Origin};
pub(crate) use publish::{Envelope, Publish, ReadFrom, Source};
pub(crate) use replay::{Pace, Replay, Target};
pub(crate) use status::Status;
pub(crate) use subscribe::{Pattern, Subscribe};
pub(crate) use topics::{Asking, CreateTopic, Topics};

#[derive(Parser)]
#[command(name = "ringwire", version, about = help::SHORT, long_about = help::ABOUT, after_help = help::EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 100)]
struct RawCommand {
    #[command(subcommand)]
    subcommand: RawSubcommand,
}

#[derive(Subcommand)]
enum RawSubcommand {
    /// Real quotes out to a Redis and back, or into a Kafka, with latencies
    #[command(long_about = help::DEMO, after_help = help::DEMO_EXAMPLES)]
    #[command(mut_arg("kafka", demo::may_embed_kafka))]
    Demo(demo::Raw),
    /// Publish one message, or each line of standard input
    #[command(long_about = help::PUBLISH, after_help = help::PUBLISH_EXAMPLES)]
    Publish(publish::Raw),
    /// Produce records to a Kafka, with keys, headers and partitions
    #[command(long_about = help::PRODUCE, after_help = help::PRODUCE_EXAMPLES)]
    Produce(produce::Raw),
    /// Print the messages of channels and patterns as they come
    #[command(long_about = help::SUBSCRIBE, after_help = help::SUBSCRIBE_EXAMPLES)]
    Subscribe(subscribe::Raw),
    /// Publish the lines of a file, at their own pace or another, and account for each
    #[command(long_about = help::REPLAY, after_help = help::REPLAY_EXAMPLES)]
    Replay(replay::Raw),
    /// Connect to every endpoint of the configuration, and say how each stands
    #[command(long_about = help::STATUS, after_help = help::STATUS_EXAMPLES)]
    Status(status::Raw),
    /// Check the configuration, show it, or print the reference of its settings
    #[command(long_about = help::CONFIG, after_help = help::CONFIG_EXAMPLES)]
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Config(config::Raw),
    /// Run a small Redis or Kafka for trying things out, until Ctrl-C
    #[command(long_about = help::LOOPBACK, after_help = help::LOOPBACK_EXAMPLES)]
    Loopback(loopback::Raw),
    /// List the topics of a Kafka, or describe one: partitions, leaders, replicas
    #[command(after_help = help::TOPICS_EXAMPLES)]
    Topics(topics::RawTopics),
    /// Make a topic at a Kafka
    #[command(after_help = help::CREATE_TOPIC_EXAMPLES)]
    CreateTopic(topics::RawCreateTopic),
    /// Measure this machine: Ringwire beside a bare socket and other clients of Redis
    #[command(long_about = help::BENCH, after_help = help::BENCH_EXAMPLES)]
    Bench(Box<RigArgs>),
    /// Print a script that completes this command in a shell
    #[command(after_help = help::COMPLETIONS_EXAMPLES)]
    Completions(generate::RawCompletions),
    /// Print the manual page, or write one for each command
    #[command(after_help = help::MAN_EXAMPLES)]
    Man(generate::RawMan),
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    Demo(Demo),
    Publish(Publish),
    Subscribe(Subscribe),
    Replay(Replay),
    Status(Status),
    Config(ConfigPlan),
    Topics(Topics),
    CreateTopic(CreateTopic),
    Loopback(Loopback),
    Bench(Box<RigArgs>),
    Completions(Completions),
    Man(Man),
}

/// A command line that is no plan: an error, or a call for help.
#[derive(Debug)]
pub(crate) enum Unparsed {
    /// `--help` or `--version`.
    Asked(String),
    /// It cannot be understood.
    Usage(String),
}

impl Unparsed {
    /// Prints it where it belongs, and answers the exit code.
    pub(crate) fn finish(self) -> ExitCode {
        match self {
            Self::Asked(text) => output::finish_with(&text),
            Self::Usage(words) => output::end(Some(&Failure::usage(words.trim_end()))),
        }
    }
}

/// Reads the command line; the first of `arguments` is the program's name.
///
/// # Errors
/// [`Unparsed`], to be [finished](Unparsed::finish).
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Unparsed> {
    let raw = RawCommand::try_parse_from(arguments).map_err(|error| {
        let text = error.render().to_string();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Unparsed::Asked(text),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Unparsed::Usage(format!("a command is needed\n\n{text}"))
            }
            _ => Unparsed::Usage(text.strip_prefix("error: ").unwrap_or(&text).to_owned()),
        }
    })?;
    let resolved = match raw.subcommand {
        RawSubcommand::Demo(raw) => raw.resolve().map(Command::Demo),
        RawSubcommand::Publish(raw) => raw.resolve().map(Command::Publish),
        RawSubcommand::Produce(raw) => raw.resolve().map(Command::Publish),
        RawSubcommand::Subscribe(raw) => raw.resolve().map(Command::Subscribe),
        RawSubcommand::Replay(raw) => raw.resolve().map(Command::Replay),
        RawSubcommand::Status(raw) => raw.resolve().map(Command::Status),
        RawSubcommand::Config(raw) => raw.resolve().map(Command::Config),
        RawSubcommand::Topics(raw) => raw.resolve().map(Command::Topics),
        RawSubcommand::CreateTopic(raw) => raw.resolve().map(Command::CreateTopic),
        RawSubcommand::Loopback(raw) => raw.resolve().map(Command::Loopback),
        RawSubcommand::Bench(raw) => Ok(Command::Bench(raw)),
        RawSubcommand::Completions(raw) => Ok(Command::Completions(raw.resolve())),
        RawSubcommand::Man(raw) => Ok(Command::Man(raw.resolve())),
    };
    resolved.map_err(|words| Unparsed::Usage(format!("{words}\n\nFor more information, try '--help'.")))
}

/// The whole command line, for those that describe it.
pub(crate) fn definition() -> clap::Command {
    RawCommand::command()
}
