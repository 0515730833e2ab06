//! Columns to add up in, one number for each slot, kept by the thread for its next query: new memory of this size costs more
//! than the adding, as the system hands it out page by page.

use std::cell::Cell;

/// What is larger is given back.
const KEPT: usize = 1 << 20;

thread_local! {
    static ROOM: Cell<Room> = const { Cell::new(Room::NONE) };
}

/// All numbers are 0 while nobody uses them.
#[derive(Default)]
pub(super) struct Room {
    pub(super) scores: Vec<f32>,
    pub(super) matched: Vec<f32>,
    pub(super) tf: Vec<f32>,
    pub(super) parts: Vec<f64>,
}

impl Room {
    const NONE: Self = Self { scores: Vec::new(), matched: Vec::new(), tf: Vec::new(), parts: Vec::new() };

    /// Room for so many slots, and for what is heard if there is a window.
    pub(super) fn take(end: usize, windowed: bool) -> Self {
        let mut room = ROOM.take();
        let heard = if windowed { end } else { 0 };
        for (column, end) in [(&mut room.scores, end), (&mut room.matched, end), (&mut room.tf, heard)] {
            column.resize(end.max(column.len()), 0.0);
        }
        room.parts.resize(heard.max(room.parts.len()), 0.0);
        room
    }

    /// Leaves it, all 0 again, to the next query.
    pub(super) fn leave(self) {
        if self.scores.len() <= KEPT {
            ROOM.set(self);
        }
    }
}
