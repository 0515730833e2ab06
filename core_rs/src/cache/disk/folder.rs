//! Who uses a cache's folder, and whether what lies in it can be trusted.
//!
//! Nothing is synced while the cache is in use: what the kernel holds outlives a killed process whole, but what a power cut
//! leaves of it on the disk may be anything. So the folder bears a mark, of the boot in which it is in use and of the very
//! file of entries, and when the last process closes it all is synced and marked clean. A folder with any other mark (after
//! a power cut, or copied while in use) is thrown away before a byte of it is looked at.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::Result;

const ENTRIES: &str = "data.mdb";
const MARK: &str = "mark";
const CLEAN: &str = "clean";
pub(super) const STAMPS: &str = "generations";
const FORMAT: u32 = 1;

/// A folder in use by this process.
pub(super) struct Folder {
    path: PathBuf,
    /// Locked for as long as the folder is in use, shared with the other processes.
    users: File,
}

impl Folder {
    /// Enters a folder, made if there is none, and opens in it what `open` does. Whoever is alone in it begins anew unless its
    /// mark says that it is sound.
    pub(super) fn enter<T>(path: &Path, open: impl FnOnce() -> Result<T>) -> Result<(Self, T)> {
        std::fs::create_dir_all(path)?;
        let this = Self { path: path.to_owned(), users: this_file(&path.join("users"))? };
        let _gate = this.gate()?;
        let alone = is_free(this.users.try_lock())?;
        let clean = this.is_marked(CLEAN);
        if alone && !clean && !this.is_marked(&boot()) {
            this.wipe()?;
        }
        let opened = open()?;
        if alone {
            // Before the first change: a power cut must not leave one under a mark that says clean.
            this.mark(&boot(), clean)?;
        }
        this.users.lock_shared()?;
        Ok((this, opened))
    }

    /// Leaves the folder. `close` is told whether nobody else is in it, and whether all is on the disk is what it returns.
    pub(super) fn leave(&self, close: impl FnOnce(bool) -> bool) -> Result<()> {
        let _gate = self.gate()?;
        let alone = is_free(self.users.try_lock())?;
        if close(alone) { self.mark(CLEAN, true) } else { Ok(()) }
    }

    /// Makes whoever is alone next begin anew.
    pub(super) fn distrust(&self) {
        let _ = std::fs::remove_file(self.path.join(MARK));
    }

    fn gate(&self) -> Result<File> {
        let gate = this_file(&self.path.join("gate"))?;
        gate.lock()?;
        Ok(gate)
    }

    fn is_marked(&self, state: &str) -> bool {
        let mark = std::fs::read_to_string(self.path.join(MARK)).unwrap_or_default();
        self.line(state).is_ok_and(|line| line == mark)
    }

    /// The mark of a state, which names the file of entries by what a copy of it would not have.
    fn line(&self, state: &str) -> Result<String> {
        let file = std::fs::metadata(self.path.join(ENTRIES))?;
        Ok(format!("alejo cache {FORMAT} {state} {}:{}\n", file.dev(), file.ino()))
    }

    fn mark(&self, state: &str, durably: bool) -> Result<()> {
        let line = self.line(state)?;
        let mut file = this_file(&self.path.join(MARK))?;
        file.set_len(0)?;
        file.write_all(line.as_bytes())?;
        if durably {
            file.sync_all()?;
            File::open(&self.path)?.sync_all()?;
        }
        Ok(())
    }

    fn wipe(&self) -> Result<()> {
        for name in [MARK, ENTRIES, "lock.mdb", STAMPS] {
            match std::fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn this_file(path: &Path) -> Result<File> {
    Ok(OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?)
}

fn is_free(tried: std::result::Result<(), TryLockError>) -> Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// What this boot of the machine is called; where it has no name, no two are the same.
fn boot() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    name.map_or_else(|_| format!("unknown-{}", std::process::id()), |name| name.trim().to_owned())
}
