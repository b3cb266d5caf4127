//! Where objects come into sight and where they leave it, learned: sources and sinks of tracks (Stauffer, "Estimating
//! Tracking Sources and Sinks", CVPR Workshop on Event Mining 2003), as counts on a grid.
//!
//! At an entry a track may start from a less sure detection; what is lost at an exit is waited for less long, so that
//! it does not take up one who comes in there. Everywhere else, and until enough was seen, nothing changes.
//!
//! # Invariants
//! - A grid of fixed size, whatever was seen. Forgotten with a time constant of [`MEMORY`].

use std::time::Duration;

use crate::geometry::Point;
use crate::time::MediaTime;

const COLUMNS: usize = 16;
const ROWS: usize = 12;
/// Time constant of forgetting, in seconds.
const MEMORY: f32 = 3600.0;
/// How much of one that is counted in a cell is counted in those around it.
const SPREAD: f32 = 0.5;
/// Tracks, after forgetting, from which a cell is believed. Raising it takes longer and errs less.
const KNOWN: f32 = 2.5;
/// A cell is an exit when this share of those lost there was not found again.
const EXIT: f32 = 0.7;
/// A loss counts once it lasts this long; shorter ones are missed detections, which happen everywhere.
pub(super) const LOSS: Duration = Duration::from_millis(450);

/// What was seen of one cell.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// Tracks that began here and went on to move.
    entered: f32,
    /// Tracks that ended here.
    left: f32,
    /// Tracks that were lost here and found again.
    returned: f32,
}

/// Entries and exits of one camera.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    cells: [[Cell; COLUMNS]; ROWS],
    faded: MediaTime,
}

fn cell_of(foot: Point) -> (usize, usize) {
    let index = |share: f32, cells: usize| ((share * cells as f32) as usize).min(cells - 1);
    (index(foot.x, COLUMNS), index(foot.y, ROWS))
}

impl Places {
    /// A track that went on to move began at `foot`.
    pub(super) fn entered(&mut self, foot: Point, now: MediaTime) {
        self.count(foot, now, |cell| &mut cell.entered);
    }

    /// A track was last seen at `foot`, and ended.
    pub(super) fn left(&mut self, foot: Point, now: MediaTime) {
        self.count(foot, now, |cell| &mut cell.left);
    }

    /// A track was lost at `foot` for longer than [`LOSS`], and was found again.
    pub(super) fn returned(&mut self, foot: Point, now: MediaTime) {
        self.count(foot, now, |cell| &mut cell.returned);
    }

    /// Whether objects come into sight at `foot`.
    pub(super) fn is_entry(&self, foot: Point) -> bool {
        self.cell(foot).entered >= KNOWN
    }

    /// Whether most of those that are lost at `foot` are gone.
    pub(super) fn is_exit(&self, foot: Point) -> bool {
        let Cell { left, returned, .. } = self.cell(foot);
        left + returned >= KNOWN && left >= EXIT * (left + returned)
    }

    fn cell(&self, foot: Point) -> Cell {
        let (x, y) = cell_of(foot);
        self.cells[y][x]
    }

    fn count(&mut self, foot: Point, now: MediaTime, what: impl Fn(&mut Cell) -> &mut f32) {
        let kept = (-now.since(self.faded).as_secs_f32() / MEMORY).exp();
        self.faded = now;
        for cell in self.cells.as_flattened_mut() {
            *cell = Cell { entered: cell.entered * kept, left: cell.left * kept, returned: cell.returned * kept };
        }
        let (x, y) = cell_of(foot);
        for (j, row) in self.cells.iter_mut().enumerate().skip(y.saturating_sub(1)).take_while(|(j, _)| *j <= y + 1) {
            for (i, cell) in row.iter_mut().enumerate().skip(x.saturating_sub(1)).take_while(|(i, _)| *i <= x + 1) {
                *what(cell) += if (i, j) == (x, y) { 1.0 } else { SPREAD };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATE: Point = Point { x: 0.5, y: 0.3 };

    fn at(seconds: u64) -> MediaTime {
        MediaTime::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn an_exit_is_where_most_do_not_return() {
        let mut places = Places::default();
        (0..3).for_each(|k| places.left(GATE, at(k)));
        assert!(places.is_exit(GATE));
        assert!(!places.is_exit(Point::new(0.2, 0.8)), "nothing is known of elsewhere");
        (3..6).for_each(|k| places.returned(GATE, at(k)));
        assert!(!places.is_exit(GATE), "half of them come back: a pillar, not a gate");
    }

    #[test]
    fn an_entry_is_known_after_a_few_and_forgotten_after_hours() {
        let mut places = Places::default();
        places.entered(GATE, at(0));
        assert!(!places.is_entry(GATE));
        (1..5).for_each(|k| places.entered(GATE, at(k)));
        assert!(places.is_entry(GATE));
        places.entered(Point::new(0.1, 0.9), at(3 * 3600));
        assert!(!places.is_entry(GATE));
    }

    #[test]
    fn places_out_of_the_picture_count_for_its_edge() {
        let mut places = Places::default();
        (0..3).for_each(|k| places.left(Point::new(1.3, 1e30), at(k)));
        assert!(places.is_exit(Point::new(1.0, 1.0)));
        (0..3).for_each(|k| places.left(Point::new(-4.0, f32::NAN), at(k)));
        assert!(places.is_exit(Point::new(0.0, 0.0)));
    }
}
