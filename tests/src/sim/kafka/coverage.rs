//! What the runs exercised.

use crate::sim::coverage::counts;

counts! {
    KafkaCoverage:
    /// Messages accepted by publishers.
    accepted,
    /// Messages that ended *delivered*.
    delivered,
    /// ... as a repetition whose place the broker did not tell.
    delivered_without_place,
    /// ... *not sent*.
    not_sent,
    /// ... because of `delivery.timeout.ms`.
    expired,
    /// ... because of a broker's error.
    refused_by_broker,
    /// ... because no batch that holds them is small enough.
    too_large,
    /// ... because the topic has no such partition.
    no_partition,
    /// ... because of the route's `when_down`.
    down,
    /// ... *unknown*.
    unknown,
    /// *Unknown*, and in the log.
    unknown_appended,
    /// *Unknown* because the broker lost what it knew of the producer.
    state_lost,
    /// Messages refused for want of credit.
    back_pressured,
    /// Messages that the core took while not all leaders were connected.
    waited,
    /// Produce requests.
    produces,
    /// Batches that were sent again.
    resends,
    /// Batches sent while others of their partition were under way.
    pipelined,
    /// Requests cut by the end of their connection.
    half_sent,
    /// Batches that arrived on a connection that the client had given up.
    late_batches,
    /// Answers that said that the broker does not lead the partition.
    not_leader,
    /// ... and named the leader.
    hints,
    /// Answers with an older leader than was known.
    stale_answers,
    /// Answers that the sequence is not the expected one.
    out_of_order,
    /// Answers that a batch is too large.
    batches_too_large,
    /// Answers that named invalid records.
    record_errors,
    /// Answers with other errors.
    other_errors,
    /// Epochs raised by the producer.
    epochs,
    /// Answers that asked for a pause.
    throttles,
    /// Answers replaced by nonsense.
    nonsense,
    /// Connections given up for a breach of the protocol.
    protocol_errors,
    /// Connections given up because no answer came.
    reply_timeouts,
    /// Connects given up.
    connect_timeouts,
    /// Greetings given up.
    handshake_timeouts,
    /// Connections opened.
    connections,
    /// Connects refused.
    refused_connects,
    /// Connects to where a broker says it is, and is not.
    lost_ways,
    /// Sends that took a part only.
    partial_sends,
    /// Messages of which less could be claimed, because the world took the log or the producer's state away.
    shaken,
    /// Messages appended twice, after that.
    shaken_twice,
    /// Brokers stopped.
    stops,
    /// Times when all brokers were stopped.
    blackouts,
    /// Brokers that led and were not listed.
    fences,
    /// Brokers that stood still.
    pauses,
    /// Answers held back.
    holds,
    /// Leaders moved.
    moves,
    /// Brokers that stopped hearing of moves.
    stales,
    /// Errors injected.
    injections,
    /// Topics deleted, and made again.
    recreations,
    /// Partitions added.
    partitions_added,
    /// Producers forgotten.
    forgets,
    /// Topics that were not allowed for a while.
    bans,
    /// Brokers that advertised themselves elsewhere.
    advertisements,
    /// Connections cut.
    cuts,
    /// ... behind an answer, and before the next one.
    curt_ends,
    /// Runs ended by `expire` in the middle.
    expires,
    /// Messages that this found without an outcome.
    expired_in_flight,
    /// Duty cycles.
    turns,
}
