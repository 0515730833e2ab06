//! Sixteen threads on two tiers: for a second, with ALEJO_PROOFS=full for a minute.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use alejo_core::cache::disk::{Disk, Keep};
use alejo_core::cache::{Item, Limits, Stamp, Tier};

const THREADS: u64 = 16;
const KEYS: u64 = 600;
const USERS: u64 = 5;
const LIVES: Duration = Duration::from_millis(200);

/// A value as it is made: its key, and the generation its user had then.
fn value(key: u64, generation: u32, length: usize) -> Vec<u8> {
    let mut made = [key.to_le_bytes(), u64::from(generation).to_le_bytes()].concat();
    made.resize(16 + length, key as u8);
    made
}

fn check(key: u64, made: &[u8], before: u32) {
    assert_eq!(made[..8], key.to_le_bytes());
    assert!(made[16..].iter().all(|byte| *byte == key as u8));
    let generation = u64::from_le_bytes(made[8..16].try_into().unwrap());
    assert!(generation >= before.into(), "a value of before its user was forgotten");
}

#[test]
fn two_tiers_bear_it() {
    let seconds = if std::env::var("ALEJO_PROOFS").is_ok_and(|size| size == "full") { 60 } else { 1 };
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path(), 1 << 22, Duration::from_secs(3600)).unwrap();
    let limits = Limits::new(200, 1 << 18, LIVES, LIVES / 2, 0.2).unwrap();
    let tier = Mutex::new(Tier::<u64, Vec<u8>>::over(limits, disk.stamps().clone()));
    let (start, work) = (Instant::now(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (disk, tier, work) = (&disk, &tier, &work);
            scope.spawn(move || {
                let mut chance = (thread + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                for step in 0u64.. {
                    if start.elapsed().as_secs() >= seconds {
                        break;
                    }
                    chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let (roll, key) = (chance >> 60, (chance >> 32) % KEYS);
                    let user = (key % USERS).to_string();
                    let now = start.elapsed();
                    match roll {
                        0 if step % 50 == 0 => drop(tier.lock().unwrap().forget(&user)),
                        1 => {
                            let rows = tier.lock().unwrap().demoted(step % 200 == 0, now);
                            let names: Vec<_> = rows.iter().map(|row| row.key.to_le_bytes()).collect();
                            let keeps: Vec<Keep<'_>> = rows
                                .iter()
                                .zip(&names)
                                .map(|(row, name)| Keep {
                                    key: name,
                                    value: &row.value,
                                    stamp: row.stamp,
                                    lives: row.lives,
                                })
                                .collect();
                            disk.put(&keeps, now).unwrap();
                        }
                        2 if step % 100 == 0 => drop(disk.sweep(now).unwrap()),
                        _ => fetch(disk, tier, key, &user, now, (chance >> 40) as usize % 900),
                    }
                    if thread == 0 && step % 5000 == 0 {
                        tier.lock().unwrap().validate().unwrap();
                        disk.validate().unwrap();
                    }
                    work.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    tier.lock().unwrap().validate().unwrap();
    disk.validate().unwrap();
    let (memory, below) = (tier.lock().unwrap().counters(), disk.counters());
    // What expires is met in either tier, in which of them depends on how busy the machine is.
    let expired = memory.expired + below.expired;
    assert!(memory.hits > 0 && memory.evictions > 0 && expired > 0 && below.hits > 0, "{memory:?} {below:?}");
    println!("{} steps, {memory:?}, {below:?}", work.into_inner());
}

/// As the host does it: memory, else disk, else made; what began before its user was forgotten is not kept.
fn fetch(disk: &Disk, tier: &Mutex<Tier<u64, Vec<u8>>>, key: u64, user: &str, now: Duration, length: usize) {
    let before = disk.stamps().stamp(Some(user));
    if let Some(found) = tier.lock().unwrap().get(key, |held| *held == key, now) {
        return check(key, found, before.generation);
    }
    let found = disk.get(&key.to_le_bytes(), now, |found| (found.value.to_vec(), found.stamp, found.lives));
    let (made, since, lives): (Vec<u8>, Stamp, Duration) = match found {
        Some((made, stamp, lives)) => {
            check(key, &made, before.generation);
            (made, stamp, lives)
        }
        None => (value(key, before.generation, length), before, Duration::MAX),
    };
    let weight = made.len() as u64;
    let item = Item { hash: key, key, value: made, weight, user: Some(user), since: Some(since), lives };
    tier.lock().unwrap().put(item, |held, key| held == key, now);
}
