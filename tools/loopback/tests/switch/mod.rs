//! What a conversation changes about the embedded server while it runs.

use ringwire_loopback::redis::{Limits, Role, Server};

pub(crate) fn switch(server: &mut Server, what: &str, to: &str) {
    let on = to == "yes";
    match (what, to) {
        ("role", "primary") => server.set_role(Role::Primary),
        ("role", "replica") => server.set_role(Role::Replica),
        ("loading", "yes" | "no") => server.set_loading(on),
        ("masterdown", "yes" | "no") => {
            server.set_role(if on { Role::Replica } else { Role::Primary });
            server.set_master_down(on);
        }
        ("busy", "yes" | "no") => server.set_busy(on),
        ("misconf", "yes" | "no") => server.set_misconf(on),
        ("full", "yes" | "no") => server.set_clients_max(if on { 1 } else { Limits::default().clients_max }),
        _ => panic!("what is {what} {to}?"),
    }
}
