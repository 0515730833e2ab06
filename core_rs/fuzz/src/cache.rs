use std::collections::HashMap;
use std::time::Duration;

use alejo_core::cache::{Item, Limits, Stamp, Tier};

use super::feed::Feed;

/// What was put last under a key.
struct Put {
    value: u32,
    user: u8,
    expires: u64,
}

/// A cache holds what was put last, for no longer than it may, and nothing of whom it was told to forget; so is what it leaves to
/// the tier below.
pub(super) fn run(data: &[u8]) {
    let mut feed = Feed(data);
    let (entries, most) = (usize::from(feed.below(9)) + 1, u64::from(feed.byte()));
    let (ttl, idle) = (u64::from(feed.byte()) + 1, u64::from(feed.byte()) + 1);
    let small = f32::from(feed.below(89) + 1) / 100.0;
    let limits = Limits::new(entries, most, Duration::from_millis(ttl), Duration::from_millis(idle), small);
    let mut tier: Tier<u8, u32> = Tier::over(limits.expect("each is within its bounds"), Default::default());
    let (mut puts, mut now) = (HashMap::<u8, Put>::new(), 0);
    let mut stamps = HashMap::<u8, (Stamp, bool)>::new();
    for value in 0.. {
        if feed.is_empty() {
            break;
        }
        let (step, key) = (feed.below(18), feed.below(24));
        let (hash, time) = (hash(key), Duration::from_millis(now));
        match step {
            0..=5 => {
                let found = tier.get(hash, |held| *held == key, time).copied();
                let known = puts.get(&key).filter(|put| now < put.expires).map(|put| put.value);
                assert!(found.is_none() || found == known);
            }
            6..=10 => {
                let user = feed.below(4);
                let name = (user > 0).then(|| user.to_string());
                let weight = u64::from(feed.byte()) << (8 * u64::from(feed.below(40) / 39 * 4));
                let lives = u64::from(feed.byte()) + 1;
                let since = stamps.get(&user).filter(|_| lives.is_multiple_of(2));
                let item = Item {
                    hash,
                    key,
                    value,
                    weight,
                    user: name.as_deref(),
                    since: since.map(|since| since.0),
                    lives: Duration::from_millis(lives),
                };
                tier.put(item, |held, new| held == new, time);
                if since.is_none_or(|since| since.1) {
                    puts.insert(key, Put { value, user, expires: now + lives.min(ttl) });
                }
            }
            11 => {
                tier.remove(hash, |held| *held == key, time);
                puts.remove(&key);
            }
            12 => {
                let user = feed.below(3) + 1;
                tier.forget(&user.to_string());
                puts.retain(|_, put| put.user != user);
                stamps.entry(user).and_modify(|stamp| stamp.1 = false);
            }
            13 => now += u64::from(feed.byte()),
            14 => drop(tier.sweep(time)),
            15 => {
                let user = feed.below(3) + 1;
                stamps.insert(user, (tier.stamps().stamp(Some(&user.to_string())), true));
            }
            16 => {
                for entry in tier.demoted(feed.below(2) > 0, time) {
                    let known = puts.get(&entry.key).expect("it was put, and neither taken out nor forgotten");
                    assert!(entry.value == known.value && entry.hash == self::hash(entry.key));
                }
            }
            _ if feed.below(8) == 0 => {
                tier.clear();
                puts.clear();
            }
            _ => {}
        }
        tier.validate().expect("its invariants hold");
        let held = tier.counters();
        assert!(held.entries <= entries as u64 && held.weight <= most);
    }
}

/// A hash under which some keys meet.
fn hash(key: u8) -> u64 {
    u64::from(key % 20).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
