use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::random::Random;
use crate::ring::{CAPACITY_MIN, ClaimError, frame_ring};

/// Under Miri each step costs some thousand times more.
const SEEDS: u64 = if cfg!(miri) { 2 } else { 300 };
const STEPS: usize = if cfg!(miri) { 100 } else { 1_000 };
const STRESS_MESSAGES: u64 = if cfg!(miri) { 200 } else { 200_000 };

/// No test waits longer for the other thread.
const DEADLINE: Duration = Duration::from_secs(60);

fn random_amount(random: &mut Random, messages: usize, bytes: usize) -> Amount {
    Amount { messages: random.up_to(messages) as u64, bytes: random.up_to(bytes) as u64 }
}

/// One leg of a channel, with what a reader of the code would count on paper.
struct Leg {
    account: Account,
    grantor: Grantor,
    outstanding: Amount,
    /// Given back, not yet published.
    hidden: Amount,
}

impl Leg {
    fn new(capacity: Amount) -> Self {
        let (account, grantor) = credit(capacity);
        Self { account, grantor, outstanding: Amount::default(), hidden: Amount::default() }
    }

    /// What the account must answer: only what was published is free.
    fn should_fit(&self, amount: Amount) -> bool {
        self.outstanding.plus(self.hidden).plus(amount).within(self.account.capacity())
    }
}

/// Messages with up to four legs take from every leg or from none.
fn all_or_nothing(seed: u64) {
    let mut random = Random::new(seed);
    let count = 1 + random.up_to(3);
    let mut legs: Vec<Leg> = (0..count).map(|_| Leg::new(random_amount(&mut random, 20, 1_000))).collect();
    for step in 0..STEPS {
        let at = format!("seed {seed}, step {step}");
        if random.one_in(2) {
            let amount = Amount { messages: 1, bytes: random.up_to(150) as u64 };
            let expected = legs.iter().all(|leg| leg.should_fit(amount));
            let before: Vec<Amount> = legs.iter().map(|leg| leg.account.taken()).collect();
            let fits = legs.iter_mut().all(|leg| leg.account.fits(amount));
            assert_eq!(fits, expected, "{at}");
            for (leg, before) in legs.iter_mut().zip(before) {
                assert_eq!(leg.account.taken(), before, "{at}: asking took something");
                if fits {
                    leg.account.take(amount);
                    leg.outstanding = leg.outstanding.plus(amount);
                }
            }
        } else {
            let chosen = random.up_to(count - 1);
            let leg = &mut legs[chosen];
            let amount =
                random_amount(&mut random, leg.outstanding.messages as usize, leg.outstanding.bytes as usize);
            leg.grantor.give_back(amount);
            leg.outstanding = leg.outstanding.minus(amount);
            leg.hidden = leg.hidden.plus(amount);
            if random.one_in(2) {
                assert_eq!(leg.grantor.publish(), leg.hidden != Amount::default(), "{at}");
                assert!(!leg.grantor.publish(), "{at}: nothing is left to publish");
                leg.hidden = Amount::default();
            }
        }
        for leg in &legs {
            assert_eq!(leg.account.outstanding(), leg.outstanding.plus(leg.hidden), "{at}");
            assert!(leg.account.outstanding().within(leg.account.capacity()), "{at}");
            assert_eq!(leg.grantor.returned().plus(leg.outstanding), leg.account.taken(), "{at}");
        }
    }
}

#[test]
fn a_message_takes_from_all_its_legs_or_from_none() {
    for seed in 0..SEEDS {
        all_or_nothing(seed);
    }
}

#[test]
fn what_exceeds_the_capacity_never_fits() {
    let capacity = Amount { messages: 2, bytes: 100 };
    let (mut account, grantor) = credit(capacity);
    assert_eq!((account.capacity(), grantor.capacity()), (capacity, capacity));
    for (messages, bytes, fits) in
        [(1, 100, true), (2, 0, true), (3, 0, false), (1, 101, false), (0, 101, false)]
    {
        assert_eq!(account.fits(Amount { messages, bytes }), fits, "{messages} messages, {bytes} bytes");
    }
}

/// A publisher that waits is woken for half of its credit, for more where its message needs more, and never for more
/// than there is.
#[test]
fn who_waits_is_woken_for_half_of_the_credit() {
    // Capacity, the message that is waited for, messages and bytes that must come back first.
    for (capacity, amount, messages, bytes) in [
        ((8, 800), (1, 10), 4, 400),
        ((8, 800), (1, 700), 4, 700),
        ((8, 800), (1, 9_999), 4, 800),
        ((1, 100), (1, 10), 1, 50),
        ((8, 0), (1, 0), 4, 0),
    ] {
        let amount_of = |(messages, bytes)| Amount { messages, bytes };
        let capacity = amount_of(capacity);
        let (mut account, mut grantor) = credit(capacity);
        assert!(grantor.suffices(), "nobody waits");
        assert!(account.fits(capacity));
        account.take(capacity);
        account.want(amount_of(amount));
        let enough = Amount { messages, bytes };
        let short = [
            Amount { messages: messages - 1, ..enough },
            Amount { bytes: bytes.saturating_sub(1), ..enough },
        ];
        for short in short.into_iter().filter(|short| *short != enough) {
            assert!(
                !Grantor { published: short, ..grantor_like(&grantor) }.suffices(),
                "{capacity:?}: {short:?}"
            );
        }
        grantor.give_back(enough);
        assert!(!grantor.suffices(), "{capacity:?}: not published");
        grantor.publish();
        assert!(grantor.suffices(), "{capacity:?}: {enough:?}");
    }
}

fn grantor_like(grantor: &Grantor) -> Grantor {
    Grantor { shared: grantor.shared.clone(), ..*grantor }
}

/// The reason for Acquire and Release: the shard gives the room in the ring back before the credit, so a
/// publisher with credit always finds room.
#[test]
fn credit_implies_room_in_the_ring() {
    const FRAME: usize = 8;
    let until = Instant::now() + DEADLINE;
    let (mut writer, mut reader) = frame_ring(CAPACITY_MIN).unwrap();
    // Eight records of a word fill the ring exactly, without padding.
    let (mut account, mut grantor) = credit(Amount { messages: 8, bytes: 0 });
    let one = Amount { messages: 1, bytes: 0 };
    let publishing = thread::spawn(move || {
        for number in 0..STRESS_MESSAGES {
            while !account.fits(one) {
                assert!(Instant::now() < until, "no credit came back");
                thread::yield_now();
            }
            account.take(one);
            match writer.try_claim(FRAME) {
                Ok(mut claim) => {
                    claim.copy_from_slice(&number.to_le_bytes());
                    claim.commit();
                }
                Err(error) => {
                    assert_ne!(error, ClaimError::Full, "credit without room");
                    panic!("{error}");
                }
            }
        }
        account
    });
    let mut expected = 0_u64;
    while expected < STRESS_MESSAGES {
        assert!(Instant::now() < until, "only {expected} messages came");
        let count = reader.read(3, |frame| {
            assert_eq!(frame, expected.to_le_bytes());
            expected += 1;
        });
        grantor.give_back(Amount { messages: count as u64, bytes: 0 });
        if !grantor.publish() {
            thread::yield_now();
        }
    }
    let account = publishing.join().unwrap();
    assert_eq!(account.outstanding(), Amount::default());
    assert_eq!(account.taken(), grantor.returned());
}

#[test]
fn everything_fits_once_the_limit_is_waived() {
    let one = Amount { messages: 1, bytes: 100 };
    let (mut account, mut grantor) = credit(Amount { messages: 2, bytes: 1_000 });
    for _ in 0..2 {
        assert!(account.fits(one));
        account.take(one);
    }
    assert!(!account.fits(one));
    grantor.give_back(one);
    grantor.waive();
    assert_eq!(account.outstanding(), Amount::default());
    for _ in 0..1_000 {
        assert!(account.fits(one));
        account.take(one);
        assert!(account.try_take_messages(1));
    }
    account.untake(one);
    assert!(account.fits(Amount { messages: 1 << 40, bytes: 1 << 50 }));
    assert_eq!(account.outstanding(), Amount::default());
}
