//! The shared table: every interleaving of its words' algorithm, the table against the limiter of one process, its file.

use std::path::Path;

use alejo_core::limiter::shared::{SharedLimiter, Word, decide};
use alejo_core::limiter::{Limiter, Quota, Quotas};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

struct Checked(AtomicU64);

impl Word for Checked {
    fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn swap(&self, old: u64, new: u64) -> bool {
        self.0.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

fn quotas(rate: f64, burst: u32) -> Quotas {
    Quotas::new(vec![Quota::new(rate, burst).unwrap()]).unwrap()
}

/// Two threads ask with these hashes, so often each; how many were allowed together in every interleaving.
fn interleave(hashes: [u64; 2], times: usize, allowed: usize) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let words: Arc<Vec<Checked>> = Arc::new((0..8).map(|_| Checked(AtomicU64::new(0))).collect());
        let quota = Quota::new(1.0, 3).unwrap();
        let ask = move |words: &[Checked], hash| {
            (0..times).filter(|_| decide(words, hash, quota, quota.cost(1).unwrap(), SECOND).allowed).count()
        };
        let shared = words.clone();
        let thread = loom::thread::spawn(move || ask(&shared, hashes[0]));
        let ours = ask(&words, hashes[1]);
        assert_eq!(ours + thread.join().unwrap(), allowed);
    });
}

#[test]
fn in_every_interleaving_one_key_gets_one_burst() {
    interleave([1, 1], 2, 3);
}

#[test]
fn in_every_interleaving_two_keys_get_two() {
    interleave([1, 2], 2, 4);
}

fn open(path: &Path, rate: f64, burst: u32) -> SharedLimiter {
    SharedLimiter::open(quotas(rate, burst), path, 1_000).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_table_decides_as_the_limiter_of_one_process(
        steps in prop::collection::vec((0..20_u8, 0..4_u32, 0..400_u64), 1..200),
        start in 0..u64::from(u32::MAX),
        again in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        let mut shared = open(&path, 10.0, 5);
        let limiter = Limiter::new(quotas(10.0, 5), 1_000);
        let mut now = start * SECOND; // 136 years, so that times wrap around
        for (key, cost, step) in steps {
            now += step * 1_000_000;
            let alone = limiter.decide(&[key], 0, cost, now).unwrap();
            prop_assert_eq!(shared.decide(&[key], 0, cost, now).unwrap(), alone);
            if again && key == 0 {
                drop(shared);
                shared = open(&path, 10.0, 5);
            }
        }
        shared.validate().unwrap();
    }
}

#[test]
fn a_full_table_forgets_who_owes_least() {
    let folder = tempfile::tempdir().unwrap();
    let limiter = SharedLimiter::open(quotas(1.0, 2), &folder.path().join("table"), 0).unwrap();
    for key in 0..1_000_u32 {
        assert!(limiter.decide(&key.to_le_bytes(), 0, 1, SECOND).unwrap().allowed);
    }
    assert!(limiter.len(SECOND) <= 16);
    limiter.validate().unwrap();
}

#[test]
fn a_clock_that_begins_anew_locks_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let limiter = open(&folder.path().join("table"), 10.0, 5);
    let allowed = |now| (0..20).filter(|_| limiter.decide(b"me", 0, 1, now).unwrap().allowed).count();
    assert_eq!(allowed(90 * 86_400 * SECOND), 5);
    assert_eq!(allowed(SECOND), 0);
    assert_eq!(allowed(SECOND + SECOND / 2), 5);
}

#[test]
fn many_who_open_at_once_share_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = &folder.path().join("table");
    let count = || (0..100).filter(|_| open(path, 0.001, 100).decide(b"me", 0, 1, SECOND).unwrap().allowed).count();
    let allowed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(allowed, 100);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn what_is_no_table_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table");
    for content in [vec![], vec![0; 63], vec![7; 64 + 64]] {
        std::fs::write(&path, content).unwrap();
        assert!(SharedLimiter::open(quotas(1.0, 1), &path, 1).is_err());
    }
    assert!(SharedLimiter::open(quotas(1.0, 1), &folder.path().join("no/such"), 1).is_err());
    assert!(SharedLimiter::open(quotas(0.0001, 1_000), &folder.path().join("slow"), 1).is_err());
}
