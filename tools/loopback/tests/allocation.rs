//! What the server takes from the allocator: nothing for a message, and nothing for a size that a peer merely
//! declares.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ringwire_codec::resp::command;
use ringwire_loopback::redis::{ClientId, Options, Server};

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    CALLS.set(CALLS.get() + 1);
    BYTES.set(BYTES.get() + bytes as u64);
}

// SAFETY: every call goes to the system's allocator as it came; counting it touches two plain thread-locals
// that neither allocate nor have destructors.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations made by `f` on this thread: how many, and of how many bytes together.
fn allocations(f: impl FnOnce()) -> (u64, u64) {
    let before = (CALLS.get(), BYTES.get());
    f();
    (CALLS.get() - before.0, BYTES.get() - before.1)
}

fn drain(server: &mut Server) {
    while let Some(client) = server.next_ready() {
        let n = server.output(client).len();
        server.sent(client, n);
    }
}

/// A publisher and subscribers of both protocols, by channel and by pattern.
fn crowd(server: &mut Server) -> ClientId {
    let publisher = server.accept(0, "127.0.0.1:50000");
    let greetings = ["SUBSCRIBE ch\r\n", "HELLO 3\r\nSUBSCRIBE ch\r\n", "PSUBSCRIBE c*\r\n"];
    for greeting in greetings {
        let subscriber = server.accept(0, "127.0.0.1:50001");
        server.receive(0, subscriber, greeting.as_bytes());
    }
    drain(server);
    publisher
}

#[test]
fn a_message_allocates_nothing() {
    let mut message = Vec::new();
    command(&mut message, &[b"PUBLISH", b"ch", &[b'x'; 200]]);
    let pipeline = message.repeat(100);
    let mut server = Server::new(Options::default());
    let publisher = crowd(&mut server);

    let mut rounds = |rounds: u64| {
        for now_ns in 0..rounds {
            server.receive(now_ns, publisher, &message);
            drain(&mut server);
            server.receive(now_ns, publisher, &pipeline);
            drain(&mut server);
            // A pipeline cut in the middle of a message, as a read of 64 KiB cuts it.
            let (head, tail) = pipeline.split_at(pipeline.len() / 2 + 50);
            server.receive(now_ns, publisher, head);
            drain(&mut server);
            server.receive(now_ns, publisher, tail);
            drain(&mut server);
        }
    };
    // The buffers take their size.
    rounds(2);
    assert_eq!(allocations(|| rounds(50)), (0, 0), "for 10050 messages");
}

#[test]
fn declared_sizes_reserve_nothing() {
    let cases: [&[u8]; 4] = [
        b"*2147483647\r\n",
        b"*2147483647\r\n$536870912\r\n",
        b"*2147483647\r\n$0\r\n\r\n$536870912\r\nabc",
        b"*3\r\n$7\r\nPUBLISH\r\n$2\r\nch\r\n$536870912\r\n",
    ];
    for input in cases {
        let mut server = Server::new(Options::default());
        let client = server.accept(0, "127.0.0.1:50000");
        let (_, bytes) = allocations(|| server.receive(0, client, input));
        assert!(bytes < 1024, "{bytes} bytes for {}", input.escape_ascii());
        assert_eq!(server.output(client), b"");
        assert!(!server.wants_close(client));
    }
}

#[test]
fn servers_and_connections_are_cheap() {
    let (_, bytes) = allocations(|| {
        std::hint::black_box(Server::new(Options::default()));
    });
    assert!(bytes < 1024, "{bytes} bytes for a server");
    let mut server = Server::new(Options::default());
    let first = server.accept(0, "127.0.0.1:50000");
    server.closed(first);
    let (_, bytes) = allocations(|| {
        let client = server.accept(0, "127.0.0.1:50000");
        server.receive(0, client, b"*1\r\n$4\r\nPING\r\n");
    });
    assert!(bytes < 1024, "{bytes} bytes for a connection and its first command");
}

/// Memory that a burst needed is given back, so that it is not kept once for every client.
#[test]
fn a_burst_does_not_keep_its_memory() {
    let mut message = Vec::new();
    command(&mut message, &[b"PUBLISH", b"ch", &vec![b'x'; 8 << 20]]);
    let mut server = Server::new(Options::default());
    let publisher = crowd(&mut server);
    let (_, first) = allocations(|| {
        server.receive(0, publisher, &message[..1000]);
        server.receive(0, publisher, &message[1000..]);
        drain(&mut server);
    });
    let (_, second) = allocations(|| {
        server.receive(0, publisher, &message[..1000]);
        server.receive(0, publisher, &message[1000..]);
        drain(&mut server);
    });
    // Kept buffers would not have to be grown again.
    assert!(second > first / 2, "{first} bytes at first, {second} the second time");
}
