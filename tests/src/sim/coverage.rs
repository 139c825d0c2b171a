//! What the runs exercised, so that the simulation cannot stop exercising something in silence.

/// What one run exercised, or many.
pub trait Counts: Default + Send {
    /// Every count with its name.
    fn counts(&self) -> Vec<(&'static str, u64)>;

    /// Adds another run's counts.
    fn add(&mut self, other: &Self);
}

macro_rules! counts {
    ($type:ident: $($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counts over one run, or summed over many.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $type {
            $($(#[doc = $doc])+ pub $name: u64,)+
            /// Mixed from everything that happened: equal for two runs of one seed.
            pub digest: u64,
        }

        impl $crate::sim::Counts for $type {
            fn counts(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)+]
            }

            fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
                self.digest ^= other.digest;
            }
        }
    };
}
pub(crate) use counts;

counts! {
    Coverage:
    /// Messages accepted by publishers.
    accepted,
    /// (Message, leg) that ended *delivered*.
    delivered,
    /// ... *not sent*.
    not_sent,
    /// ... *unknown*.
    unknown,
    /// *Unknown*, and executed after all.
    unknown_executed,
    /// Connections established after an endpoint's first, both roles.
    reconnects,
    /// Messages that were accepted while their endpoint was down, and delivered later.
    buffered_deliveries,
    /// Commands cut by a lost connection and sent again from their first byte.
    cut_resends,
    /// `CLIENT KILL`s sent to fence a predecessor.
    fencing_kills,
    /// Old connections still open at the server when they were killed.
    fencing_hits,
    /// Bytes that arrived for a connection that had been killed: these would have executed late.
    fenced_bytes,
    /// Old connections that could not be killed.
    unfenced,
    /// Messages executed after their outcome was known to be *unknown*.
    late_executions,
    /// Gaps told because of a reconnect.
    gaps_reconnected,
    /// ... because of a full ring.
    gaps_ring_full,
    /// ... because a message was too long.
    gaps_too_long,
    /// ... because the server ended the subscription.
    gaps_unsubscribed,
    /// Messages dropped at full rings.
    ring_full_drops,
    /// Subscriptions that were told of a refusal.
    refused_subscriptions,
    /// Subscriptions that came into force.
    subscribed,
    /// Subscriptions ended at run time.
    unsubscribed,
    /// Subscriptions that the server ended by itself.
    server_unsubscribes,
    /// Messages that subscribers read.
    messages_read,
    /// Greetings of servers that know no `HELLO`.
    resp2_greetings,
    /// Connections given up because no answer came.
    reply_timeouts,
    /// Connects given up.
    connect_timeouts,
    /// Greetings given up.
    handshake_timeouts,
    /// Connections that the server turned away (password, permission).
    turned_away,
    /// Connections left because the server was demoted.
    demotions_seen,
    /// Connections given up for a breach of the protocol.
    protocol_errors,
    /// `send`s that took a part only.
    partial_sends,
    /// Publishes refused for want of credit or room.
    back_pressured,
    /// Publishes refused because reports were not read.
    reports_full,
    /// Publishes refused because every leg rejects.
    refused_not_connected,
    /// Messages answered with an error.
    server_errors,
    /// Breakers that opened.
    breaker_trips,
    /// ... because answers did not come.
    breaker_trips_timeout,
    /// ... again, because the one message that was let out failed.
    breaker_trips_half_open,
    /// Open breakers that were tried again.
    breaker_trials,
    /// ... and found the server still unwell, by its greeting.
    breaker_trials_refused,
    /// Breakers that closed.
    breaker_closes,
    /// Messages rejected because a breaker was open.
    breaker_rejections,
    /// Messages that an open breaker's route dropped though they were queued before.
    breaker_drops,
    /// Messages answered after their breaker had opened.
    drained_answers,
    /// Messages that waited while their breaker opened twice or more, and were delivered.
    buffered_over_trips,
    /// Connected lanes that were told to be loading.
    ailments_loading,
    /// ... to be without their primary.
    ailments_master_down,
    /// ... to be otherwise unwell.
    ailments_unhealthy,
    /// ... to be well again.
    ailments_cleared,
    /// Connections that a full server turned away.
    turned_away_full,
    /// Endpoints opened for their own sake whose both lanes were connected in the end.
    opened_endpoints,
    /// Messages over the local bus.
    bus_messages,
    /// Faults that began.
    faults,
    /// Stalls of the shard that were longer than a reply timeout.
    stalls,
    /// Runs ended by `expire`.
    expires,
    /// Messages that `expire` found without an outcome.
    expired_in_flight,
    /// Duty cycles.
    turns,
}
