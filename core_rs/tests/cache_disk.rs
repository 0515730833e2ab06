//! The cache on disk: against a plain model, over restarts, kills, altered bytes, copies and forks.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alejo_core::cache::disk::{Disk, Keep};
use alejo_core::clock::{Clock, FakeClock};
use proptest::prelude::*;

const SIZE: u64 = 1 << 20;
const ROOM: u64 = SIZE / 2;
const TTL: u64 = 1000;
const HOUR: Duration = Duration::from_secs(3600);

fn open(folder: &Path) -> Disk {
    Disk::open(folder, SIZE, HOUR).unwrap()
}

fn brief(folder: &Path) -> Disk {
    Disk::open(folder, SIZE, Duration::from_millis(TTL)).unwrap()
}

fn put(disk: &Disk, key: &str, value: &[u8], user: Option<&str>, now: Duration) {
    let keep = Keep { key: key.as_bytes(), value, stamp: disk.stamps().stamp(user), lives: HOUR };
    disk.put(&[keep], now).unwrap();
}

fn get(disk: &Disk, key: &str) -> Option<Vec<u8>> {
    disk.get(key.as_bytes(), Duration::ZERO, |found| found.value.to_vec())
}

#[derive(Debug, Clone)]
enum Step {
    Get(u8),
    Put(Vec<(u8, usize, Option<u8>)>, u64),
    Remove(u8),
    Forget(u8),
    Wait(u64),
    Sweep,
    Clear,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![8 => 0usize..3000, 4 => 3000usize..60_000, 1 => Just(200_000usize)];
    let entry = (0u8..40, length, prop::option::of(0u8..3));
    prop_oneof![
        8 => (0u8..40).prop_map(Step::Get),
        8 => (prop::collection::vec(entry, 1..6), 1u64..2000).prop_map(|(batch, lives)| Step::Put(batch, lives)),
        1 => (0u8..40).prop_map(Step::Remove),
        1 => (0u8..3).prop_map(Step::Forget),
        2 => (0u64..400).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
        1 => Just(Step::Clear),
        1 => Just(Step::Reopen),
    ]
}

struct Entry {
    value: Vec<u8>,
    user: Option<u8>,
    expires: u64,
    forgotten: bool,
}

/// What it holds, in the order it was put.
#[derive(Default)]
struct Model {
    entries: BTreeMap<u64, (u8, Entry)>,
    next: u64,
    now: u64,
}

fn weight(entry: &Entry) -> u64 {
    let record = 32 + 1 + entry.value.len() as u64;
    74 + if record > 2000 { (record + 16).div_ceil(4096) * 4096 } else { record }
}

impl Model {
    fn place(&self, key: u8) -> Option<u64> {
        self.entries.iter().find(|(_, (held, _))| *held == key).map(|(place, _)| *place)
    }

    fn remove(&mut self, key: u8) -> bool {
        self.place(key).map(|place| self.entries.remove(&place)).is_some()
    }

    fn put(&mut self, key: u8, value: Vec<u8>, user: Option<u8>, lives: u64) {
        self.remove(key);
        let entry = Entry { value, user, expires: self.now + lives.min(TTL), forgotten: false };
        if weight(&entry) > ROOM / 4 {
            return;
        }
        while self.entries.values().map(|(_, entry)| weight(entry)).sum::<u64>() + weight(&entry) > ROOM {
            self.entries.pop_first();
        }
        self.entries.insert(self.next, (key, entry));
        self.next += 1;
    }

    fn is_dead(&self, entry: &Entry) -> bool {
        entry.forgotten || entry.expires <= self.now
    }

    fn get(&self, key: u8) -> Option<&Vec<u8>> {
        let (_, entry) = &self.entries[&self.place(key)?];
        (!self.is_dead(entry)).then_some(&entry.value)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn it_is_its_model(steps in prop::collection::vec(step(), 0..120)) {
        let folder = tempfile::tempdir().unwrap();
        let (mut disk, mut model, clock) = (brief(folder.path()), Model::default(), FakeClock::new());
        for (number, step) in steps.into_iter().enumerate() {
            let now = clock.now();
            match step {
                Step::Get(key) => {
                    let found = disk.get(&[key], now, |found| found.value.to_vec());
                    prop_assert_eq!(found.as_ref(), model.get(key));
                }
                Step::Put(batch, lives) => {
                    let users: Vec<_> = batch.iter().map(|(.., user)| user.map(|user| user.to_string())).collect();
                    let values: Vec<_> = batch.iter().map(|&(_, length, _)| vec![number as u8; length]).collect();
                    let keeps: Vec<_> = (0..batch.len())
                        .map(|at| Keep {
                            key: std::slice::from_ref(&batch[at].0),
                            value: &values[at],
                            stamp: disk.stamps().stamp(users[at].as_deref()),
                            lives: Duration::from_millis(lives),
                        })
                        .collect();
                    disk.put(&keeps, now).unwrap();
                    for ((key, _, user), value) in batch.iter().zip(&values) {
                        model.put(*key, value.clone(), *user, lives);
                    }
                    // Gaps may have taken room too: then more of the oldest had to go.
                    while model.entries.len() as u64 > disk.counters().entries {
                        model.entries.pop_first();
                    }
                }
                Step::Remove(key) => prop_assert_eq!(disk.remove(&[key]).unwrap(), model.remove(key)),
                Step::Forget(user) => {
                    disk.stamps().forget(&user.to_string());
                    let theirs = model.entries.values_mut().filter(|(_, entry)| entry.user == Some(user));
                    theirs.for_each(|(_, entry)| entry.forgotten = true);
                }
                Step::Wait(millis) => {
                    clock.advance(Duration::from_millis(millis));
                    model.now += millis;
                }
                Step::Sweep => {
                    let before = model.entries.len();
                    let now_dead: Vec<u64> =
                        model.entries.iter().filter(|(_, (_, entry))| model.is_dead(entry)).map(|(place, _)| *place).collect();
                    now_dead.iter().for_each(|place| drop(model.entries.remove(place)));
                    prop_assert_eq!(disk.sweep(now).unwrap(), before - model.entries.len());
                }
                Step::Clear => {
                    disk.clear().unwrap();
                    model.entries.clear();
                }
                Step::Reopen => {
                    drop(disk);
                    disk = brief(folder.path());
                }
            }
            prop_assert_eq!(disk.validate(), Ok(()));
            let counters = disk.counters();
            let heavy: u64 = model.entries.values().map(|(_, entry)| weight(entry)).sum();
            prop_assert_eq!((counters.entries, counters.weight), (model.entries.len() as u64, heavy));
        }
    }
}

#[test]
fn a_value_of_a_user_forgotten_since_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path());
    let stamp = disk.stamps().stamp(Some("ann"));
    disk.stamps().forget("ann");
    disk.put(&[Keep { key: b"k", value: b"v", stamp, lives: HOUR }], Duration::ZERO).unwrap();
    assert_eq!(get(&disk, "k"), None);
    put(&disk, "k", b"new", Some("ann"), Duration::ZERO);
    assert_eq!(get(&disk, "k").unwrap(), b"new");
}

#[test]
fn it_goes_on_when_it_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path());
    for length in [10, 100, 700, 1000, 1400, 1990, 2100, 5000] {
        for number in 0..(4 * ROOM / length).min(12_000) {
            put(&disk, &format!("{length}-{number}"), &vec![7; length as usize], None, Duration::ZERO);
            assert!(get(&disk, &format!("{length}-{number}")).is_some(), "{number} of {length} bytes");
        }
        assert_eq!(disk.validate(), Ok(()));
        let counters = disk.counters();
        assert!(counters.weight > ROOM / 3, "{length} bytes: {} of {ROOM}", counters.weight);
        let values: Vec<String> = (0..300).map(|number| format!("batch-{length}-{number}")).collect();
        let keeps: Vec<_> = values
            .iter()
            .map(|key| Keep { key: key.as_bytes(), value: &[1; 500], stamp: disk.stamps().stamp(None), lives: HOUR })
            .collect();
        disk.put(&keeps, Duration::ZERO).unwrap();
        assert!(values.iter().all(|key| get(&disk, key).is_some()), "batch after {length}");
    }
}

#[test]
fn a_clock_put_back_lets_nothing_live_longer() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path());
    put(&disk, "k", b"v", None, HOUR);
    assert!(disk.get(b"k", HOUR, |_| ()).is_some());
    assert_eq!(get(&disk, "k"), None);
}

#[test]
fn a_folder_is_opened_once_in_a_process_and_again_when_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path());
    put(&disk, "k", b"v", None, Duration::ZERO);
    assert!(Disk::open(folder.path(), SIZE, HOUR).is_err());
    assert_eq!(get(&disk, "k").unwrap(), b"v");
    drop(disk);
    assert_eq!(get(&open(folder.path()), "k").unwrap(), b"v");
}

/// The cache at work in a process of its own, which says what it does.
fn child(role: &str, folder: &Path) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_of_its_own", "--nocapture"])
        .envs([("ROLE", role), ("FOLDER", folder.to_str().unwrap())])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    (child, lines.filter(|line| line.starts_with("did ")))
}

#[test]
fn a_process_of_its_own() {
    let (Ok(role), Ok(folder)) = (std::env::var("ROLE"), std::env::var("FOLDER")) else { return };
    let size = if role == "large" { 64 * SIZE } else { SIZE };
    let disk = Disk::open(Path::new(&folder), size, HOUR).unwrap();
    let started = std::time::Instant::now();
    for number in 0u32.. {
        assert!(started.elapsed() < Duration::from_secs(60), "nobody ended this process");
        match role.as_str() {
            "large" => (0..400).for_each(|at| put(&disk, &format!("large-{at}"), &[1; 10_000], None, Duration::ZERO)),
            "forget" => disk.stamps().forget("ann"),
            _ => {
                let key = format!("{}", number % 50);
                let value = vec![number as u8; 10 + number as usize * 37 % 9000];
                put(&disk, &key, &value, Some(&key), Duration::ZERO);
            }
        }
        println!("did {number}");
        if role != "write" {
            std::thread::park_timeout(Duration::from_secs(60));
        }
    }
}

#[test]
fn a_kill_at_any_moment_leaves_it_whole() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..12 {
        let (mut one, mut said) = child("write", folder.path());
        let (mut other, mut also) = child("write", folder.path());
        assert!(said.nth(round * 17).is_some() && also.nth(round).is_some());
        one.kill().unwrap();
        assert!(also.nth(100).is_some(), "the other goes on");
        let disk = open(folder.path());
        let values: Vec<_> = (0..50).filter_map(|key| get(&disk, &key.to_string())).collect();
        assert!(!values.is_empty());
        assert!(values.iter().all(|value| value.iter().all(|byte| *byte == value[0])));
        drop(disk);
        other.kill().unwrap();
        assert!(one.wait().is_ok() && other.wait().is_ok());
        let disk = open(folder.path());
        assert_eq!(disk.validate(), Ok(()));
        assert!(disk.counters().entries > 0, "what was kept is still there");
    }
}

#[test]
fn another_process_may_make_the_file_grow_and_forget() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path());
    put(&disk, "small", b"value", Some("ann"), Duration::ZERO);
    let (mut large, mut said) = child("large", folder.path());
    assert!(said.next().is_some());
    assert_eq!(get(&disk, "large-399").unwrap(), [1; 10_000]);
    put(&disk, "after", b"growing", None, Duration::ZERO);
    assert_eq!(get(&disk, "after").unwrap(), b"growing");
    put(&disk, "hers", b"value", Some("ann"), Duration::ZERO);
    let (mut forgetful, mut done) = child("forget", folder.path());
    assert!(done.next().is_some());
    assert_eq!(get(&disk, "hers"), None);
    for child in [&mut large, &mut forgetful] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// A folder that was in use when its process was killed, with one entry.
fn left_behind() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, mut said) = child("once", folder.path());
    assert!(said.next().is_some());
    writer.kill().unwrap();
    writer.wait().unwrap();
    folder
}

#[test]
fn a_folder_in_use_at_a_power_cut_begins_anew() {
    let folder = left_behind();
    assert_eq!(open(folder.path()).counters().entries, 1);
    let folder = left_behind();
    let mark = folder.path().join("mark");
    let line = std::fs::read_to_string(&mark).unwrap();
    let boot = line.split(' ').nth(3).unwrap();
    std::fs::write(&mark, line.replace(boot, "another-boot")).unwrap();
    std::fs::write(folder.path().join("data.mdb"), vec![0xa5; 100_000]).unwrap();
    let disk = open(folder.path());
    assert_eq!(disk.counters().entries, 0);
    put(&disk, "k", b"v", None, Duration::ZERO);
    assert_eq!(disk.validate(), Ok(()));
}

#[test]
fn a_copy_of_a_folder_begins_anew() {
    let (folder, copy) = (left_behind(), tempfile::tempdir().unwrap());
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    assert_eq!(open(copy.path()).counters().entries, 0);
    assert_eq!(open(folder.path()).counters().entries, 1);
}

#[test]
fn an_altered_value_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let values: HashMap<String, Vec<u8>> =
        (0..40).map(|number| (format!("key-{number}"), vec![number as u8 ^ 0x5a; 1500])).collect();
    let disk = open(folder.path());
    values.iter().for_each(|(key, value)| put(&disk, key, value, None, Duration::ZERO));
    drop(disk);
    let file = folder.path().join("data.mdb");
    let mut bytes = std::fs::read(&file).unwrap();
    // One byte in the middle of each value; the tree around them is not what this is about.
    for value in values.values() {
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(1500).position(|window| window == &value[..]) {
            bytes[at + found + 700] ^= 1;
            at += found + 1500;
        }
    }
    std::fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &bytes))
        .unwrap();
    let disk = open(folder.path());
    assert!(values.keys().all(|key| get(&disk, key).is_none()));
    assert!(disk.validate().is_err());
    assert_eq!(disk.sweep(Duration::ZERO).unwrap(), 40);
    assert_eq!(disk.validate(), Ok(()));
}

#[test]
fn a_forked_child_finds_and_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path());
    put(&disk, "k", b"v", None, Duration::ZERO);
    // SAFETY: the child calls what takes no lock that another thread of this process may hold, and ends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let nothing = disk.get(b"k", Duration::ZERO, |_| ()).is_none();
        drop(disk);
        // SAFETY: it ends the child at once, without what this process would do at its end.
        unsafe { libc::_exit(i32::from(!nothing)) };
    }
    let mut status = 0;
    // SAFETY: `status` is writable and lives through the call.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
    assert_eq!(get(&disk, "k").unwrap(), b"v");
    put(&disk, "k", b"w", None, Duration::ZERO);
    assert_eq!(get(&disk, "k").unwrap(), b"w");
}
