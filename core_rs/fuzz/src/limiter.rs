use std::collections::HashMap;

use alejo_core::limiter::shared::SharedLimiter;
use alejo_core::limiter::{Limiter, Quota, Quotas};

use super::feed::Feed;

const SECOND: u64 = 1_000_000_000;

fn quotas(feed: &mut Feed<'_>) -> Quotas {
    let mut quota = || {
        let rate = [0.0001, 0.7, 1.0, 10.0, 999.9, 1e6][usize::from(feed.below(6))];
        Quota::new(rate, u32::from(feed.byte()) + 1).expect("both are within their bounds")
    };
    Quotas::new(vec![quota(), quota()]).expect("two are not too many")
}

/// A limiter decides as the definition of GCRA does, while its clock goes forward; back, it only stays within its bounds.
pub(super) fn run(data: &[u8]) {
    let mut feed = Feed(data);
    let quotas = quotas(&mut feed);
    let limiter = Limiter::new(quotas.clone(), 1_000_000);
    let mut arrivals: HashMap<(u8, usize), u64> = HashMap::new();
    let (mut now, mut straight) = (feed.number() >> 2, true);
    while !feed.is_empty() {
        let (step, key, class) = (feed.below(16), feed.byte(), usize::from(feed.below(2)));
        let cost = u32::from(feed.byte());
        match step {
            0 => now = now.saturating_add(feed.number() >> feed.below(64)).min(u64::MAX >> 1),
            1 => {
                now = feed.number() >> 2;
                straight = false;
            }
            2 => limiter.reclaim(now),
            _ => {
                let quota = quotas.of(class).expect("there are two");
                let Ok(price) = quota.cost(cost) else {
                    assert!(limiter.decide(&[key], class, cost, now).is_err());
                    continue;
                };
                let told = limiter.decide(&[key], class, cost, now).expect("class and cost are known");
                assert_eq!(told.allowed, told.wait == 0);
                if straight {
                    let arrival = arrivals.entry((key, class)).or_default();
                    let (wanted, next) = quota.decide(*arrival, now, price);
                    assert_eq!(told, wanted);
                    *arrival = next;
                }
            }
        }
        limiter.validate().expect("its invariants hold");
    }
}

/// Whatever lies in the file of a shared limiter, it is refused, or used without harm.
pub(super) fn run_file(data: &[u8]) {
    let mut feed = Feed(data);
    let quotas = quotas(&mut feed);
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("table");
    let whole = feed.below(4) > 0;
    let mut file = Vec::new();
    if whole {
        drop(SharedLimiter::open(quotas.clone(), &path, 8).ok());
        file = std::fs::read(&path).unwrap_or_default();
    }
    let start = if whole { usize::from(feed.byte()) * 8 } else { 0 };
    let length = usize::from(feed.byte()) * 8;
    let damage = feed.bytes(length);
    if !file.is_empty() || !whole {
        file.resize(file.len().max(start + damage.len()), 0);
        file[start..start + damage.len()].copy_from_slice(damage);
        std::fs::write(&path, &file).expect("there is room");
    }
    let Ok(limiter) = SharedLimiter::open(quotas, &path, 8) else { return };
    let mut now = feed.number() >> 2;
    while !feed.is_empty() {
        now += u64::from(feed.byte()) * SECOND / 16;
        let told =
            limiter.decide(&[feed.byte()], usize::from(feed.below(2)), 1, now).expect("class and cost are known");
        assert_eq!(told.allowed, told.wait == 0);
    }
}
