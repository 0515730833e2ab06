//! Sixteen threads on few keys: for a second, with ALEJO_PROOFS=full for a minute.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alejo_core::clock::{Clock, MachineClock};
use alejo_core::limiter::shared::SharedLimiter;
use alejo_core::limiter::{Decision, Limiter, Quota, Quotas};

const THREADS: u64 = 16;
const KEYS: u64 = 32;
const RATE: f64 = 1000.0;
const BURST: u32 = 100;

/// Every key is asked for without a pause; it gets its burst and its rate, no more, and hardly less.
fn hammer(decide: impl Fn(&[u8], u32, u64) -> Decision + Sync, validate: impl Fn() + Sync) {
    let seconds = if std::env::var("ALEJO_PROOFS").is_ok_and(|size| size == "full") { 60 } else { 1 };
    let clock = MachineClock::precise();
    let nanos = || u64::try_from(clock.now().as_nanos()).unwrap();
    let passed: Vec<AtomicU64> = (0..KEYS).map(|_| AtomicU64::new(0)).collect();
    let (start, length) = (nanos(), Duration::from_secs(seconds).as_nanos() as u64);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (passed, decide, validate, nanos) = (&passed, &decide, &validate, &nanos);
            scope.spawn(move || {
                for step in thread.. {
                    let now = nanos();
                    if now - start > length {
                        break;
                    }
                    let (key, cost) = (step * 7 % KEYS, (step % 3 + 1) as u32);
                    let told = decide(&key.to_le_bytes(), cost, now);
                    assert_eq!(told.allowed, told.wait == 0);
                    passed[key as usize].fetch_add(if told.allowed { cost.into() } else { 0 }, Ordering::Relaxed);
                    if thread == 0 && step.is_multiple_of(10_000) {
                        validate();
                    }
                }
            });
        }
    });
    validate();
    let whole = RATE * (nanos() - start) as f64 / 1e9 + f64::from(BURST);
    for count in passed {
        let count = count.into_inner() as f64;
        assert!(count <= whole && count > whole * 0.7, "{count} of {whole}");
    }
}

fn quotas() -> Quotas {
    Quotas::new(vec![Quota::new(RATE, BURST).unwrap()]).unwrap()
}

#[test]
fn the_limiter_of_a_process_bears_it() {
    let limiter = Limiter::new(quotas(), 1_000);
    let decide = |key: &[u8], cost, now| limiter.decide(key, 0, cost, now).unwrap();
    hammer(decide, || limiter.validate().unwrap());
    limiter.reclaim(u64::MAX / 2);
    assert!(limiter.is_empty());
}

#[test]
fn the_shared_table_bears_it() {
    let folder = tempfile::tempdir().unwrap();
    let limiter = SharedLimiter::open(quotas(), &folder.path().join("table"), 1_000).unwrap();
    let decide = |key: &[u8], cost, now| limiter.decide(key, 0, cost, now).unwrap();
    hammer(decide, || limiter.validate().unwrap());
}
