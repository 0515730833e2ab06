use std::collections::HashMap;
use std::time::Duration;

use alejo_core::cache::disk::{Disk, Keep};

use super::feed::Feed;

const HOUR: Duration = Duration::from_secs(3600);

struct Put {
    value: Vec<u8>,
    user: u8,
    expires: u64,
}

/// A cache on disk gives out what was put last, for no longer than it may, and nothing of whom it was told to forget.
pub(super) fn run(data: &[u8]) {
    let mut feed = Feed(data);
    let folder = tempfile::tempdir().expect("there is room");
    let open = || Disk::open(folder.path(), 1 << 20, HOUR).expect("the folder is there");
    let (mut disk, mut puts, mut now) = (open(), HashMap::<u8, Put>::new(), 0_u64);
    while !feed.is_empty() {
        let (step, key) = (feed.below(16), feed.below(24));
        let time = Duration::from_millis(now);
        match step {
            0..=4 => {
                let found = disk.get(&[key], time, |found| found.value.to_vec());
                let known = puts.get(&key).filter(|put| now < put.expires).map(|put| &put.value);
                assert!(found.is_none() || found.as_ref() == known);
            }
            5..=9 => {
                let user = feed.below(4);
                let name = (user > 0).then(|| user.to_string());
                let value = vec![feed.byte(); usize::from(feed.byte()) << feed.below(12)];
                let lives = u64::from(feed.byte()) + 1;
                let stamp = disk.stamps().stamp(name.as_deref());
                let keep = Keep { key: &[key], value: &value, stamp, lives: Duration::from_millis(lives) };
                disk.put(&[keep], time).expect("the disk is not full");
                puts.insert(key, Put { value, user, expires: now + lives });
            }
            10 => {
                disk.remove(&[key]).expect("the disk does not fail");
                puts.remove(&key);
            }
            11 => {
                let user = feed.below(3) + 1;
                disk.stamps().forget(&user.to_string());
                puts.retain(|_, put| put.user != user);
            }
            12 => now += u64::from(feed.byte()),
            13 => drop(disk.sweep(time).expect("the disk does not fail")),
            14 => {
                disk.clear().expect("the disk does not fail");
                puts.clear();
            }
            _ => {
                drop(disk);
                disk = open();
            }
        }
        disk.validate().expect("its invariants hold");
    }
}
