//! A child that stands still and goes on.

use std::fs;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::patience::until;

/// Stops it in its tracks, and returns when it stands: the kernel keeps taking connections and bytes for it.
///
/// # Panics
///
/// If it is not there any more.
pub fn stop(child: &Child) {
    kill_process(Pid::from_child(child), Signal::STOP).expect("a child can be stopped");
    until("a stopped process", || is_stopped(child));
}

/// Lets it go on, and returns when it does.
///
/// # Panics
///
/// If it is not there any more.
pub fn go_on(child: &Child) {
    kill_process(Pid::from_child(child), Signal::CONT).expect("a child can be continued");
    until("a running process", || !is_stopped(child));
}

fn is_stopped(child: &Child) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("a child has a status");
    // The name stands in parentheses before the state, and may hold anything.
    let state = status.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state == Some('T')
}
