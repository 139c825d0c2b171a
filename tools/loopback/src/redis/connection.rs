//! Commands about the connection itself: PING, ECHO, HELLO, AUTH, SELECT, QUIT, RESET.

use super::command::{Call, quoted};
use super::number::parse_integer;
use super::{REDIS_VERSION, Role, Server, Slot};

/// Databases of a default Redis.
const DATABASES: i64 = 16;

/// The name of the user that a connection starts as.
const DEFAULT_USER: &[u8] = b"default";

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";
pub(super) const SYNTAX_ERROR: &str = "ERR syntax error";
pub(super) const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";

pub(super) fn ping(server: &mut Server, call: Call<'_>) {
    let Call { slot, args, .. } = call;
    if args.len() > 2 {
        let error = super::command::wrong_number_of_arguments("ping");
        return server.clients.reply(slot).error(&error);
    }
    let client = server.clients.at(slot);
    if client.subscriptions() > 0 && !client.resp3 {
        let mut reply = server.clients.reply(slot);
        reply.array(2);
        reply.bulk(b"pong");
        reply.bulk(args.at(1));
    } else if args.len() == 1 {
        server.clients.reply(slot).simple("PONG");
    } else {
        server.clients.reply(slot).bulk(args.at(1));
    }
}

pub(super) fn echo(server: &mut Server, call: Call<'_>) {
    server.clients.reply(call.slot).bulk(call.args.at(1));
}

pub(super) fn select(server: &mut Server, call: Call<'_>) {
    let error = match parse_integer(call.args.at(1)) {
        Some(index @ 0..DATABASES) => {
            server.clients.at_mut(call.slot).db = index as u8;
            return server.clients.reply(call.slot).ok();
        }
        Some(index) if i32::try_from(index).is_ok() => "ERR DB index is out of range",
        Some(_) => "ERR value is out of range, value must between -2147483648 and 2147483647",
        None => NOT_AN_INTEGER,
    };
    server.clients.reply(call.slot).error(error);
}

pub(super) fn quit(server: &mut Server, call: Call<'_>) {
    server.clients.reply(call.slot).ok();
    server.clients.at_mut(call.slot).close_after_output();
}

/// Unsubscribes without a word, and makes the connection what it was when it was accepted.
pub(super) fn reset(server: &mut Server, call: Call<'_>) {
    server.unsubscribe_silently(call.slot);
    let open = server.options.password.is_none();
    let client = server.clients.at_mut(call.slot);
    client.reset_session();
    client.authenticated = open;
    client.user = 0;
    server.clients.reply(call.slot).simple("RESET");
}

pub(super) fn auth(server: &mut Server, call: Call<'_>) {
    let Call { slot, args, .. } = call;
    if args.len() > 2 && !server.options.resp3 {
        let error = super::command::wrong_number_of_arguments("auth");
        return server.clients.reply(slot).error(&error);
    }
    let accepted = match args.len() {
        2 if server.options.password.is_none() => {
            return server.clients.reply(slot).error(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure \
                 your configuration is correct?",
            );
        }
        2 => server.authenticate(slot, DEFAULT_USER, args.at(1)),
        3 => server.authenticate(slot, args.at(1), args.at(2)),
        _ => return server.clients.reply(slot).error(SYNTAX_ERROR),
    };
    let mut reply = server.clients.reply(slot);
    if accepted { reply.ok() } else { reply.error(WRONG_PASSWORD) }
}

/// `HELLO [protover [AUTH username password] [SETNAME clientname]]`.
pub(super) fn hello(server: &mut Server, call: Call<'_>) {
    let Call { slot, args, .. } = call;
    let mut resp3 = server.clients.at(slot).resp3;
    if args.len() > 1 {
        match parse_integer(args.at(1)) {
            Some(version @ (2 | 3)) => resp3 = version == 3,
            Some(_) => return server.clients.reply(slot).error("NOPROTO unsupported protocol version"),
            None => {
                let error = "ERR Protocol version is not an integer or out of range";
                return server.clients.reply(slot).error(error);
            }
        }
    }
    let mut credentials = None;
    let mut at = 2;
    while at < args.len() {
        let (option, more) = (args.at(at), args.len() - 1 - at);
        if option.eq_ignore_ascii_case(b"AUTH") && more >= 2 {
            credentials = Some((args.at(at + 1), args.at(at + 2)));
            at += 3;
        } else if option.eq_ignore_ascii_case(b"SETNAME") && more >= 1 {
            if !is_client_name(args.at(at + 1)) {
                return server.clients.reply(slot).error(BAD_CLIENT_NAME);
            }
            // At once, as Redis 7.0 does it, whatever becomes of the rest.
            server.clients.at_mut(slot).name = args.at(at + 1).to_vec();
            at += 2;
        } else {
            let mut error = b"ERR Syntax error in HELLO option '".to_vec();
            error.extend_from_slice(quoted(option, option.len()));
            error.push(b'\'');
            return server.clients.reply(slot).error_bytes(&error);
        }
    }
    if let Some((user, password)) = credentials
        && !server.authenticate(slot, user, password)
    {
        return server.clients.reply(slot).error(WRONG_PASSWORD);
    }
    let client = server.clients.at_mut(slot);
    if !client.authenticated {
        return server.clients.reply(slot).error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> \
             <pass> option can be used to authenticate the client and select the RESP protocol version at the \
             same time",
        );
    }
    client.resp3 = resp3;
    server.describe(slot);
}

pub(super) const BAD_CLIENT_NAME: &str =
    "ERR Client names cannot contain spaces, newlines or special characters.";

/// Whether a client may be called this: printable ASCII without spaces, so that `CLIENT LIST` stays readable.
pub(super) fn is_client_name(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_graphic)
}

impl Server {
    /// Makes the client the user that it says it is, if the password is that user's.
    fn authenticate(&mut self, slot: Slot, user: &[u8], password: &[u8]) -> bool {
        let accepted = if user == DEFAULT_USER {
            self.options.password.as_ref().is_none_or(|own| own.as_bytes() == password).then_some(0)
        } else {
            let found = self.options.users.iter().position(|known| known.name.as_bytes() == user);
            found.filter(|at| self.options.users[*at].password.as_bytes() == password).map(|at| at + 1)
        };
        if let Some(user) = accepted {
            let client = self.clients.at_mut(slot);
            client.user = user;
            client.authenticated = true;
        }
        accepted.is_some()
    }

    /// The name behind `Client::user`.
    pub(super) fn user_name(&self, user: usize) -> &str {
        match user.checked_sub(1).and_then(|at| self.options.users.get(at)) {
            Some(user) => &user.name,
            None => "default",
        }
    }

    /// The answer to `HELLO`.
    fn describe(&mut self, slot: Slot) {
        let client = self.clients.at(slot);
        let (id, resp3) = (client.id, client.resp3);
        let role: &[u8] = match self.role {
            Role::Primary => b"master",
            Role::Replica => b"replica",
        };
        let mut reply = self.clients.reply(slot);
        reply.map(7);
        reply.bulk(b"server");
        reply.bulk(b"redis");
        reply.bulk(b"version");
        reply.bulk(REDIS_VERSION.as_bytes());
        reply.bulk(b"proto");
        reply.integer(if resp3 { 3 } else { 2 });
        reply.bulk(b"id");
        reply.integer(id.0);
        reply.bulk(b"mode");
        reply.bulk(b"standalone");
        reply.bulk(b"role");
        reply.bulk(role);
        reply.bulk(b"modules");
        reply.array(0);
    }
}
