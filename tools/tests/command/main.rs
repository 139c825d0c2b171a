//! The built command, as a user runs it.

mod demo;
mod files;
mod outage;
mod pace;
mod process;
mod replay;
mod usage;
