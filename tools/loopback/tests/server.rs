//! What the conversations do not show: bounds, slow consumers, hostile input, and the test's own hand.

use ringwire_codec::resp::command;
use ringwire_loopback::redis::{ClientId, Executed, Limits, Options, Role, Server};

fn request(words: &[&str]) -> Vec<u8> {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let mut bytes = Vec::new();
    command(&mut bytes, &words);
    bytes
}

/// Sends a command and takes the whole output.
fn call(server: &mut Server, client: ClientId, words: &[&str]) -> String {
    server.receive(0, client, &request(words));
    take_output(server, client)
}

fn take_output(server: &mut Server, client: ClientId) -> String {
    let output = server.output(client).to_vec();
    server.sent(client, output.len());
    String::from_utf8_lossy(&output).into_owned()
}

fn connect(server: &mut Server) -> ClientId {
    server.accept(0, "127.0.0.1:50000")
}

#[test]
fn ids_count_from_one_in_every_server() {
    for _ in 0..2 {
        let mut server = Server::new(Options::default());
        let first = connect(&mut server);
        server.closed(first);
        let second = connect(&mut server);
        assert_eq!((first, second), (ClientId(1), ClientId(2)));
        assert_eq!(call(&mut server, second, &["CLIENT", "ID"]), ":2\r\n");
    }
}

#[test]
fn the_journal_has_what_was_executed_and_only_that() {
    let mut server = Server::new(Options { journal: true, ..Options::default() });
    let (publisher, subscriber) = (connect(&mut server), connect(&mut server));
    call(&mut server, subscriber, &["SUBSCRIBE", "ch"]);
    call(&mut server, subscriber, &["PSUBSCRIBE", "c*"]);
    call(&mut server, publisher, &["PUBLISH", "ch", "one"]);
    let refused = call(&mut server, publisher, &["PUBLISH", "ch"]);
    assert!(refused.starts_with("-ERR wrong number"), "{refused}");

    // Half a command, whose connection ends: it is never executed.
    let half = request(&["PUBLISH", "ch", "never"]);
    server.receive(0, publisher, &half[..half.len() - 1]);
    server.closed(publisher);
    server.receive(0, publisher, &half[half.len() - 1..]);

    let executed =
        Executed { client: publisher, channel: b"ch".to_vec(), payload: b"one".to_vec(), receivers: 2 };
    assert_eq!(server.take_executed(), [executed]);
    assert_eq!(server.take_executed(), []);
}

#[test]
fn a_full_journal_refuses_rather_than_forgets() {
    let limits = Limits { journal_bytes_max: 1, ..Limits::default() };
    let mut server = Server::new(Options { journal: true, limits, ..Options::default() });
    let client = connect(&mut server);
    assert_eq!(call(&mut server, client, &["PUBLISH", "ch", "one"]), ":0\r\n");
    let refused = call(&mut server, client, &["PUBLISH", "ch", "two"]);
    assert!(refused.starts_with("-ERR the journal"), "{refused}");
    assert_eq!(server.take_executed().len(), 1);
    assert_eq!(call(&mut server, client, &["PUBLISH", "ch", "two"]), ":0\r\n");
}

#[test]
fn a_killed_client_gets_nothing_more_and_executes_nothing_more() {
    let mut server = Server::new(Options { journal: true, ..Options::default() });
    let (killer, victim) = (connect(&mut server), connect(&mut server));
    let publish = request(&["PUBLISH", "ch", "never"]);
    server.receive(0, victim, b"PING\r\n");
    server.receive(0, victim, &publish[..10]);
    assert_eq!(server.output(victim), b"+PONG\r\n");

    assert_eq!(call(&mut server, killer, &["CLIENT", "KILL", "ID", "2"]), ":1\r\n");
    assert!(server.wants_close(victim));
    assert_eq!(server.output(victim), b"", "what was unsent is dropped");
    server.receive(0, victim, &publish[10..]);
    server.receive(0, victim, &publish);
    assert_eq!(server.take_executed(), []);
    assert_eq!(call(&mut server, killer, &["CLIENT", "KILL", "ID", "2"]), ":0\r\n");

    let ready: Vec<_> = std::iter::from_fn(|| server.next_ready()).collect();
    assert_eq!(ready, [victim], "the killer's output has been taken");
    server.closed(victim);
}

#[test]
fn injected_errors_replace_execution_until_they_are_taken_back() {
    let mut server = Server::new(Options { journal: true, ..Options::default() });
    let client = connect(&mut server);
    server.inject_error("PUBLISH", Some("NOPERM no permissions"));
    server.inject_error("client|id", Some("MISCONF disk"));
    assert_eq!(call(&mut server, client, &["publish", "ch", "x"]), "-NOPERM no permissions\r\n");
    assert_eq!(call(&mut server, client, &["CLIENT", "ID"]), "-MISCONF disk\r\n");
    assert_eq!(call(&mut server, client, &["CLIENT", "GETNAME"]), "$-1\r\n");
    assert_eq!(server.take_executed(), []);
    server.inject_error("publish", None);
    assert_eq!(call(&mut server, client, &["publish", "ch", "x"]), ":0\r\n");
}

#[test]
fn without_resp3_there_is_no_hello_and_no_user() {
    let options = Options { resp3: false, password: Some("pw".into()), ..Options::default() };
    let mut server = Server::new(options);
    let client = connect(&mut server);
    assert_eq!(
        call(&mut server, client, &["HELLO", "3"]),
        "-ERR unknown command 'HELLO', with args beginning with: '3' \r\n"
    );
    assert_eq!(
        call(&mut server, client, &["AUTH", "default", "pw"]),
        "-ERR wrong number of arguments for 'auth' command\r\n"
    );
    assert_eq!(call(&mut server, client, &["AUTH", "pw"]), "+OK\r\n");
}

#[test]
fn roles_and_info_agree() {
    let mut server = Server::new(Options::default());
    let client = connect(&mut server);
    assert!(call(&mut server, client, &["INFO", "replication"]).contains("\r\nrole:master\r\n"));
    server.set_role(Role::Replica);
    assert!(call(&mut server, client, &["INFO", "replication"]).contains("\r\nrole:slave\r\n"));
    let all = call(&mut server, client, &["INFO"]);
    assert!(all.contains("\r\nredis_version:7.0.15\r\n") && all.contains("\r\nrole:slave\r\n"), "{all}");
    assert_eq!(call(&mut server, client, &["INFO", "nosuch"]), "$0\r\n\r\n");
    assert_eq!(call(&mut server, client, &["COMMAND", "DOCS"]), "*0\r\n");
}

#[test]
fn a_slow_consumer_is_closed_and_counted_out_after_the_read_that_filled_it() {
    let mut server = Server::new(Options { output_buffer_max: 1000, ..Options::default() });
    let (publisher, slow, quick) = (connect(&mut server), connect(&mut server), connect(&mut server));
    for client in [slow, quick] {
        call(&mut server, client, &["SUBSCRIBE", "ch"]);
    }
    let payload = "x".repeat(200);
    let mut receivers = Vec::new();
    for _ in 0..6 {
        receivers.push(call(&mut server, publisher, &["PUBLISH", "ch", &payload]));
        take_output(&mut server, quick);
    }
    // Each message is 237 bytes: the fifth would make it 1185. Whom it closes still counts as its receiver.
    assert_eq!(receivers, [":2\r\n", ":2\r\n", ":2\r\n", ":2\r\n", ":2\r\n", ":1\r\n"]);
    assert!(server.wants_close(slow) && !server.wants_close(quick));
    assert_eq!(server.output(slow), b"");
}

#[test]
fn a_consumer_beyond_the_soft_limit_for_too_long_is_closed() {
    let limits = Limits { pubsub_soft_max: 100, pubsub_soft_ns: 50, ..Limits::default() };
    let mut server = Server::new(Options { limits, ..Options::default() });
    let (publisher, slow) = (connect(&mut server), connect(&mut server));
    call(&mut server, slow, &["SUBSCRIBE", "ch"]);
    let publish = request(&["PUBLISH", "ch", &"x".repeat(100)]);
    server.receive(1000, publisher, &publish);
    server.receive(1050, publisher, &publish);
    assert!(!server.wants_close(slow), "not longer than the limit");
    // Having caught up, it has all the time again.
    take_output(&mut server, slow);
    call(&mut server, slow, &["PING"]);
    server.receive(1060, publisher, &publish);
    server.receive(1110, publisher, &publish);
    assert!(!server.wants_close(slow));
    server.receive(1111, publisher, &publish);
    assert!(server.wants_close(slow));
}

#[test]
fn a_client_that_never_reads_its_replies_is_closed() {
    let limits = Limits { reply_output_max: 1000, ..Limits::default() };
    let mut server = Server::new(Options { limits, ..Options::default() });
    let client = connect(&mut server);
    server.receive(0, client, "PING\r\n".repeat(1000).as_bytes());
    assert!(server.wants_close(client));
    assert_eq!(server.output(client), b"");
}

#[test]
fn subscriptions_keys_and_clients_are_bounded() {
    let limits = Limits {
        subscription_bytes_max: 1000,
        stored_bytes_max: 1000,
        clients_max: 1,
        input_max: 1000,
        ..Limits::default()
    };
    let mut server = Server::new(Options { limits, ..Options::default() });
    let client = connect(&mut server);
    let name = "n".repeat(900);
    call(&mut server, client, &["SUBSCRIBE", &name]);
    let refused = call(&mut server, client, &["SUBSCRIBE", "another"]);
    assert_eq!(refused, "-ERR max number of subscriptions reached\r\n");
    call(&mut server, client, &["UNSUBSCRIBE"]);
    assert!(call(&mut server, client, &["PSUBSCRIBE", "another"]).starts_with("*3"));
    call(&mut server, client, &["RESET"]);

    let value = "v".repeat(900);
    assert_eq!(call(&mut server, client, &["SET", "k", &value]), "+OK\r\n");
    assert_eq!(call(&mut server, client, &["SET", "k", &value]), "+OK\r\n", "one value in another's place");
    assert_eq!(call(&mut server, client, &["SET", "j", &value]), "+OK\r\n", "the last one below the limit");
    let refused = call(&mut server, client, &["SET", "i", ""]);
    assert_eq!(refused, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_eq!(call(&mut server, client, &["DEL", "k", "j"]), ":2\r\n");
    assert_eq!(call(&mut server, client, &["SET", "i", ""]), "+OK\r\n");

    let refused = connect(&mut server);
    assert_eq!(server.output(refused), b"-ERR max number of clients reached\r\n");
    assert!(server.wants_close(refused));
    server.closed(refused);

    server.receive(0, client, &request(&["ECHO", &"x".repeat(2000)])[..1500]);
    assert!(server.wants_close(client), "an unfinished command of 1500 bytes");
    assert_eq!(server.output(client), b"");
}

#[test]
fn expired_keys_do_not_exist() {
    let mut server = Server::new(Options::default());
    let client = connect(&mut server);
    server.receive(0, client, &request(&["SET", "k", "v", "PX", "5"]));
    server.receive(4_999_999, client, &request(&["GET", "k"]));
    server.receive(5_000_000, client, &request(&["GET", "k"]));
    server.receive(5_000_000, client, &request(&["SET", "k", "w", "XX"]));
    assert_eq!(take_output(&mut server, client), "+OK\r\n$1\r\nv\r\n$-1\r\n$-1\r\n");
}

/// Redis closes a client after the write of its last reply; without a reply it never does.
#[test]
fn quit_without_a_reply_leaves_the_connection_as_in_redis() {
    let mut server = Server::new(Options::default());
    let client = connect(&mut server);
    server.receive(0, client, b"CLIENT REPLY OFF\r\nQUIT\r\nCLIENT REPLY ON\r\n");
    assert!(!server.wants_close(client));
    assert_eq!(server.output(client), b"");
    assert_eq!(server.next_ready(), None);
}

#[test]
fn long_lines_are_refused_however_they_come() {
    let cases: [(&[u8], &str); 3] = [
        (b"P", "-ERR Protocol error: too big inline request\r\n"),
        (b"*", "-ERR Protocol error: too big mbulk count string\r\n"),
        (b"*1\r\n$", "-ERR Protocol error: too big bulk count string\r\n"),
    ];
    for (start, expected) in cases {
        for piece in [1 << 20, 16 << 10, 1000] {
            let mut server = Server::new(Options::default());
            let client = connect(&mut server);
            let line = [start, &vec![b'1'; 1 << 20], b"\r\n"].concat();
            for piece in line.chunks(piece) {
                server.receive(0, client, piece);
            }
            assert_eq!(take_output(&mut server, client), expected);
            assert!(server.wants_close(client));
        }
    }
}

#[test]
fn nesting_of_any_depth_ends_at_the_second_level() {
    let mut server = Server::new(Options::default());
    let client = connect(&mut server);
    server.receive(0, client, "*1\r\n".repeat(100_000).as_bytes());
    assert_eq!(take_output(&mut server, client), "-ERR Protocol error: expected '$', got '*'\r\n");
    assert!(server.wants_close(client));
}

/// Pieces of requests, sound and broken: every mixture must leave the server sane and say as many bytes as it
/// has reasons to.
#[test]
fn garbage_is_answered_or_closed_never_more() {
    const PIECES: [&[u8]; 16] = [
        b"*1\r\n$4\r\nPING\r\n",
        b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n",
        b"*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$1\r\nx\r\n",
        b"*4294967295\r\n",
        b"*2147483647\r\n",
        b"*1\r\n$536870912\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"\r\n",
        b"\0",
        b"\"",
        b"\xff\xfe",
        b"HELLO 3\r\n",
        b"RESET\r\n",
        b"*",
        b"PING",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    let mut server = Server::new(Options::default());
    let watcher = connect(&mut server);
    for _ in 0..5000 {
        let client = connect(&mut server);
        let mut said = 0;
        for _ in 0..below(20) {
            server.receive(0, client, PIECES[below(PIECES.len())]);
            said += take_output(&mut server, client).len();
        }
        assert!(said < 20 * 1000, "{said} bytes for 20 pieces");
        server.closed(client);
        assert_eq!(call(&mut server, watcher, &["PUBSUB", "CHANNELS"]), "*0\r\n");
    }
}

#[test]
fn clients_that_are_gone_are_nobody() {
    let mut server = Server::new(Options::default());
    let client = connect(&mut server);
    server.receive(0, client, b"PING\r\n");
    server.closed(client);
    assert_eq!(server.next_ready(), None);
    server.receive(0, client, b"PING\r\n");
    server.sent(client, 7);
    server.closed(client);
    assert_eq!(server.output(client), b"");
    assert!(server.wants_close(client));
}

#[test]
fn ready_clients_come_once_in_the_order_in_which_they_became_it() {
    let mut server = Server::new(Options::default());
    let clients: Vec<_> = (0..4).map(|_| connect(&mut server)).collect();
    for at in [2, 0, 2, 3] {
        server.receive(0, clients[at], b"PING\r\n");
    }
    let ready: Vec<_> = std::iter::from_fn(|| server.next_ready()).collect();
    assert_eq!(ready, [clients[2], clients[0], clients[3]]);
    server.receive(0, clients[0], b"PING\r\n");
    assert_eq!(server.next_ready(), Some(clients[0]));
    assert_eq!(server.output(clients[0]), b"+PONG\r\n+PONG\r\n");
}
