//! The tests that need more than one crate: the simulation, real servers, the project's rules.

pub mod sim;
