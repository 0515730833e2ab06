//! How an index weighs: fields, repetition, length, neighbours. Only values that mean something can be made.

use crate::error::{Error, Result, in_range};

/// How many of the smallest parts make one: a thousandth of a thousandth. Sums of whole ones never drift, whatever their order,
/// and the largest there can be are far below 2^53.
pub(super) const WHOLE: f64 = 1e6;

/// The farthest a neighbour is heard.
pub(super) const REACH: usize = 4;

/// How much one occurrence counts, kept to a thousandth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight(u32);

impl Weight {
    /// One occurrence counts once.
    pub const ONE: Self = Self(1000);

    /// A weight of 0.001 to 100.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for any other value.
    pub fn new(weight: f32) -> Result<Self> {
        let weight = in_range("a field's weight", weight, 0.001, 100.0)?;
        Ok(Self((weight * 1000.0).round() as u32))
    }
}

/// One of the texts every document has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    weight: Weight,
    b: f32,
    heard: bool,
}

impl Field {
    /// `b`, 0 to 1: how much a long one loses (0: nothing). `heard`: whether neighbours count its words too.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for another `b`.
    pub fn new(weight: Weight, b: f32, heard: bool) -> Result<Self> {
        Ok(Self { weight, b: in_range("b", b, 0.0, 1.0)?, heard })
    }
}

/// Measured on conversations: there the long documents carry the facts, so length costs nothing.
impl Default for Field {
    fn default() -> Self {
        Self { weight: Weight::ONE, b: 0.0, heard: true }
    }
}

/// How much of its neighbours a document of a session counts as its own, by how far they stand before (-4 to -1) and after it
/// (1 to 4), in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    before: [u32; REACH],
    after: [u32; REACH],
}

impl Window {
    /// Each offset with its weight, 0 to 1; 0 where none is given.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for any other weight, [`Error::Meaningless`] for any other offset.
    pub fn new(offsets: &[(i32, f32)]) -> Result<Self> {
        let mut window = Self::default();
        for &(offset, weight) in offsets {
            let side = if offset < 0 { &mut window.before } else { &mut window.after };
            let place = (offset.unsigned_abs() as usize).checked_sub(1).and_then(|place| side.get_mut(place));
            let place = place.ok_or(Error::Meaningless("an offset is a whole number from -4 to 4, and not 0"))?;
            *place = (in_range("an offset's weight", weight, 0.0, 1.0)? * 1000.0).round() as u32;
        }
        Ok(window)
    }

    /// How far the farthest neighbour that counts stands.
    pub(super) fn reach(&self) -> usize {
        (0..REACH).rev().find(|&at| self.before[at] + self.after[at] > 0).map_or(0, |at| at + 1)
    }

    /// The weight of what stands `distance` (1 to the reach) before a document, and of what stands so far after it.
    pub(super) fn at(&self, distance: usize) -> [u32; 2] {
        [self.before[distance - 1], self.after[distance - 1]]
    }
}

/// How BM25 weighs.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    k1: f32,
    fields: Vec<Field>,
    window: Window,
}

impl Params {
    /// `k1`, 0 to 100: how much repetition counts (0: not at all). One to eight fields.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for another `k1`, [`Error::Meaningless`] for no field or more than eight.
    pub fn new(k1: f32, fields: Vec<Field>, window: Window) -> Result<Self> {
        let k1 = in_range("k1", k1, 0.0, 100.0)?;
        if !(1..=8).contains(&fields.len()) {
            return Err(Error::Meaningless("a document has one to eight fields"));
        }
        Ok(Self { k1, fields, window })
    }

    pub(super) fn fields(&self) -> usize {
        self.fields.len()
    }

    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// What a frequency divided by its norm counts beside its idf; 0 for 0.
    #[inline]
    pub(super) fn saturated(&self, tf: f32, norm: f32) -> f32 {
        tf * (self.k1 + 1.0) / (tf + self.k1 * norm).max(f32::MIN_POSITIVE)
    }

    /// The fields that share one normalisation: those that length costs nothing, then each other by itself.
    pub(super) fn groups(&self) -> Vec<Group> {
        let (flat, normal): (Vec<usize>, Vec<usize>) =
            (0..self.fields.len()).partition(|&field| self.fields[field].b == 0.0);
        let flat = (!flat.is_empty()).then_some(Group { fields: flat, length: None });
        let by_length = |(length, field): (usize, usize)| Group {
            fields: vec![field],
            length: Some((length, self.fields[field].b)),
        };
        flat.into_iter().chain(normal.into_iter().enumerate().map(by_length)).collect()
    }

    /// What so many occurrences in each field count in a group, in parts of [`WHOLE`].
    pub(super) fn own(&self, group: &Group, counts: &[u16]) -> f64 {
        self.sum(group, counts, |_| true) * 1000.0
    }

    /// What they count for a neighbour that counts so many thousandths of them, in parts of [`WHOLE`].
    pub(super) fn heard(&self, group: &Group, counts: &[u16], thousandths: u32) -> f64 {
        self.sum(group, counts, |field| field.heard) * f64::from(thousandths)
    }

    fn sum(&self, group: &Group, counts: &[u16], counted: impl Fn(&Field) -> bool) -> f64 {
        let fields = group.fields.iter().map(|&field| (&self.fields[field], counts[field]));
        let all = fields.filter(|(field, _)| counted(field));
        all.map(|(field, count)| f64::from(field.weight.0) * f64::from(count)).sum()
    }

    /// The fields whose length counts, each with whether neighbours hear it.
    pub(super) fn measured(&self) -> impl Iterator<Item = (usize, bool)> {
        self.fields.iter().enumerate().filter(|(_, field)| field.b > 0.0).map(|(at, field)| (at, field.heard))
    }
}

/// One text, measured on conversations; no neighbours.
impl Default for Params {
    fn default() -> Self {
        Self { k1: 0.9, fields: vec![Field::default()], window: Window::default() }
    }
}

/// Fields whose frequencies are divided by one norm.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    fields: Vec<usize>,
    /// Which of the measured lengths it goes by, and b; `None` where length costs nothing.
    pub(super) length: Option<(usize, f32)>,
}
