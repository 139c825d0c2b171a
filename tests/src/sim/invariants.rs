//! What must hold while a run goes on. Each function is one invariant; [`super::streams`] has those of the
//! subscriptions, which are looked at when the run is over.

use ringwire_core::{
    BreakerState, Charge, ConnectionId, Core, Delivery, EndpointId, EndpointState, Event, LinkError,
    MILLISECOND_NS, Outcome, Reason, Report, Role, SubscriberId, WhenDown,
};
use ringwire_loopback::redis::Executed;

use super::context::{Context, START_NS};
use super::ledger::{self, Execution, LegRecord};
use super::network::Network;
use super::port::Port;
use super::publisher::Publisher;
use super::scenario::{PATTERNS, REFUSED_RETRY_NS, SUBSCRIPTIONS_MAX, Scenario};
use super::subscriber::{Record, Told};

/// Each accepted (message, leg) has one outcome, with the numbers that it was published with; what was refused has
/// none.
pub(crate) fn outcome_is_the_only_one(ctx: &mut Context, charge: Charge, report: &Report) -> bool {
    const NAME: &str = "one outcome per accepted message and leg";
    let Some(message) = ctx.ledger.message(charge.publisher, report.sequence) else {
        ctx.judge.broken(NAME, format!("nobody published {charge:?} {report:?}"));
        return false;
    };
    let numbers = (message.channel, message.tag, message.intended_ns);
    let (handed_ns, handed) = (message.handed_ns, message.handed_ns.is_some());
    let Some(leg) = message.legs.get_mut(usize::from(report.leg)) else {
        ctx.judge.broken(NAME, format!("no such leg: {charge:?} {report:?}"));
        return false;
    };
    let before = leg.outcome.replace(report.outcome);
    let expected = (leg.endpoint, leg.cost);
    let found = (charge.endpoint.map(|it| usize::from(it.0)), charge.bytes);
    let judge = &mut ctx.judge;
    judge.require(before.is_none(), NAME, || format!("{before:?} was told before {charge:?} {report:?}"));
    judge.require(handed, NAME, || format!("the core does not have it yet: {charge:?} {report:?}"));
    judge.require(expected == found, "an outcome gives back what was charged", || {
        format!("expected endpoint and bytes {expected:?}, found {found:?} in {report:?}")
    });
    judge.require(
        handed_ns == Some(charge.taken_ns) || !handed,
        "an outcome knows when its message was taken",
        || format!("expected {handed_ns:?}, found {charge:?}"),
    );
    judge.require(
        numbers == (report.channel, report.tag, report.intended_ns),
        "a report carries its message's numbers",
        || format!("expected channel, tag, intended {numbers:?}, found {report:?}"),
    );
    judge.note(|| {
        format!(
            "outcome of {}.{} leg {}: {:?} {:?}",
            charge.publisher.0, report.sequence, report.leg, report.outcome, report.reason
        )
    });
    before.is_none()
}

/// *Delivered* was executed once, with that many receivers; *not sent* was not executed (and never will be, see
/// [`execution_belongs_to_a_message`]).
pub(crate) fn outcome_is_true(ctx: &mut Context, charge: Charge, report: &Report, bus_taken: u64) {
    let Some(message) = ctx.ledger.message(charge.publisher, report.sequence) else { return };
    let leg = message.legs[usize::from(report.leg)].clone();
    let receivers = if leg.endpoint.is_none() { bus_taken } else { leg.receivers };
    let coverage = &mut ctx.coverage;
    match report.outcome {
        Outcome::Delivered => {
            coverage.delivered += 1;
            coverage.bus_messages += u64::from(leg.endpoint.is_none());
            coverage.buffered_deliveries += u64::from(leg.waited);
            let trips = leg.endpoint.map_or(0, |it| ctx.breakers[it].trips);
            coverage.buffered_over_trips += u64::from(trips >= leg.trips + 2);
        }
        Outcome::NotSent => coverage.not_sent += 1,
        Outcome::Unknown => {
            coverage.unknown += 1;
            coverage.unknown_executed += u64::from(leg.executed > 0);
        }
    }
    coverage.server_errors += u64::from(report.reason == Reason::ServerError);
    if report.outcome == Outcome::Delivered {
        delivered_in_order(ctx, &leg, charge, report);
    }
    reason_is_right(ctx, &leg, charge, report);
    if leg.endpoint.is_some_and(|endpoint| ctx.ledger.lies(endpoint)) {
        return;
    }
    let unknown_to_server =
        report.reason == Reason::ServerError && report.error_text().starts_with(b"NOAUTH");
    connected_means_authenticated(ctx, !unknown_to_server);
    match report.outcome {
        Outcome::Delivered => {
            ctx.judge.require(leg.executed == 1, "delivered means executed once", || {
                format!("executed {} times: {charge:?} {report:?}", leg.executed)
            });
            ctx.judge.require(receivers == report.receivers(), "delivered counts the receivers", || {
                format!("expected {receivers}, found {} in {charge:?} {report:?}", report.receivers())
            });
        }
        Outcome::NotSent => {
            ctx.judge.require(leg.executed == 0, "not sent means never executed", || {
                format!("executed {} times: {charge:?} {report:?}", leg.executed)
            });
        }
        Outcome::Unknown => {}
    }
}

/// *Delivered* is told in the order of the messages.
fn delivered_in_order(ctx: &mut Context, leg: &LegRecord, charge: Charge, report: &Report) {
    let Some(endpoint) = leg.endpoint else { return };
    let key = (endpoint, report.channel, charge.publisher.0 as usize);
    let last = ctx.ledger.last_delivered.insert(key, report.sequence);
    ctx.judge.require(last.is_none_or(|last| last < report.sequence), "delivered is told in order", || {
        format!("after {last:?}: {charge:?} {report:?}")
    });
}

/// The reason fits the outcome and the route's `when_down`: above all, what may wait for a connection is not given up
/// for want of one, and an open breaker is a reason while it is open and for nobody but those who reject.
fn reason_is_right(ctx: &mut Context, leg: &LegRecord, charge: Charge, report: &Report) {
    let when_down = leg.when_down;
    let is_open = leg.endpoint.is_some_and(|it| ctx.breakers[it].is_open());
    let coverage = &mut ctx.coverage;
    coverage.breaker_rejections += u64::from(report.reason == Reason::BreakerOpen);
    coverage.breaker_drops += u64::from(report.reason == Reason::Dropped && !leg.waited);
    let right = match (report.outcome, report.reason) {
        // While there is no connection the route decides at once.
        (Outcome::Delivered, Reason::None) | (Outcome::NotSent, Reason::ServerError) => {
            !leg.waited || when_down == WhenDown::Buffer
        }
        (Outcome::Unknown | Outcome::NotSent, Reason::Shutdown) => ctx.expired,
        (Outcome::Unknown, Reason::ConnectionLost) => true,
        (Outcome::NotSent, Reason::ConnectionLost) => when_down != WhenDown::Buffer,
        // Before the breaker opened the lane was up.
        (Outcome::NotSent, Reason::BreakerOpen) => when_down == WhenDown::Reject && is_open,
        (Outcome::NotSent, Reason::NotConnected) => when_down == WhenDown::Reject && leg.waited && !is_open,
        (Outcome::NotSent, Reason::Dropped) => when_down == WhenDown::Drop && (leg.waited || is_open),
        _ => false,
    };
    let is_told_at_once =
        matches!(report.reason, Reason::BreakerOpen | Reason::NotConnected | Reason::Dropped);
    let late = is_told_at_once && leg.waited && report.at_ns != charge.taken_ns;
    ctx.judge.require(!late, "what may not wait is answered at once", || format!("{charge:?} {report:?}"));
    ctx.judge.require(right, "the reason fits the outcome and the route", || {
        format!(
            "{when_down:?}, down at first: {}, breaker open: {is_open}: {charge:?} {report:?}",
            leg.waited
        )
    });
}

/// A connection on which the server wants a password first is not connected.
fn connected_means_authenticated(ctx: &mut Context, holds: bool) {
    ctx.judge
        .require(holds, "connected means authenticated", || "a command was answered with NOAUTH".to_owned());
}

/// What a server executes was accepted, has this channel and payload and a leg to this endpoint, is not *not sent*,
/// and is executed once at most. Also keeps the order, for [`order_is_kept`].
pub(crate) fn execution_belongs_to_a_message(
    ctx: &mut Context,
    endpoint: usize,
    executed: &Executed,
    orphan: bool,
) {
    const NAME: &str = "what is executed was accepted";
    let (now_ns, lies) = (ctx.now_ns, ctx.ledger.liars[endpoint]);
    let position = ctx.ledger.journals[endpoint].len();
    let Some((publisher, sequence)) = ledger::sender(&executed.payload) else {
        return ctx.judge.broken(NAME, format!("endpoint {endpoint} executed {executed:?}"));
    };
    let messages = ctx.ledger.messages.get_mut(publisher);
    let Some(message) = messages.and_then(|messages| messages.get_mut(sequence as usize)) else {
        return ctx.judge.broken(NAME, format!("endpoint {endpoint} executed {executed:?}"));
    };
    let channel = message.channel;
    let name = &ctx.ledger.channels[channel as usize];
    let whole = executed.payload == ledger::payload(publisher, sequence, message.payload_len);
    let Some(leg) = message.legs.iter_mut().find(|leg| leg.endpoint == Some(endpoint)) else {
        return ctx.judge.broken(NAME, format!("{publisher}.{sequence} has no leg to endpoint {endpoint}"));
    };
    leg.executed += 1;
    leg.receivers = executed.receivers;
    leg.position = position;
    let leg = leg.clone();
    ctx.judge.note(|| {
        format!("endpoint {endpoint} executes {publisher}.{sequence} for {} receivers", executed.receivers)
    });
    ctx.judge.require(whole && **name == *executed.channel, NAME, || {
        format!("{publisher}.{sequence} was published to {name:?}, and is executed as {executed:?}")
    });
    ctx.judge.require(leg.executed == 1, "nothing is executed twice", || {
        format!("{publisher}.{sequence} at endpoint {endpoint}, outcome {:?}", leg.outcome)
    });
    let late = lies || leg.outcome != Some(Outcome::NotSent);
    ctx.judge.require(late, "not sent means never executed", || {
        format!("{publisher}.{sequence} is executed at endpoint {endpoint} after its outcome")
    });
    ctx.coverage.late_executions += u64::from(leg.outcome == Some(Outcome::Unknown) || orphan);
    ctx.ledger.journals[endpoint].push(Execution { at_ns: now_ns, channel });
    let last = ctx.ledger.last_executed.insert((endpoint, channel, publisher), sequence);
    if last.is_some_and(|last| last >= sequence) {
        let words =
            format!("{publisher}.{sequence} after {publisher}.{} on channel {channel}", last.unwrap_or(0));
        ctx.judge.note(|| format!("disorder at endpoint {endpoint}: {words}"));
        ctx.ledger.disorder[endpoint].get_or_insert(words);
    }
}

/// An endpoint executes a publisher's messages to one channel in the order of their sequences, over all
/// connections; unless an old connection could not be killed, which the core counts.
pub(crate) fn order_is_kept(ctx: &mut Context, core: &Core, network: &Network) {
    for endpoint in 0..ctx.ledger.disorder.len() {
        let unfenced = core.counters(EndpointId(endpoint as u16)).unfenced;
        ctx.coverage.unfenced += unfenced;
        let refused = network.peers[endpoint].refused_fencing || ctx.ledger.liars[endpoint];
        ctx.judge.require(
            unfenced == 0 || refused,
            "old connections are fenced off where the server lets us",
            || format!("endpoint {endpoint}: {unfenced} are not"),
        );
        if unfenced > 0 || ctx.ledger.liars[endpoint] {
            continue;
        }
        if let Some(words) = ctx.ledger.disorder[endpoint].take() {
            ctx.judge.broken("order per channel, publisher and leg", format!("endpoint {endpoint}: {words}"));
        }
    }
}

/// A server that was a replica all through the greeting is not connected to, if it tells.
pub(crate) fn replicas_are_not_joined(ctx: &mut Context, network: &Network, connection: ConnectionId) {
    let Some(socket) = network.socket_of(connection).map(|index| &network.sockets[index]) else { return };
    let told = network.peers[socket.endpoint].is_replica_since(socket.since_ns);
    let ok = !told || connection.role() == Role::Subscribe || ctx.ledger.liars[socket.endpoint];
    ctx.judge.require(ok, "a replica is not connected to", || format!("{connection:?}"));
}

/// A half-open breaker does not take a server whose `PING`s are answered with errors.
pub(crate) fn trials_want_health(ctx: &mut Context, network: &Network, connection: ConnectionId) {
    let Some(socket) = network.socket_of(connection).map(|index| &network.sockets[index]) else { return };
    let on_trial = connection.role() == Role::Publish && ctx.breakers[socket.endpoint].is_half_open();
    let unwell = network.peers[socket.endpoint].is_unwell_since(socket.since_ns);
    ctx.judge.require(!on_trial || !unwell, "a half-open breaker wants a sign of health", || {
        format!("{connection:?} is connected to a server that is unwell")
    });
}

/// A server that has become a replica executes messages for nobody: its clients find out in time, if it tells them.
pub(crate) fn replicas_are_left(ctx: &mut Context, endpoint: usize, in_time: bool) {
    let lies = ctx.ledger.liars[endpoint];
    ctx.judge.require(in_time || lies, "a replica is left in time", || {
        format!("endpoint {endpoint} has been one for long, and still gets messages")
    });
}

/// With an endpoint that nothing ever happens to, everything is delivered once the first connection is there,
/// within a bound that knows nothing of the other endpoints.
pub(crate) fn healthy_endpoints_deliver(
    ctx: &mut Context,
    charge: Charge,
    report: &Report,
    ready_ns: Option<u64>,
) {
    const NAME: &str = "a healthy endpoint delivers whatever happens to the others";
    let now_ns = ctx.now_ns;
    let bound_ns = ctx.healthy_bound_ns;
    let Some(message) = ctx.ledger.message(charge.publisher, report.sequence) else { return };
    let handed_ns = message.handed_ns.unwrap_or(now_ns);
    let before_ready = ready_ns.is_none_or(|ready_ns| handed_ns <= ready_ns);
    let refused = matches!(report.reason, Reason::NotConnected | Reason::Dropped) && before_ready;
    let ok = report.outcome == Outcome::Delivered || refused || ctx.expired;
    ctx.judge.require(ok, NAME, || format!("{charge:?} {report:?}"));
    let waited_ns = now_ns - handed_ns.max(ready_ns.unwrap_or(now_ns));
    ctx.judge.require(waited_ns <= bound_ns, NAME, || {
        format!("{:.1} ms, expected {:.1}: {report:?}", waited_ns as f64 / 1e6, bound_ns as f64 / 1e6)
    });
}

/// A connection to an endpoint that nothing ever happens to stays once it is there.
pub(crate) fn healthy_connections_stay(
    ctx: &mut Context,
    connection: ConnectionId,
    old: EndpointState,
    new: EndpointState,
) {
    let stays = old != EndpointState::Connected || ctx.expired;
    ctx.judge.require(stays, "a healthy connection stays", || format!("{connection:?} is {}", new.name()));
}

/// Deliveries go to the subscription's own subscriber, while it exists, and carry what it asked for.
pub(crate) fn delivery_is_due(
    ctx: &mut Context,
    record: &Record,
    subscriber: SubscriberId,
    delivery: &Delivery<'_>,
) {
    const NAME: &str = "deliveries belong to a subscription";
    let own = record.subscription.subscriber;
    let lies = ctx.ledger.lies(record.journal(ctx.ledger.bus()));
    let judge = &mut ctx.judge;
    judge.require(own == subscriber, NAME, || format!("{delivery:?} to {subscriber:?}, expected {own:?}"));
    judge.require(record.live, "nothing after unsubscribe", || format!("{delivery:?}"));
    if let Event::Message { channel, .. } = delivery.event {
        let due = lies || record.matches(channel);
        judge.require(due, NAME, || format!("{delivery:?} for {:?}", record.subscription));
    }
    judge.require(delivery.received_ns == ctx.now_ns, "deliveries carry the present", || {
        format!("{delivery:?}")
    });
}

/// What a subscription is told, for the books. A message is looked up in the journal of its source.
pub(crate) fn told(ctx: &mut Context, record: &Record, delivery: &Delivery<'_>, socket: usize) -> Told {
    let at_ns = ctx.now_ns;
    match delivery.event {
        Event::Subscribed => {
            ctx.coverage.subscribed += 1;
            Told::Subscribed { at_ns, socket }
        }
        Event::Refused { error } => {
            let lies = ctx.ledger.lies(record.journal(ctx.ledger.bus()));
            connected_means_authenticated(ctx, lies || !error.starts_with(b"NOAUTH"));
            ctx.coverage.refused_subscriptions += 1;
            Told::Refused
        }
        Event::Gap { reason, lost } => {
            use ringwire_core::GapReason as Why;
            let coverage = &mut ctx.coverage;
            coverage.gaps_reconnected += u64::from(reason.contains(Why::RECONNECTED));
            coverage.gaps_ring_full += u64::from(reason.contains(Why::RING_FULL));
            coverage.gaps_too_long += u64::from(reason.contains(Why::TOO_LONG));
            coverage.gaps_unsubscribed += u64::from(reason.contains(Why::UNSUBSCRIBED));
            Told::Gap { reason, lost }
        }
        Event::Message { channel, payload } => {
            let journal = record.journal(ctx.ledger.bus());
            let endpoint = (journal != ctx.ledger.bus()).then_some(journal);
            let position = ledger::sender(payload).and_then(|(publisher, sequence)| {
                let message = ctx.ledger.messages.get(publisher)?.get(sequence as usize)?;
                let leg = message.legs.iter().find(|leg| leg.endpoint == endpoint && leg.executed > 0)?;
                let same = payload == ledger::payload(publisher, sequence, message.payload_len)
                    && *channel == *ctx.ledger.channels[message.channel as usize];
                same.then_some(leg.position)
            });
            Told::Message { position, at_ns, socket }
        }
    }
}

/// A bare `PING` and a `ROLE` may stand beside the messages; a greeting is shorter than this.
const OUTPUT_EXTRA_MAX: usize = 512;

/// Every queue in the core is bounded by credits, and the core's counters, the credits and the books agree.
pub(crate) fn queues_are_bounded(
    port: &mut Port,
    core: &Core,
    publishers: &[Publisher],
    scenario: &Scenario,
) {
    let ctx = &mut port.ctx;
    for (endpoint, plan) in scenario.endpoints.iter().enumerate() {
        let id = EndpointId(endpoint as u16);
        let books = ctx.ledger.outstanding_at(endpoint);
        let counters = core.counters(id);
        let found = (counters.in_flight, counters.in_flight_bytes);
        let expected = (books.handed.messages, books.handed.bytes);
        ctx.judge.require(found == expected, "in flight is what was handed over and has no outcome", || {
            format!("endpoint {endpoint}: messages and bytes: expected {expected:?}, found {found:?}")
        });
        let ended = counters.delivered + counters.not_sent + counters.unknown + counters.in_flight;
        ctx.judge.require(counters.accepted == ended, "counters add up", || format!("{counters:?}"));
        for role in [Role::Publish, Role::Subscribe] {
            let len = core.output(ConnectionId::new(id, role)).len();
            let bound = match role {
                Role::Publish => books.handed.bytes as usize + OUTPUT_EXTRA_MAX,
                // Each name has one command under way.
                Role::Subscribe => (SUBSCRIPTIONS_MAX + PATTERNS.len()) * 80 + OUTPUT_EXTRA_MAX,
            };
            ctx.judge.require(len <= bound, "output is bounded by credits", || {
                format!(
                    "endpoint {endpoint} {role:?}: {len} bytes, expected {bound} at most ({:?})",
                    plan.character
                )
            });
        }
    }
    for publisher in publishers {
        for (endpoint, account) in publisher.accounts.iter().enumerate() {
            let expected = ctx.ledger.outstanding[publisher.index][endpoint].accepted;
            let found = account.outstanding();
            ctx.judge.require(
                found == expected,
                "outstanding credit is what was accepted and has no outcome",
                || {
                    format!(
                        "publisher {} endpoint {endpoint}: expected {expected:?}, found {found:?}",
                        publisher.index
                    )
                },
            );
            ctx.judge.require(found.within(account.capacity()), "credit is within its bound", || {
                format!("publisher {} endpoint {endpoint}: {found:?}", publisher.index)
            });
        }
    }
}

/// When the core says that there is nothing more to do, its deadline lies ahead: else its driver would spin.
pub(crate) fn core_does_not_spin(ctx: &mut Context, deadline_ns: Option<u64>) {
    let now_ns = ctx.now_ns;
    ctx.judge.require(
        deadline_ns.is_none_or(|at_ns| at_ns > now_ns),
        "an idle core's deadline lies ahead",
        || format!("poll answered that nothing is left, and the deadline {deadline_ns:?} is past"),
    );
}

/// Before the deadline that it gave, a core to which nothing happened has nothing to do.
pub(crate) fn core_is_not_asleep(ctx: &mut Context, effects: u64, deadline_ns: Option<u64>) {
    ctx.judge.require(effects == 0, "nothing happens before the deadline", || {
        format!("{effects} effects of a poll without any cause, before the deadline {deadline_ns:?}")
    });
}

/// What the core told of states is what it says when it is asked.
pub(crate) fn states_agree(port: &mut Port, core: &Core) {
    for endpoint in 0..port.ready_ns.len() {
        let status = core.status(EndpointId(endpoint as u16));
        let (told, found) =
            (&port.states[endpoint * 2..endpoint * 2 + 2], [status.publish.state, status.subscribe.state]);
        let oldest = status.oldest_ns.is_some() == (status.counters.in_flight > 0);
        port.ctx.judge.require(oldest, "the oldest message has an age", || format!("{status:?}"));
        port.ctx.judge.require(told == found, "states are told", || {
            format!("endpoint {endpoint}: told {told:?}, found {found:?}")
        });
        let told = port.breakers[endpoint];
        port.ctx.judge.require(told == status.breaker, "breakers are told", || {
            format!("endpoint {endpoint}: told {told:?}, found {:?}", status.breaker)
        });
        for (index, lane) in [(endpoint * 2, &status.publish), (endpoint * 2 + 1, &status.subscribe)] {
            let told = (port.since_ns[index], &port.errors[index]);
            port.ctx.judge.require(
                told == (lane.since_ns, &lane.last_error),
                "what is said of a state was told with it",
                || format!("endpoint {endpoint}: told {told:?}, found {lane:?}"),
            );
        }
    }
}

/// A state is told again only for the sake of another error, or of the breaker; and a connection that is there has only such errors as
/// its `PING`s are answered with.
pub(crate) fn telling_has_a_reason(
    port: &mut Port,
    connection: ConnectionId,
    error: Option<LinkError>,
    breaker: Option<BreakerState>,
) {
    let (before, state) = (port.before[connection.index()], port.states[connection.index()]);
    let told = std::mem::replace(&mut port.errors[connection.index()], error);
    let endpoint = usize::from(connection.endpoint().0);
    let moved = breaker.is_some_and(|it| std::mem::replace(&mut port.breakers[endpoint], it) != it);
    let error = &port.errors[connection.index()];
    let Context { judge, coverage, .. } = &mut port.ctx;
    let has_reason = before != state || told != *error || moved;
    judge.require(has_reason, "a state is told again for another error only", || {
        format!("{connection:?} is {} with {error:?} again", state.name())
    });
    let is_there = state == EndpointState::Connected;
    match error {
        None => coverage.ailments_cleared += u64::from(is_there && before == state),
        Some(LinkError::Loading(_)) if is_there => coverage.ailments_loading += 1,
        Some(LinkError::MasterDown(_)) if is_there => coverage.ailments_master_down += 1,
        Some(LinkError::Unhealthy(_)) if is_there => coverage.ailments_unhealthy += 1,
        Some(_) => judge.require(!is_there, "a connection that is there has no such error", || {
            format!("{connection:?} is {} with {error:?}", state.name())
        }),
    }
    let has_none = matches!(state, EndpointState::Disconnected | EndpointState::Connecting);
    judge.require(!has_none || error.is_none(), "what was never there has no error", || {
        format!("{connection:?} is {} with {error:?}", state.name())
    });
}

/// Wakes in a millisecond that a shard without work may ask for: a look at full rings each millisecond, and some
/// clocks.
const WAKES_PER_MS_MAX: u64 = 4;

/// A core without work lets its shard sleep.
pub(crate) fn core_sleeps(ctx: &mut Context, wakes: u64) {
    let bound = (ctx.now_ns - START_NS) / MILLISECOND_NS * WAKES_PER_MS_MAX + 100;
    ctx.judge.require(wakes <= bound, "a core without work lets its shard sleep", || {
        format!("{wakes} wakes for deadlines, expected {bound} at most")
    });
}

/// A subscribe lane sends what subscriptions and clocks need, and no more: above all no refused command again and
/// again.
pub(crate) fn lanes_are_quiet(port: &mut Port, network: &Network, scenario: &Scenario) {
    /// A name's two commands with their `PING`s, some of them asked for by the server's own doing.
    const NAME_BYTES: u64 = 120;
    for socket in network.sockets.iter().filter(|it| it.connection.role() == Role::Subscribe) {
        if port.ctx.ledger.lies(socket.endpoint) {
            continue;
        }
        let own = port.subscriptions.iter().filter(|it| it.journal(usize::MAX) == socket.endpoint);
        let names = own.count() as u64 + port.ctx.coverage.server_unsubscribes;
        let settings = &scenario.endpoints[socket.endpoint].settings;
        let age_ns = port.ctx.now_ns - socket.since_ns;
        let pings = age_ns / settings.ping_interval_ns + 2;
        let retries = age_ns / REFUSED_RETRY_NS;
        let bound = 600 + pings * 14 + names * NAME_BYTES * (1 + retries);
        let sent = socket.sent;
        port.ctx.judge.require(sent <= bound, "a subscribe lane sends no more than it must", || {
            format!("{sent} bytes in {:.1} ms, expected {bound} at most", age_ns as f64 / 1e6)
        });
    }
}

/// When nothing is accepted any more and everything has its outcome, every credit is back.
pub(crate) fn credits_come_back(ctx: &mut Context, publishers: &[Publisher]) {
    for publisher in publishers {
        for (endpoint, account) in publisher.accounts.iter().enumerate() {
            let left = account.outstanding();
            ctx.judge.require(left.messages == 0 && left.bytes == 0, "every credit comes back", || {
                format!("publisher {} endpoint {endpoint}: {left:?}", publisher.index)
            });
        }
        if let Some(reports) = &publisher.reports {
            let left = reports.slots.outstanding();
            ctx.judge.require(left.messages == 0, "every report slot comes back", || {
                format!("publisher {}: {left:?}", publisher.index)
            });
        }
    }
    let undecided = ctx.ledger.undecided();
    ctx.judge.require(undecided == 0, "one outcome per accepted message and leg", || {
        format!("{undecided} legs have none at the end")
    });
}
