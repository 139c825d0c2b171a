//! The subscribe lane, answer by answer: which answer belongs to which command.

use ringwire_core::{
    Charge, ConnectionId, Core, Delivery, EndpointId, EndpointState, NotTaken, Now, Outlet, RedisSettings,
    Report, Role, Source, SubscriberId, Subscription,
};

const REDIS: EndpointId = EndpointId(0);
const SUBSCRIBE: ConnectionId = ConnectionId::from_index(1);
const NOW: Now = Now { mono_ns: 1, wall_ns: 0 };

#[derive(Default)]
struct Driver {
    closes: usize,
}

impl Outlet for Driver {
    fn outcome(&mut self, _: Charge, _: &Report) {}

    fn deliver(&mut self, _: SubscriberId, _: &Delivery<'_>) -> Result<(), NotTaken> {
        Ok(())
    }

    fn connect(&mut self, _: ConnectionId) {}

    fn close(&mut self, _: ConnectionId) {
        self.closes += 1;
    }

    fn state(&mut self, _: EndpointId, _: Role, _: EndpointState) {}
}

fn send(core: &mut Core) -> String {
    let output = String::from_utf8_lossy(core.output(SUBSCRIBE)).into_owned();
    core.sent(SUBSCRIBE, output.len());
    output
}

fn answer(core: &mut Core, driver: &mut Driver, bytes: &[u8]) {
    core.space(SUBSCRIBE)[..bytes.len()].copy_from_slice(bytes);
    core.received(NOW, SUBSCRIBE, bytes.len());
    while core.poll(NOW, driver) {}
}

#[test]
fn what_the_server_ends_by_itself_answers_no_command_that_was_not_sent() {
    let (mut core, mut driver) = (Core::new(vec![RedisSettings::default()], 7), Driver::default());
    let (source, name) = (Source::Redis(REDIS), (*b"a").into());
    let wanted = Subscription { id: 0, subscriber: SubscriberId(0), source, name, is_pattern: false };
    core.subscribe(NOW, wanted);
    while core.poll(NOW, &mut driver) {}
    core.connected(NOW, SUBSCRIBE);
    assert!(send(&mut core).contains("HELLO"));
    answer(&mut core, &mut driver, b"%1\r\n+role\r\n+master\r\n");
    assert!(send(&mut core).contains("SUBSCRIBE"));
    answer(&mut core, &mut driver, b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n+PONG\r\n");

    // The server ends it, while our command for the same waits to be sent, and is refused then.
    core.unsubscribe(NOW, 0);
    answer(&mut core, &mut driver, b">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
    assert!(send(&mut core).contains("UNSUBSCRIBE"));
    answer(&mut core, &mut driver, b"-BUSY a script\r\n-BUSY a script\r\n");
    let status = core.status(REDIS);
    assert_eq!((status.subscribe.state, driver.closes), (EndpointState::Connected, 0), "{status:?}");
    assert_eq!((status.subscribed, status.wanted), (0, 0));
}

#[test]
fn a_subscription_costs_the_same_whatever_its_number() {
    let mut core = Core::new(vec![RedisSettings::default()], 7);
    for id in [u32::MAX, 0, u32::MAX - 1] {
        let (subscriber, name) = (SubscriberId(0), (*b"a").into());
        core.subscribe(NOW, Subscription { id, subscriber, source: Source::Bus, name, is_pattern: false });
    }
    core.unsubscribe(NOW, u32::MAX);
    while core.poll(NOW, &mut Driver::default()) {}
}
