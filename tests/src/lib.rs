//! The tests that need more than one crate: the simulation, real servers, the project's rules.

pub mod folders;
pub mod patience;
pub mod ports;
pub mod signals;
pub mod sim;
