//! What the server says about itself: ROLE, INFO, COMMAND.

use super::command::Call;
use super::{REDIS_VERSION, Role, Server};

/// The primary that a replica names. It does not exist: a replica here is one in its answers only.
const PRIMARY_HOST: &str = "127.0.0.1";
const PRIMARY_PORT: u64 = 6379;

pub(super) fn role(server: &mut Server, call: Call<'_>) {
    let (role, link_up) = (server.role, !server.master_down);
    let mut reply = server.clients.reply(call.slot);
    match role {
        Role::Primary => {
            reply.array(3);
            reply.bulk(b"master");
            reply.integer(0);
            reply.array(0);
        }
        Role::Replica => {
            reply.array(5);
            reply.bulk(b"slave");
            reply.bulk(PRIMARY_HOST.as_bytes());
            reply.integer(PRIMARY_PORT);
            reply.bulk(if link_up { b"connected" } else { b"connect" });
            // How far it has read; as a primary's reader it is nowhere while it has none.
            reply.number(if link_up { 0 } else { -1 });
        }
    }
}

/// `INFO [section ...]`: the sections server, clients and replication, with the fields that clients look at.
pub(super) fn info(server: &mut Server, call: Call<'_>) {
    let wanted = |section: &[u8]| {
        call.args.len() == 1
            || call.args.from(1).any(|name| {
                [section, b"default", b"all", b"everything"]
                    .iter()
                    .any(|known| name.eq_ignore_ascii_case(known))
            })
    };
    let mut sections = Vec::new();
    if wanted(b"server") {
        sections.push(format!("# Server\r\nredis_version:{REDIS_VERSION}\r\nredis_mode:standalone\r\n"));
    }
    if wanted(b"clients") {
        sections.push(format!("# Clients\r\nconnected_clients:{}\r\n", server.clients.len()));
    }
    if wanted(b"replication") {
        let role = match server.role {
            Role::Primary => "role:master\r\n".to_owned(),
            Role::Replica => format!(
                "role:slave\r\nmaster_host:{PRIMARY_HOST}\r\nmaster_port:{PRIMARY_PORT}\r\n\
                 master_link_status:{}\r\n",
                if server.master_down { "down" } else { "up" }
            ),
        };
        sections.push(format!("# Replication\r\n{role}"));
    }
    server.clients.reply(call.slot).text(&sections.join("\r\n"));
}

/// `COMMAND`, and whatever comes after it, answers an empty array: shells that ask for hints get none.
pub(super) fn command(server: &mut Server, call: Call<'_>) {
    server.clients.reply(call.slot).array(0);
}
