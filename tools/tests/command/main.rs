//! The built command, as a user runs it.

mod config;
mod demo;
mod files;
mod generate;
mod kafka;
mod loopback;
mod outage;
mod pace;
mod process;
mod produce;
mod publish;
mod replay;
mod status;
mod subscribe;
mod usage;
