//! The cache against a model that says in the plainest way what S3-FIFO with times and users is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use alejo_core::cache::{Item, Limits, Tier};
use alejo_core::clock::{Clock, FakeClock};
use proptest::prelude::*;

const ENTRIES: usize = 8;
const WEIGHT: u64 = 40;
const TTL: u64 = 50;
const IDLE: u64 = 20;
const SMALL: f32 = 0.25;

#[derive(Debug, Clone)]
enum Step {
    Get(u8),
    Put(u8, u64, Option<u8>),
    Remove(u8),
    Forget(u8),
    Wait(u64),
    Sweep,
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u8..24).prop_map(Step::Get),
        8 => (0u8..24, prop_oneof![20 => 0u64..9, 1 => Just(41)], prop::option::of(0u8..3))
            .prop_map(|(key, weight, user)| Step::Put(key, weight, user)),
        1 => (0u8..24).prop_map(Step::Remove),
        1 => (0u8..3).prop_map(Step::Forget),
        2 => (0u64..12).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
        1 => Just(Step::Clear),
    ]
}

#[derive(Debug, Clone)]
struct Entry {
    key: u8,
    value: u32,
    weight: u64,
    user: Option<u8>,
    put: u64,
    touched: u64,
    uses: u8,
}

/// Both queues and the ghosts, the oldest first.
#[derive(Default)]
struct Model {
    small: VecDeque<Entry>,
    main: VecDeque<Entry>,
    ghosts: VecDeque<(u8, bool)>,
    now: u64,
    evictions: u64,
    expired: u64,
}

impl Model {
    fn all(&self) -> impl Iterator<Item = &Entry> {
        self.small.iter().chain(&self.main)
    }

    fn weight(&self) -> u64 {
        self.all().map(|entry| entry.weight).sum()
    }

    fn is_over(&self, entry: &Entry) -> bool {
        self.now >= entry.put + TTL || self.now >= entry.touched + IDLE
    }

    /// Takes out what `which` chooses.
    fn drain(&mut self, which: impl Fn(&Self, &Entry) -> bool) -> Vec<Entry> {
        let gone: Vec<Entry> = self.all().filter(|entry| which(self, entry)).cloned().collect();
        let stays = |entry: &Entry| gone.iter().all(|one| one.key != entry.key);
        self.small.retain(stays);
        self.main.retain(stays);
        gone
    }

    fn get(&mut self, key: u8) -> Option<u32> {
        self.expired += self.drain(|model, entry| entry.key == key && model.is_over(entry)).len() as u64;
        let now = self.now;
        let entry = self.small.iter_mut().chain(&mut self.main).find(|entry| entry.key == key)?;
        (entry.touched, entry.uses) = (now, 3.min(entry.uses + 1));
        Some(entry.value)
    }

    fn put(&mut self, key: u8, value: u32, weight: u64, user: Option<u8>) {
        let in_main = self.main.iter().any(|entry| entry.key == key);
        let old = self.drain(|_, entry| entry.key == key).pop();
        if weight > WEIGHT {
            self.evictions += 1;
            return;
        }
        let (mut main, mut uses) = (false, 0);
        if let Some(old) = old {
            if !self.is_over(&old) {
                (main, uses) = (in_main, 3.min(old.uses + 1));
            }
        } else if let Some(ghost) = self.ghosts.iter_mut().find(|(ghost, here)| *ghost == key && *here) {
            (main, ghost.1) = (true, false);
        }
        while self.all().count() >= ENTRIES || self.weight() + weight > WEIGHT {
            self.evict();
        }
        let entry = Entry { key, value, weight, user, put: self.now, touched: self.now, uses };
        if main { self.main.push_back(entry) } else { self.small.push_back(entry) }
    }

    fn evict(&mut self) {
        let weight: u64 = self.small.iter().map(|entry| entry.weight).sum();
        let small = self.small.len() > ENTRIES / 4 || weight > WEIGHT / 4 || self.main.is_empty();
        let mut entry =
            if small { self.small.pop_front() } else { self.main.pop_front() }.expect("one of them holds one");
        if self.is_over(&entry) {
            self.expired += 1;
        } else if entry.uses > 0 {
            entry.uses = if small { 0 } else { entry.uses - 1 };
            self.main.push_back(entry);
        } else {
            self.evictions += 1;
            if small {
                self.ghosts.push_back((entry.key, true));
                while self.ghosts.len() > self.all().count() {
                    self.ghosts.pop_front();
                }
            }
        }
    }
}

/// A hash under which some keys meet.
fn hash(key: u8) -> u64 {
    u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn tier() -> Tier<u8, u32> {
    let limits = Limits::new(ENTRIES, WEIGHT, Duration::from_millis(TTL), Duration::from_millis(IDLE), SMALL);
    Tier::new(limits.unwrap())
}

fn item(hash: u64, key: u8, value: u32, weight: u64, user: Option<&str>) -> Item<'_, u8, u32> {
    Item { hash, key, value, weight, user, since: None, lives: Duration::MAX }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn it_is_its_model(steps in prop::collection::vec(step(), 0..200)) {
        let (mut tier, mut model, clock) = (tier(), Model::default(), FakeClock::new());
        let (mut hits, mut misses) = (0, 0);
        for (number, step) in (0..).zip(steps) {
            let now = clock.now();
            match step {
                Step::Get(key) => {
                    let expected = model.get(key);
                    prop_assert_eq!(tier.get(hash(key), |&held| held == key, now).copied(), expected);
                    if expected.is_some() { hits += 1 } else { misses += 1 }
                }
                Step::Put(key, weight, user) => {
                    model.put(key, number, weight, user);
                    let user = user.map(|user| user.to_string());
                    tier.put(item(hash(key), key, number, weight, user.as_deref()), |held, key| held == key, now);
                }
                Step::Remove(key) => {
                    let gone = model.drain(|_, entry| entry.key == key).pop();
                    let was_over = gone.as_ref().is_some_and(|entry| model.is_over(entry));
                    model.expired += u64::from(was_over);
                    prop_assert_eq!(tier.remove(hash(key), |&held| held == key, now), gone.is_some() && !was_over);
                }
                Step::Forget(user) => {
                    let gone = model.drain(|_, entry| entry.user == Some(user));
                    prop_assert_eq!(tier.forget(&user.to_string()), gone.len());
                }
                Step::Wait(millis) => {
                    clock.advance(Duration::from_millis(millis));
                    model.now += millis;
                }
                Step::Sweep => {
                    let gone = model.drain(Model::is_over);
                    model.expired += gone.len() as u64;
                    prop_assert_eq!(tier.sweep(now), gone.len());
                }
                Step::Clear => {
                    let Model { now, evictions, expired, .. } = model;
                    model = Model { now, evictions, expired, ..Model::default() };
                    tier.clear();
                }
            }
            prop_assert_eq!(tier.validate(), Ok(()));
            let counters = tier.counters();
            prop_assert_eq!((counters.hits, counters.misses), (hits, misses));
            prop_assert_eq!((counters.evictions, counters.expired), (model.evictions, model.expired));
            prop_assert_eq!((counters.entries, counters.weight), (model.all().count() as u64, model.weight()));
        }
    }

    #[test]
    fn keys_of_one_hash_are_kept_apart(keys in prop::collection::vec(0u8..20, 0..60)) {
        let mut tier = tier();
        for &key in &keys {
            tier.put(item(7, key, u32::from(key), 1, None), |held, key| held == key, Duration::ZERO);
            prop_assert_eq!(tier.get(7, |&held| held == key, Duration::ZERO).copied(), Some(u32::from(key)));
            prop_assert_eq!(tier.validate(), Ok(()));
        }
    }
}

#[test]
fn limits_without_a_meaning_are_refused() {
    let second = Duration::from_secs(1);
    assert!(Limits::new(1, 0, second, second, 0.5).is_ok());
    assert!(Limits::new(0, 0, second, second, 0.5).is_err());
    assert!(Limits::new((1 << 31) + 1, 0, second, second, 0.5).is_err());
    assert!(Limits::new(1, 0, Duration::from_micros(999), second, 0.5).is_err());
    assert!(Limits::new(1, 0, second, Duration::ZERO, 0.5).is_err());
    assert!(Limits::new(1, 0, second, second, f32::NAN).is_err());
}

#[test]
fn a_value_is_never_left_to_the_tier_below_once_there_was_a_newer_one() {
    let hour = Duration::from_secs(3600);
    let mut tier = Tier::over(Limits::new(1, 80, hour, hour, SMALL).unwrap(), Arc::default());
    let mut put = |key, value, user| tier.put(item(hash(key), key, value, 1, user), |a, b| a == b, Duration::ZERO);
    put(1, 10, Some("one"));
    put(2, 20, None); // in its place
    put(1, 11, Some("other"));
    tier.forget("other");
    let left: Vec<u32> = tier.demoted(true, Duration::ZERO).into_iter().map(|entry| entry.value).collect();
    assert_eq!(left, [20]);
    tier.validate().unwrap();
}
