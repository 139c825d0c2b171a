//! Which partition a record goes to.

use ringwire_codec::kafka::{consistent_partition, murmur2_partition};

use super::settings::{Partitioner, PartitionerInput};
use crate::backoff::Random;
use crate::frame::Frame;

/// What one topic remembers between two choices.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The next one of a round.
    turn: u32,
    /// The one that is stuck to, and bytes that it still gets.
    sticky: Option<u32>,
    sticky_left: usize,
}

/// What is known of the record beside its frame.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) topic: &'a str,
    /// Hash of the channel's name.
    pub(super) channel_hash: u32,
    pub(super) partitions: u32,
    pub(super) batch_size: usize,
}

/// The choice; `None` if it is no partition of the topic. Where any partition will do, one that has a leader.
#[inline]
pub(super) fn choose(
    partitioner: &Partitioner,
    memory: &mut Memory,
    context: Context<'_>,
    frame: &Frame<'_>,
    random: &mut Random,
    is_led: impl Fn(u32) -> bool,
) -> Option<u32> {
    let Context { topic, channel_hash, partitions, batch_size } = context;
    if frame.partition >= 0 {
        return Some(frame.partition as u32).filter(|number| *number < partitions);
    }
    // A multiplication spreads a hash as evenly as the remainder of a division, which costs more than all else here.
    let of_channel = || ((u64::from(channel_hash) * u64::from(partitions)) >> u32::BITS) as u32;
    Some(match partitioner {
        Partitioner::Murmur2 => frame.key.map_or_else(of_channel, |key| murmur2_partition(key, partitions)),
        Partitioner::Consistent => {
            frame.key.map_or_else(of_channel, |key| consistent_partition(key, partitions))
        }
        Partitioner::ChannelHash => of_channel(),
        Partitioner::Sticky => match frame.key {
            Some(key) => murmur2_partition(key, partitions),
            None => memory.stick(partitions, batch_size, frame.body_len(), random, is_led),
        },
        Partitioner::RoundRobin => {
            memory.turn = led_from(memory.turn.wrapping_add(1) % partitions, partitions, is_led);
            memory.turn
        }
        Partitioner::Single(number) => return Some(*number).filter(|number| *number < partitions),
        Partitioner::Custom(function) => {
            let input = PartitionerInput { topic, key: frame.key, payload: frame.payload, partitions };
            let chosen = function.choose(&input);
            return u32::try_from(chosen).ok().filter(|number| *number < partitions);
        }
    })
}

impl Memory {
    fn stick(
        &mut self,
        partitions: u32,
        batch_size: usize,
        len: usize,
        random: &mut Random,
        is_led: impl Fn(u32) -> bool,
    ) -> u32 {
        let number = match self.sticky {
            Some(number) if self.sticky_left > 0 && number < partitions && is_led(number) => number,
            _ => {
                self.sticky_left = batch_size;
                led_from(random.up_to(u64::from(partitions) - 1) as u32, partitions, is_led)
            }
        };
        self.sticky = Some(number);
        self.sticky_left = self.sticky_left.saturating_sub(len);
        number
    }
}

/// The first partition from `first` on that has a leader; `first` if none has.
fn led_from(first: u32, partitions: u32, is_led: impl Fn(u32) -> bool) -> u32 {
    (first..partitions).chain(0..first).find(|number| is_led(*number)).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::super::settings::CustomPartitioner;
    use super::*;

    #[test]
    fn each_partitioner_chooses_as_it_says() {
        let custom = |function: fn(&PartitionerInput<'_>) -> i64| {
            Partitioner::Custom(CustomPartitioner::new(function))
        };
        let keyed = Frame { key: Some(b"EURUSD"), payload: Some(b"x"), ..Frame::default() };
        let keyless = Frame { payload: Some(b"x"), ..Frame::default() };
        let explicit = |partition| Frame { partition, ..keyed };
        let cases: [(Partitioner, Frame<'_>, [Option<u32>; 3]); 11] = [
            (Partitioner::Murmur2, keyed, [Some(murmur2_partition(b"EURUSD", 8)); 3]),
            (Partitioner::Murmur2, keyless, [Some(3); 3]),
            (Partitioner::Consistent, keyed, [Some(consistent_partition(b"EURUSD", 8)); 3]),
            (Partitioner::Consistent, keyless, [Some(3); 3]),
            (Partitioner::ChannelHash, keyed, [Some(3); 3]),
            (Partitioner::RoundRobin, keyed, [Some(1), Some(2), Some(3)]),
            (Partitioner::Single(7), keyed, [Some(7); 3]),
            (Partitioner::Single(8), keyed, [None; 3]),
            (custom(|input| i64::from(input.partitions) - 1), keyless, [Some(7); 3]),
            (custom(|_| -1), keyless, [None; 3]),
            (custom(|_| 1 << 40), explicit(2), [Some(2); 3]),
        ];
        for (partitioner, frame, expected) in cases {
            let (mut memory, mut random) = (Memory::default(), Random::new(1));
            let context = Context { topic: "fx", channel_hash: 3 << 29, partitions: 8, batch_size: 100 };
            let chosen =
                [(); 3].map(|()| choose(&partitioner, &mut memory, context, &frame, &mut random, |_| true));
            assert_eq!(chosen, expected, "{partitioner:?} {frame:?}");
            let out = choose(&partitioner, &mut memory, context, &explicit(8), &mut random, |_| true);
            assert_eq!(out, None, "{partitioner:?} leaves the topic");
        }
    }

    #[test]
    fn sticky_stays_for_a_batch_and_visits_all() {
        let (mut memory, mut random) = (Memory::default(), Random::new(1));
        let context = Context { topic: "fx", channel_hash: 0, partitions: 4, batch_size: 100 };
        let payload = [0; 10];
        let frame = Frame { payload: Some(&payload), ..Frame::default() };
        let mut counts = [0; 4];
        for _ in 0..100 {
            let runs: Vec<u32> = (0..10)
                .map(|_| {
                    choose(&Partitioner::Sticky, &mut memory, context, &frame, &mut random, |_| true).unwrap()
                })
                .collect();
            assert!(runs.windows(2).all(|pair| pair[0] == pair[1]), "{runs:?}");
            counts[runs[0] as usize] += 1;
        }
        assert!(counts.iter().all(|count| *count >= 10), "{counts:?}");
    }

    #[test]
    fn what_may_go_anywhere_goes_where_there_is_a_leader() {
        let context = Context { topic: "fx", channel_hash: 0, partitions: 4, batch_size: 20 };
        let frame = Frame { payload: Some(&[0; 10]), ..Frame::default() };
        let run = |partitioner: &Partitioner, is_led: fn(u32) -> bool| -> Vec<u32> {
            let (mut memory, mut random) = (Memory::default(), Random::new(1));
            let mut next =
                |_| choose(partitioner, &mut memory, context, &frame, &mut random, is_led).unwrap();
            (0..100).map(&mut next).collect()
        };
        let turns = run(&Partitioner::RoundRobin, |number| number % 2 == 1);
        assert_eq!(turns[..4], [1, 3, 1, 3]);
        for partitioner in [Partitioner::RoundRobin, Partitioner::Sticky] {
            let led = run(&partitioner, |number| number > 1);
            assert!(led.iter().all(|it| *it > 1) && led.contains(&2) && led.contains(&3), "{led:?}");
            // Nobody leads: they wait somewhere.
            assert!(run(&partitioner, |_| false).iter().all(|it| *it < 4));
        }
    }
}
