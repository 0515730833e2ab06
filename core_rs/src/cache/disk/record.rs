//! An entry as it lies on the disk: checksum (4 bytes) ‖ the key's length (4) ‖ sequence (8) ‖ expires (8) ‖ slot (4) ‖
//! generation (4) ‖ key ‖ value, numbers little-endian. The checksum is CRC-32 of all that follows it.

use crate::cache::Stamp;

const HEAD: usize = 32;
/// What an entry takes beside its record: two rows' keys and nodes, and the one that gives its place in the queue.
const ROWS: u64 = 17 + 9 + 16 + 2 * 16;
/// A record that is longer lies in pages of its own.
const INLINE: u64 = 2000;
const PAGE: u64 = 4096;

/// A sound record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) sequence: u64,
    /// In ms of the clock.
    pub(super) expires: u64,
    pub(super) stamp: Stamp,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Record<'a> {
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        let Self { sequence, expires, stamp, key, value } = self;
        into.clear();
        into.extend([0; 4]);
        into.extend((key.len() as u32).to_le_bytes());
        into.extend(sequence.to_le_bytes());
        into.extend(expires.to_le_bytes());
        into.extend(stamp.slot.to_le_bytes());
        into.extend(stamp.generation.to_le_bytes());
        into.extend_from_slice(key);
        into.extend_from_slice(value);
        let sum = crc32fast::hash(&into[4..]);
        into[..4].copy_from_slice(&sum.to_le_bytes());
    }

    /// None if it was torn or altered.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let (key, value) = rest.split_at_checked(word(head, 4) as usize)?;
        let long = |at| u64::from(word(head, at)) | u64::from(word(head, at + 4)) << 32;
        let stamp = Stamp { slot: word(head, 24), generation: word(head, 28) };
        let whole = crc32fast::hash(&bytes[4..]) == word(head, 0);
        whole.then(|| Self { sequence: long(8), expires: long(16), stamp, key, value })
    }

    /// The place in the queue that the head of a record says, sound or not.
    pub(super) fn sequence(bytes: &[u8]) -> u64 {
        bytes.get(8..16).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
    }
}

/// What an entry of a key and a value of these lengths takes in the file.
pub(super) fn weight(key: usize, value: usize) -> u64 {
    stored((HEAD + key + value) as u64)
}

/// The same of a record of this length.
pub(super) fn stored(record: u64) -> u64 {
    ROWS + if record > INLINE { (record + 16).div_ceil(PAGE) * PAGE } else { record }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_counts() {
        let stamp = Stamp { slot: 7, generation: 9 };
        let record = Record { sequence: 1 << 40, expires: u64::MAX, stamp, key: b"key", value: b"value" };
        let mut bytes = Vec::new();
        record.write(&mut bytes);
        let read = Record::read(&bytes).unwrap();
        assert_eq!((read.sequence, read.expires, read.stamp), (1 << 40, u64::MAX, stamp));
        assert_eq!((read.key, read.value), (&b"key"[..], &b"value"[..]));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::read(&bytes).is_none());
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!((0..bytes.len()).all(|length| Record::read(&bytes[..length]).is_none()));
    }
}
