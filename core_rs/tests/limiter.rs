//! The limiter against the definition of GCRA, and against the crate governor.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use alejo_core::limiter::{Decision, Limiter, Quota, Quotas};
use governor::clock::FakeRelativeClock;
use governor::{Quota as Peer, RateLimiter};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

fn limiter(quotas: &[(f64, u32)], keys: usize) -> Limiter {
    let quotas = quotas.iter().map(|&(rate, burst)| Quota::new(rate, burst).unwrap()).collect();
    Limiter::new(Quotas::new(quotas).unwrap(), keys)
}

/// What a key owes, as a sum that flows off, in 128 bits.
#[derive(Default)]
struct Model {
    debts: HashMap<(u8, usize), (i128, i128)>,
}

impl Model {
    fn decide(&mut self, key: u8, class: usize, (interval, burst): (i128, i128), cost: i128, now: i128) -> Decision {
        let (debt, seen) = self.debts.entry((key, class)).or_default();
        *debt = (*debt - (now - *seen)).clamp(0, interval * burst);
        *seen = now;
        let over = *debt + cost * interval - burst * interval;
        if over <= 0 {
            *debt += cost * interval;
        }
        let remaining = ((burst * interval - *debt) / interval) as u32;
        Decision { allowed: over <= 0, remaining, wait: over.max(0) as u64 }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn every_decision_is_that_of_the_definition(
        steps in prop::collection::vec((0..12_u8, 0..2_usize, 0..4_u32, 0..400_u64), 1..120),
        start in 0..u64::from(u32::MAX),
    ) {
        let limiter = limiter(&[(10.0, 5), (1000.0 / 7.0, 3)], 1000);
        let mut model = Model::default();
        let mut now = start + 100 * SECOND;
        for (key, class, cost, step) in steps {
            now += step * 1_000_003;
            let parameters = [(100_000_000, 5), (7_000_000, 3)][class];
            let told = limiter.decide(&[key], class, cost.min(3), now).unwrap();
            prop_assert_eq!(told, model.decide(key, class, parameters, cost.min(3).into(), now.into()));
            if key == 0 {
                limiter.reclaim(now); // what is taken back is never missed
                limiter.validate().unwrap();
            }
        }
        limiter.validate().unwrap();
    }

    #[test]
    fn governor_decides_alike(
        interval in 1..2_000_u64,
        burst in 1..20_u32,
        steps in prop::collection::vec((0..3_000_u64, 1..4_u32), 1..100),
    ) {
        let (interval, step) = (interval * 1_000_000, 1_000_000);
        let limiter = limiter(&[(SECOND as f64 / interval as f64, burst)], 10);
        let clock = FakeRelativeClock::default();
        let quota = Peer::with_period(Duration::from_nanos(interval)).unwrap();
        let peer = RateLimiter::direct_with_clock(quota.allow_burst(NonZeroU32::new(burst).unwrap()), clock.clone());
        let mut now = SECOND;
        for (millis, cost) in steps {
            now += millis * step;
            clock.advance(Duration::from_millis(millis));
            let cost = cost.min(burst);
            let theirs = peer.check_n(NonZeroU32::new(cost).unwrap()).unwrap().is_ok();
            let ours = limiter.decide(b"key", 0, cost, now).unwrap().allowed;
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn a_bound_is_kept(keys in prop::collection::vec(0..3_000_u16, 1..3_000)) {
        let limiter = limiter(&[(1.0, 2)], 500);
        for (number, key) in keys.iter().enumerate() {
            let now = SECOND + number as u64 * 1_000_000;
            let before = limiter.decide(&key.to_le_bytes(), 0, 0, now).unwrap().remaining;
            let after = limiter.decide(&key.to_le_bytes(), 0, 1, now).unwrap().remaining;
            prop_assert_eq!(after, before.saturating_sub(1));
        }
        limiter.validate().unwrap();
        prop_assert!(limiter.len() <= 64 * (500 / 64 * 9 / 8 + 16));
    }
}

#[test]
fn a_refusal_says_exactly_when_to_come_again() {
    let limiter = limiter(&[(10.0, 50)], 10);
    for remaining in (0..50).rev() {
        let told = limiter.decide(b"me", 0, 1, SECOND).unwrap();
        assert_eq!(told, Decision { allowed: true, remaining, wait: 0 });
    }
    let Decision { wait, .. } = limiter.decide(b"me", 0, 3, SECOND).unwrap();
    assert_eq!(wait, 300_000_000);
    assert!(!limiter.decide(b"me", 0, 3, SECOND + wait - 1).unwrap().allowed);
    assert!(limiter.decide(b"me", 0, 3, SECOND + wait).unwrap().allowed);
}

#[test]
fn a_clock_that_jumps_gives_one_burst_at_most_and_locks_nobody_out() {
    let limiter = limiter(&[(10.0, 5)], 10);
    let allowed = |now| (0..20).filter(|_| limiter.decide(b"me", 0, 1, now).unwrap().allowed).count();
    let hour = 3600 * SECOND;
    assert_eq!(allowed(2 * hour), 5);
    assert_eq!(allowed(hour), 0, "an hour back: no free burst");
    assert_eq!(allowed(hour + SECOND / 2), 5, "nor a lock for that hour");
    assert_eq!(allowed(9 * hour), 5);
}

#[test]
fn who_comes_late_with_the_time_takes_nothing_off_a_debt() {
    let limiter = limiter(&[(10.0, 5)], 10);
    let ask = |cost, now| limiter.decide(b"me", 0, cost, now).unwrap();
    assert!(ask(5, 2 * SECOND).allowed);
    let late = 2 * SECOND - 300_000_000;
    assert_eq!(ask(1, late), Decision { allowed: false, remaining: 0, wait: 400_000_000 });
    assert_eq!(ask(0, late), Decision { allowed: true, remaining: 0, wait: 0 });
    assert_eq!(ask(0, 2 * SECOND).remaining, 0);
    assert_eq!(ask(0, 2 * SECOND + 100_000_000).remaining, 1);
}

#[test]
fn memory_of_idle_keys_comes_back() {
    let limiter = limiter(&[(10.0, 5)], 1_000_000);
    for key in 0..100_000_u32 {
        limiter.decide(&key.to_le_bytes(), 0, 1, SECOND).unwrap();
    }
    assert_eq!(limiter.len(), 100_000);
    for _ in 0..300_000 {
        limiter.decide(b"one that stays", 0, 0, 2 * SECOND).unwrap();
    }
    assert!(limiter.len() < 100_000, "by itself, where requests come");
    limiter.reclaim(2 * SECOND);
    assert!(limiter.is_empty());
    limiter.validate().unwrap();
}

#[test]
fn threads_together_get_one_burst() {
    let limiter = limiter(&[(0.001, 1_000)], 10);
    let count = |_| (0..1_000).filter(|_| limiter.decide(b"me", 0, 1, SECOND).unwrap().allowed).count();
    let allowed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|number| scope.spawn(move || count(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(allowed, 1_000);
}

#[test]
fn what_means_nothing_is_refused() {
    for (rate, burst) in [(0.0, 1), (-1.0, 1), (f64::NAN, 1), (1e7, 1), (1.0, 0), (0.0001, u32::MAX)] {
        assert!(Quota::new(rate, burst).is_err(), "{rate} {burst}");
    }
    assert!(Quotas::new(vec![]).is_err());
    let limiter = limiter(&[(1.0, 5)], 1);
    assert!(limiter.decide(b"", 0, 6, SECOND).is_err());
    assert!(limiter.decide(b"", 1, 1, SECOND).is_err());
}
