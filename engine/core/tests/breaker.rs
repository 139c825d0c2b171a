//! The breaker, answer by answer: what a server's errors do to the lane, to its messages and to its status.

use ringwire_core::{
    BreakerState, Channel, Charge, ConnectionId, Core, Delivery, EndpointId, EndpointState, Frame, Leg,
    LinkError, MILLISECOND_NS, NotTaken, Now, Outcome, Outlet, PublisherId, Reason, RedisSettings, Report,
    Role, SubscriberId, WhenDown,
};

const REDIS: EndpointId = EndpointId(0);
const THRESHOLD: u32 = 3;
const PAUSE_NS: u64 = 50 * MILLISECOND_NS;
const PUBLISH: ConnectionId = ConnectionId::from_index(0);

#[derive(Default)]
struct Driver {
    reports: Vec<(u64, Outcome, Reason)>,
    connects: usize,
    closes: usize,
    state: EndpointState,
    tellings: usize,
}

impl Outlet for Driver {
    fn outcome(&mut self, _: Charge, report: &Report) {
        self.reports.push((report.sequence, report.outcome, report.reason));
    }

    fn deliver(&mut self, _: SubscriberId, _: &Delivery<'_>) -> Result<(), NotTaken> {
        Ok(())
    }

    fn connect(&mut self, _: ConnectionId) {
        self.connects += 1;
    }

    fn close(&mut self, _: ConnectionId) {
        self.closes += 1;
    }

    fn state(&mut self, _: EndpointId, role: Role, state: EndpointState) {
        assert_eq!(role, Role::Publish);
        self.state = state;
        self.tellings += 1;
    }
}

/// A core with one channel to one server, whose part the test plays.
struct Scene {
    core: Core,
    driver: Driver,
    now: Now,
    next: u64,
}

impl Scene {
    fn connected(when_down: WhenDown) -> Self {
        let settings = RedisSettings {
            breaker_threshold: THRESHOLD,
            breaker_open_ns: PAUSE_NS,
            ..RedisSettings::default()
        };
        let now = Now { mono_ns: 1, wall_ns: 0 };
        let mut scene = Self { core: Core::new(vec![settings], 7), driver: Driver::default(), now, next: 0 };
        let legs = vec![Leg::redis_publish(REDIS, b"a", when_down)];
        scene.core.open_channel(now, Channel { index: 0, name: (*b"a").into(), legs });
        scene.poll();
        scene.greet(None);
        assert_eq!(scene.driver.state, EndpointState::Connected);
        scene
    }

    fn poll(&mut self) {
        while self.core.poll(self.now, &mut self.driver) {}
    }

    fn answer(&mut self, bytes: &[u8]) {
        self.core.space(PUBLISH)[..bytes.len()].copy_from_slice(bytes);
        self.core.received(self.now, PUBLISH, bytes.len());
        self.poll();
    }

    /// Sends all that there is to send.
    fn send(&mut self) -> String {
        let output = String::from_utf8_lossy(self.core.output(PUBLISH)).into_owned();
        self.core.sent(PUBLISH, output.len());
        output
    }

    /// Goes through the greeting; with a `PING` at its end where the breaker is half open.
    fn greet(&mut self, ping: Option<&[u8]>) {
        self.core.connected(self.now, PUBLISH);
        assert!(self.send().contains("HELLO"));
        self.answer(b"%1\r\n+role\r\n+master\r\n");
        assert!(self.send().contains("INFO"));
        self.answer(b"$19\r\nid=7 addr=[::1]:999\r\n");
        if let Some(answer) = ping {
            assert!(self.send().contains("KILL"));
            self.answer(b":1\r\n");
            assert_eq!(self.send(), "*1\r\n$4\r\nPING\r\n");
            self.answer(answer);
        }
    }

    fn publish(&mut self) {
        let frame = Frame { channel: 0, sequence: self.next, payload: Some(b"x"), ..Frame::default() };
        self.core.publish(self.now, PublisherId(0), &frame, &mut self.driver);
        self.next += 1;
    }

    fn pass(&mut self, ns: u64) {
        self.now.mono_ns += ns;
        self.poll();
    }

    fn breaker(&self) -> BreakerState {
        self.core.status(REDIS).breaker
    }

    fn last_error(&self) -> Option<LinkError> {
        self.core.status(REDIS).publish.last_error
    }

    /// Four messages on the wire, and as many errors as the breaker takes.
    fn trip(&mut self) {
        for _ in 0..=THRESHOLD {
            self.publish();
        }
        self.send();
        for _ in 0..THRESHOLD {
            self.answer(b"-BUSY a script\r\n");
        }
        assert_eq!(self.breaker(), BreakerState::Open);
    }
}

const REFUSED: (Outcome, Reason) = (Outcome::NotSent, Reason::ServerError);

#[test]
fn what_was_begun_is_answered_before_the_connection_goes() {
    let mut scene = Scene::connected(WhenDown::Reject);
    scene.trip();
    // The fourth message is on the wire: its answer is waited for, and the lane counts as down meanwhile.
    assert_eq!((scene.driver.closes, scene.driver.state), (0, EndpointState::Failed));
    scene.publish();
    assert_eq!(scene.driver.reports.last(), Some(&(4, Outcome::NotSent, Reason::BreakerOpen)));
    assert_eq!(scene.send(), "");
    scene.answer(b":2\r\n");
    assert_eq!(scene.driver.reports.last(), Some(&(3, Outcome::Delivered, Reason::None)));
    assert_eq!(scene.driver.closes, 1);
    let expected = LinkError::BreakerOpen { failures: THRESHOLD, last: "BUSY a script".to_owned() };
    assert_eq!(scene.last_error(), Some(expected));

    scene.pass(PAUSE_NS - 1);
    assert_eq!((scene.driver.connects, scene.breaker()), (1, BreakerState::Open));
    scene.pass(1);
    assert_eq!((scene.driver.connects, scene.breaker()), (2, BreakerState::HalfOpen));
    // Still not well: the connection is of no use, and no message was risked.
    scene.greet(Some(b"-BUSY a script\r\n"));
    assert_eq!((scene.driver.closes, scene.breaker()), (2, BreakerState::Open));
    scene.pass(PAUSE_NS);
    scene.greet(Some(b"+PONG\r\n"));
    assert_eq!((scene.driver.state, scene.breaker()), (EndpointState::Connected, BreakerState::HalfOpen));
    assert_eq!(scene.last_error(), None);

    // One message goes out, and decides for all.
    scene.publish();
    scene.publish();
    assert_eq!(scene.send().matches("PUBLISH").count(), 1);
    assert_eq!(scene.send(), "");
    scene.answer(b":0\r\n");
    assert_eq!(scene.breaker(), BreakerState::Closed);
    assert_eq!(scene.send().matches("PUBLISH").count(), 1);
    scene.answer(b":0\r\n");
    let delivered = scene.driver.reports.iter().filter(|report| report.1 == Outcome::Delivered).count();
    assert_eq!((delivered, scene.driver.reports.len()), (3, 7));
    assert_eq!(scene.core.counters(REDIS).breaker_trips, 2);
}

#[test]
fn what_may_wait_waits_in_order() {
    let mut scene = Scene::connected(WhenDown::Buffer);
    scene.trip();
    scene.publish();
    scene.publish();
    scene.answer(b":0\r\n");
    scene.publish();
    scene.pass(PAUSE_NS);
    scene.greet(Some(b"+PONG\r\n"));
    // The probe fails: it has its outcome, and the others wait on.
    assert_eq!(scene.send().matches("PUBLISH").count(), 1);
    scene.answer(b"-BUSY again\r\n");
    assert_eq!(scene.breaker(), BreakerState::Open);
    scene.pass(PAUSE_NS);
    scene.greet(Some(b"+PONG\r\n"));
    scene.send();
    scene.answer(b":1\r\n");
    assert_eq!(scene.send().matches("PUBLISH").count(), 1);
    scene.answer(b":1\r\n");
    let refused = |sequence| (sequence, REFUSED.0, REFUSED.1);
    let delivered = |sequence| (sequence, Outcome::Delivered, Reason::None);
    let expected = [refused(0), refused(1), refused(2), delivered(3), refused(4), delivered(5), delivered(6)];
    assert_eq!(scene.driver.reports, expected);
}

#[test]
fn a_message_that_is_at_fault_itself_says_nothing_of_the_server() {
    let mut scene = Scene::connected(WhenDown::Reject);
    for answers in [
        [&b"-NOPERM no\r\n"[..]; 6],
        // Any success begins the count anew.
        [b"-BUSY\r\n", b"-BUSY\r\n", b":0\r\n", b"-BUSY\r\n", b"-BUSY\r\n", b":0\r\n"],
    ] {
        for answer in answers {
            scene.publish();
            scene.send();
            scene.answer(answer);
        }
        assert_eq!(scene.breaker(), BreakerState::Closed);
    }
}

#[test]
fn what_ails_a_server_is_told_while_the_lane_stays() {
    let mut scene = Scene::connected(WhenDown::Reject);
    scene.pass(RedisSettings::default().role_interval_ns);
    scene.pass(RedisSettings::default().role_interval_ns);
    assert!(scene.send().ends_with("PING\r\n"));
    scene.answer(b"*1\r\n$6\r\nmaster\r\n-LOADING the data set\r\n");
    assert_eq!(scene.last_error(), Some(LinkError::Loading("LOADING the data set".to_owned())));
    assert_eq!(scene.driver.state, EndpointState::Connected);
    scene.pass(RedisSettings::default().role_interval_ns);
    scene.send();
    scene.answer(b"*1\r\n$6\r\nmaster\r\n+PONG\r\n");
    assert_eq!(scene.last_error(), None);
}

#[test]
fn of_endless_words_the_beginning_is_kept() {
    const LEN: usize = 1 << 20;
    /// Far below what came, and more than what is kept.
    const KEPT_MAX: usize = 1024;
    let mut scene = Scene::connected(WhenDown::Reject);
    let endless =
        [format!("!{LEN}\r\nLOADING ").into_bytes(), vec![b'x'; LEN - 8], b"\r\n".to_vec()].concat();
    let answer_at_length = |scene: &mut Scene| endless.chunks(4096).for_each(|part| scene.answer(part));
    // What ails the server: the lane stays, and compares the words in each poll.
    scene.pass(RedisSettings::default().role_interval_ns);
    scene.pass(RedisSettings::default().role_interval_ns);
    scene.send();
    scene.answer(b"*1\r\n$6\r\nmaster\r\n");
    answer_at_length(&mut scene);
    let Some(LinkError::Loading(words)) = scene.last_error() else { panic!("{:?}", scene.last_error()) };
    assert!(words.starts_with("LOADING xx") && words.ends_with("xx…") && words.len() < KEPT_MAX, "{words}");
    // What opened the breaker.
    for _ in 0..THRESHOLD {
        scene.publish();
    }
    scene.send();
    for _ in 0..THRESHOLD {
        answer_at_length(&mut scene);
    }
    let Some(LinkError::BreakerOpen { last, .. }) = scene.last_error() else {
        panic!("{:?}", scene.last_error())
    };
    assert_eq!(last, words);
    // What turns the greeting down.
    scene.pass(PAUSE_NS);
    scene.core.connected(scene.now, PUBLISH);
    scene.send();
    answer_at_length(&mut scene);
    let Some(LinkError::BreakerOpen { last, .. }) = scene.last_error() else {
        panic!("{:?}", scene.last_error())
    };
    assert!(last.contains("LOADING xx") && last.contains("xx…") && last.len() < KEPT_MAX, "{last}");
}

#[test]
fn a_state_is_told_once_and_begins_once() {
    let mut scene = Scene::connected(WhenDown::Reject);
    scene.now.mono_ns += 1;
    let lost_ns = scene.now.mono_ns;
    scene.core.disconnected(PUBLISH, LinkError::ClosedByPeer);
    scene.poll();
    for _ in 0..3 {
        scene.pass(RedisSettings::default().reconnect_max_ns);
        scene.core.connected(scene.now, PUBLISH);
        scene.send();
        scene.answer(b"%1\r\n+role\r\n+master\r\n");
        scene.send();
        scene.answer(b"$19\r\nid=7 addr=[::1]:999\r\n");
        scene.send();
        // The answer to `CLIENT KILL`, and one that nobody asked for: ready, and gone again in the same poll.
        scene.answer(b":1\r\n:1\r\n");
        let status = scene.core.status(REDIS).publish;
        assert_eq!((status.state, status.since_ns), (EndpointState::Reconnecting, lost_ns));
        assert!(matches!(status.last_error, Some(LinkError::Protocol(_))), "{status:?}");
    }
    // Connecting, connected, reconnecting, and the error that changed.
    assert_eq!(scene.driver.tellings, 4);
}

#[test]
fn a_server_that_is_busy_for_now_is_fenced_off_later() {
    let mut scene = Scene::connected(WhenDown::Reject);
    scene.publish();
    scene.send();
    scene.core.disconnected(PUBLISH, LinkError::ClosedByPeer);
    scene.poll();
    for refused in ["INFO", "KILL"] {
        scene.pass(RedisSettings::default().reconnect_max_ns);
        scene.core.connected(scene.now, PUBLISH);
        let mut asked = scene.send();
        scene.answer(b"%1\r\n+role\r\n+master\r\n");
        asked += &scene.send();
        if refused == "KILL" {
            scene.answer(b"$19\r\nid=8 addr=[::1]:999\r\n");
            asked += &scene.send();
        }
        assert!(asked.contains(refused));
        scene.answer(b"-BUSY a script\r\n");
        assert_eq!(scene.driver.state, EndpointState::Failed, "{refused}");
    }
    scene.pass(RedisSettings::default().reconnect_max_ns);
    scene.core.connected(scene.now, PUBLISH);
    scene.send();
    scene.answer(b"%1\r\n+role\r\n+master\r\n");
    scene.send();
    scene.answer(b"$19\r\nid=9 addr=[::1]:999\r\n");
    assert!(
        scene.send().contains("KILL\r\n$2\r\nID\r\n$1\r\n7\r\n"),
        "the connection that may have left something"
    );
    scene.answer(b":1\r\n");
    assert_eq!(scene.driver.state, EndpointState::Connected);
    assert_eq!(scene.core.counters(REDIS).unfenced, 0);
}

#[test]
fn what_an_opening_breaker_had_not_begun_has_its_routes_reason() {
    for (when_down, reason) in [(WhenDown::Reject, Reason::BreakerOpen), (WhenDown::Drop, Reason::Dropped)] {
        let mut scene = Scene::connected(when_down);
        for _ in 0..THRESHOLD {
            scene.publish();
        }
        scene.send();
        scene.publish();
        for _ in 0..THRESHOLD {
            scene.answer(b"-BUSY a script\r\n");
        }
        assert_eq!(scene.driver.closes, 1);
        let expected = (u64::from(THRESHOLD), Outcome::NotSent, reason);
        assert_eq!(scene.driver.reports.last(), Some(&expected));
    }
}
