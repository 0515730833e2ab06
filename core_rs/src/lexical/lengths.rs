//! How long the documents are in the fields where length counts, with what they hear of their neighbours, and on average.

use super::documents::{Documents, Slot};
use super::holds;
use super::params::{Group, Params};
use super::sessions::Sessions;
use crate::dump::{Dump, Load};
use crate::error::{Error, Result};

/// In thousandths of an occurrence, by slot and measured field.
pub(super) struct Lengths {
    /// Which fields are measured, each with whether neighbours hear it.
    fields: Vec<(usize, bool)>,
    own: Vec<u64>,
    /// With neighbours; empty without a window.
    heard: Vec<u64>,
    /// What counts of the two, in occurrences, for quick reading.
    read: Vec<f32>,
    /// The sums, over all documents, of what counts.
    totals: Vec<u64>,
}

impl Lengths {
    pub(super) fn new(params: &Params) -> Self {
        let fields: Vec<_> = params.measured().collect();
        let totals = vec![0; fields.len()];
        Self { fields, own: Vec::new(), heard: Vec::new(), read: Vec::new(), totals }
    }

    /// Sets how many occurrences a document has in each field of the index; all 0 once it is gone.
    pub(super) fn set(&mut self, slot: Slot, counts: &[u64], windowed: bool) {
        let end = (slot as usize + 1) * self.fields.len();
        if self.own.len() < end {
            self.own.resize(end, 0);
            self.read.resize(end, 0.0);
            self.heard.resize(if windowed { end } else { 0 }, 0);
        }
        for (measure, &(field, _)) in self.fields.iter().enumerate() {
            let at = self.at(slot, measure);
            let length = counts[field] * 1000;
            if !windowed {
                self.totals[measure] = self.totals[measure] - self.own[at] + length;
                self.read[at] = length as f32 / 1000.0;
            }
            self.own[at] = length;
        }
    }

    /// How many occurrences each document has in each measured field.
    pub(super) fn dump(&self, slots: &[Slot], dump: &mut Dump) {
        let fields = self.fields.len();
        let of = |&slot: &Slot| self.own[slot as usize * fields..][..fields].iter();
        dump.column(slots.iter().flat_map(of).map(|own| (own / 1000) as u32));
    }

    /// Takes them for the documents in slots from 1; their neighbours are to be heard then.
    pub(super) fn load(&mut self, count: usize, windowed: bool, load: &mut Load<'_>) -> Result<()> {
        let fields = self.fields.len();
        let numbers = count.checked_mul(fields).ok_or(Error::Damaged("lengths are cut"))?;
        let own = load.column::<u32>(numbers)?.map(|own| u64::from(own) * 1000);
        self.own = std::iter::repeat_n(0, fields).chain(own).collect();
        self.read = self.own.iter().map(|&own| if windowed { 0.0 } else { own as f32 / 1000.0 }).collect();
        self.heard = vec![0; if windowed { self.own.len() } else { 0 }];
        if !windowed {
            (0..fields).for_each(|measure| self.totals[measure] = self.own[measure..].iter().step_by(fields).sum());
        }
        Ok(())
    }

    /// Measures documents anew whose neighbours are others now.
    pub(super) fn hear(&mut self, slots: &[Slot], params: &Params, sessions: &Sessions) {
        for &slot in slots {
            for measure in 0..self.fields.len() {
                let at = self.at(slot, measure);
                let length = self.with_neighbours(slot, measure, params, sessions);
                self.totals[measure] = self.totals[measure] - self.heard[at] + length;
                self.heard[at] = length;
                self.read[at] = length as f32 / 1000.0;
            }
        }
    }

    fn with_neighbours(&self, slot: Slot, measure: usize, params: &Params, sessions: &Sessions) -> u64 {
        let mut length = self.own[self.at(slot, measure)];
        if self.fields[measure].1 {
            let [mut before, mut after] = [slot; 2];
            for distance in 1..=params.window().reach() {
                let weights = params.window().at(distance).map(u64::from);
                before = sessions.beside(before)[0];
                after = sessions.beside(after)[1];
                length += self.own[self.at(before, measure)] / 1000 * weights[0];
                length += self.own[self.at(after, measure)] / 1000 * weights[1];
            }
        }
        length
    }

    fn at(&self, slot: Slot, measure: usize) -> usize {
        slot as usize * self.fields.len() + measure
    }

    /// What divides the frequencies of a group, by slot.
    pub(super) fn norm(&self, group: &Group, documents: usize) -> impl Fn(Slot) -> f32 {
        let (measure, fixed, growing) = match group.length {
            None => (0, 1.0, 0.0),
            Some((measure, b)) => {
                let average = self.totals[measure] as f64 / (documents.max(1) * 1000) as f64;
                (measure, 1.0 - b, if average == 0.0 { 0.0 } else { (f64::from(b) / average) as f32 })
            }
        };
        let fields = self.fields.len();
        move |slot| {
            let length = if growing == 0.0 { 0.0 } else { self.read[slot as usize * fields + measure] };
            // An empty field may have no norm at all; what it holds is 0 then, whatever divides it.
            (fixed + growing * length).max(f32::MIN_POSITIVE)
        }
    }

    pub(super) fn bytes(&self) -> usize {
        (self.own.capacity() + self.heard.capacity()) * size_of::<u64>() + self.read.capacity() * size_of::<f32>()
    }

    pub(super) fn validate(&self, params: &Params, documents: &Documents, sessions: &Sessions) -> Result<()> {
        for measure in 0..self.fields.len() {
            let mut total = 0;
            for slot in documents.all() {
                let length = self.with_neighbours(slot, measure, params, sessions);
                let at = self.at(slot, measure);
                holds(
                    self.heard.is_empty() || self.heard[at] == length,
                    "a length is that of a document and its neighbours",
                )?;
                total += length;
            }
            holds(total == self.totals[measure], "the total is the sum of the lengths")?;
        }
        Ok(())
    }
}
