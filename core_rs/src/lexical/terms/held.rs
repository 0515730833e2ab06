//! Which terms each document holds, to take it out by: numbers packed into one run of bytes.

use crate::lexical::documents::Slot;
use crate::lexical::widen;

/// Garbage is tolerated up to so many bytes, and beyond up to half of all.
const TOLERATED: usize = 4096;

#[derive(Default)]
pub(super) struct Held {
    /// Of each document how many terms it holds, then their ids, ascending, each as the difference to the one before.
    bytes: Vec<u8>,
    /// By slot where a document begins, and one more; 0 for none.
    starts: Vec<usize>,
    /// How many bytes are of documents that are gone.
    garbage: usize,
}

impl Held {
    /// Keeps the ids of a document's terms, ascending.
    pub(super) fn put(&mut self, slot: Slot, ids: &[u32]) {
        let slot = slot as usize;
        if self.starts.len() <= slot {
            widen(&mut self.starts, slot + 1);
            self.starts.resize(slot + 1, 0);
        }
        self.starts[slot] = self.bytes.len() + 1;
        let most = self.bytes.len() + 5 * (ids.len() + 1);
        widen(&mut self.bytes, most);
        pack(&mut self.bytes, ids.len() as u32);
        let mut last = 0;
        for &id in ids {
            pack(&mut self.bytes, id - last);
            last = id;
        }
    }

    /// The ids of a document's terms, which are forgotten.
    pub(super) fn take(&mut self, slot: Slot) -> Vec<u32> {
        let ids: Vec<u32> = self.get(slot).collect();
        if let Some(start) = self.starts.get_mut(slot as usize).filter(|start| **start > 0) {
            self.garbage += length(&self.bytes[*start - 1..]);
            *start = 0;
            if self.garbage > TOLERATED.max(self.bytes.len() / 2) {
                self.collect();
            }
        }
        ids
    }

    /// The ids of a document's terms; none if there is no such document.
    pub(super) fn get(&self, slot: Slot) -> impl Iterator<Item = u32> {
        let start = self.starts.get(slot as usize).and_then(|start| start.checked_sub(1));
        let mut bytes = start.map_or(&[][..], |start| &self.bytes[start..]);
        let count = unpack(&mut bytes).unwrap_or(0);
        let mut last = 0;
        (0..count).map_while(move |_| {
            last += unpack(&mut bytes)?;
            Some(last)
        })
    }

    /// Copies what is still needed.
    fn collect(&mut self) {
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.garbage);
        for start in self.starts.iter_mut().filter(|start| **start > 0) {
            let document = &self.bytes[*start - 1..];
            *start = bytes.len() + 1;
            bytes.extend_from_slice(&document[..length(document)]);
        }
        self.bytes = bytes;
        self.garbage = 0;
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        0..self.starts.len() as Slot
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * size_of::<usize>()
    }
}

/// How many bytes the first document takes.
fn length(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    for _ in 0..unpack(&mut rest).unwrap_or(0) {
        unpack(&mut rest);
    }
    bytes.len() - rest.len()
}

/// 7 bits a byte, the lowest first; the last byte is below 128.
fn pack(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn unpack(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 127) << shift;
        if byte < 128 {
            break;
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_packing_and_collecting() {
        let ids = [0, 1, 127, 128, 255, 16_511, 16_512, 1 << 30, u32::MAX];
        let mut held = Held::default();
        for slot in 1..3000 {
            held.put(slot, &ids[..slot as usize % 10]);
        }
        for slot in (1..3000).filter(|slot| slot % 7 > 0) {
            assert_eq!(held.take(slot), ids[..slot as usize % 10]);
            assert_eq!(held.take(slot), [0; 0]);
        }
        assert!(held.bytes.len() < 3000 * 4);
        for slot in (7..3000).step_by(7) {
            assert_eq!(held.get(slot).collect::<Vec<_>>(), ids[..slot as usize % 10]);
        }
    }
}
