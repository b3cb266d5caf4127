//! Optimal assignment over sparse gains: shortest augmenting paths with potentials (Jonker and Volgenant 1987) by
//! Dijkstra's search over the pairs there are. Exact; what does not overlap costs nothing.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// For each row the pairs it may make: `(column, gain)`, gains finite and not negative.
pub(crate) type Gains = Vec<Vec<(usize, f64)>>;

/// The column of each row, so that the sum of gains is the greatest there is. A row is left alone where that is worth as
/// much.
pub(crate) fn assign(gains: &Gains, columns: usize) -> Vec<Option<usize>> {
    let mut search = Search::new(gains, columns);
    for row in 0..gains.len() {
        search.place(row);
    }
    search.column_of
}

/// As many pairs as can be made and, among those, the least sum of costs. `costs` are finite and not negative.
pub(crate) fn assign_most(costs: &Gains, columns: usize) -> Vec<Option<usize>> {
    // One pair more must pay whatever it costs the others.
    let worst = costs.iter().flatten().map(|&(_, cost)| cost).fold(0.0, f64::max);
    let bonus = (worst + 1.0) * (costs.len().min(columns) as f64 + 1.0);
    let gain = |&(column, cost): &(usize, f64)| (column, bonus - cost);
    assign(&costs.iter().map(|row| row.iter().map(gain).collect()).collect(), columns)
}

/// A column reached by the search; the nearest is the greatest, the lower column among equals.
struct Reached {
    distance: f64,
    column: usize,
}

impl Ord for Reached {
    fn cmp(&self, other: &Self) -> Ordering {
        other.distance.total_cmp(&self.distance).then(other.column.cmp(&self.column))
    }
}
impl PartialOrd for Reached {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Reached {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Reached {}

struct Search<'a> {
    gains: &'a Gains,
    column_of: Vec<Option<usize>>,
    row_of: Vec<Option<usize>>,
    row_potential: Vec<f64>,
    column_potential: Vec<f64>,
    distance: Vec<f64>,
    /// The row from which a column was reached.
    from: Vec<usize>,
    touched: Vec<usize>,
    heap: BinaryHeap<Reached>,
}

/// Where a search ended.
enum End {
    /// At a column that no row has.
    Free(usize),
    /// At a row that is left alone.
    Alone(usize),
}

impl<'a> Search<'a> {
    fn new(gains: &'a Gains, columns: usize) -> Self {
        Self {
            gains,
            column_of: vec![None; gains.len()],
            row_of: vec![None; columns],
            row_potential: vec![0.0; gains.len()],
            column_potential: vec![0.0; columns],
            distance: vec![f64::INFINITY; columns],
            from: vec![0; columns],
            touched: Vec::new(),
            heap: BinaryHeap::new(),
        }
    }

    fn place(&mut self, row: usize) {
        let reduced = |&(column, gain): &(usize, f64)| -gain - self.column_potential[column];
        self.row_potential[row] = self.gains[row].iter().map(reduced).fold(0.0, f64::min);
        let (end, length) = self.shortest_path(row);
        self.row_potential[row] += length;
        for column in self.touched.drain(..) {
            let ahead = length - self.distance[column];
            if ahead > 0.0
                && let Some(owner) = self.row_of[column]
            {
                self.column_potential[column] -= ahead;
                self.row_potential[owner] += ahead;
            }
            self.distance[column] = f64::INFINITY;
        }
        let mut free = match end {
            End::Free(column) => Some(column),
            End::Alone(alone) => self.column_of[alone].take(),
        };
        // Each row on the path takes the column by which it was left.
        while let Some(column) = free {
            let taker = self.from[column];
            self.row_of[column] = Some(taker);
            free = self.column_of[taker].replace(column);
        }
    }

    fn shortest_path(&mut self, start: usize) -> (End, f64) {
        self.heap.clear();
        let (mut row, mut travelled) = (start, 0.0);
        let mut alone = (start, f64::INFINITY);
        loop {
            let to_leave_alone = travelled - self.row_potential[row];
            if to_leave_alone < alone.1 {
                alone = (row, to_leave_alone);
            }
            for &(column, gain) in &self.gains[row] {
                let reduced = -gain - self.row_potential[row] - self.column_potential[column];
                // Below zero by rounding only.
                let distance = travelled + reduced.max(0.0);
                if distance < self.distance[column] {
                    if self.distance[column].is_infinite() {
                        self.touched.push(column);
                    }
                    self.distance[column] = distance;
                    self.from[column] = row;
                    self.heap.push(Reached { distance, column });
                }
            }
            let next = loop {
                match self.heap.pop() {
                    // Reached on a shorter way since.
                    Some(at) if at.distance > self.distance[at.column] => {}
                    Some(at) if at.distance < alone.1 => break at,
                    _ => return (End::Alone(alone.0), alone.1),
                }
            };
            match self.row_of[next.column] {
                None => return (End::Free(next.column), next.distance),
                Some(owner) => (row, travelled) = (owner, next.distance),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn total(gains: &Gains, pairs: &[Option<usize>]) -> f64 {
        let gain = |(row, column): (usize, &Option<usize>)| {
            column.map_or(0.0, |column| gains[row].iter().find(|pair| pair.0 == column).expect("a pair there is").1)
        };
        pairs.iter().enumerate().map(gain).sum()
    }

    /// The greatest `(pairs, gain)` or gain, by trying every set of pairs.
    fn brute_force(gains: &Gains, row: usize, used: u32) -> Vec<(usize, f64)> {
        if row == gains.len() {
            return vec![(0, 0.0)];
        }
        let mut all = brute_force(gains, row + 1, used);
        for &(column, gain) in gains[row].iter().filter(|pair| used & 1 << pair.0 == 0) {
            all.extend(brute_force(gains, row + 1, used | 1 << column).into_iter().map(|(n, g)| (n + 1, g + gain)));
        }
        all
    }

    fn gains() -> impl Strategy<Value = Gains> {
        // Few distinct values, so that ties are common.
        let gain = prop_oneof![(0u8..6).prop_map(f64::from), 0.0f64..5.0];
        let row = proptest::collection::btree_map(0usize..5, gain, 0..5).prop_map(|row| row.into_iter().collect());
        proptest::collection::vec(row, 0..6)
    }

    proptest! {
        #[test]
        fn no_set_of_pairs_gains_more(gains in gains()) {
            let pairs = assign(&gains, 5);
            let best = brute_force(&gains, 0, 0).into_iter().map(|(_, gain)| gain).fold(0.0, f64::max);
            prop_assert!((total(&gains, &pairs) - best).abs() < 1e-9, "{pairs:?} is not {best}");
        }

        #[test]
        fn no_set_has_more_pairs_or_as_many_for_less(costs in gains()) {
            let pairs = assign_most(&costs, 5);
            let all = brute_force(&costs, 0, 0);
            let most = all.iter().map(|(n, _)| *n).max().unwrap_or(0);
            let least = all.iter().filter(|(n, _)| *n == most).map(|(_, cost)| *cost).fold(f64::INFINITY, f64::min);
            prop_assert_eq!(pairs.iter().flatten().count(), most);
            prop_assert!((total(&costs, &pairs) - least).abs() < 1e-9, "{:?} is not {}", pairs, least);
        }

        #[test]
        fn pairs_are_disjoint(gains in gains()) {
            let mut columns: Vec<usize> = assign(&gains, 5).into_iter().flatten().collect();
            columns.sort_unstable();
            prop_assert!(columns.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn a_long_chain_of_rows_gives_way() {
        // Row i wants column i − 1 a little more than column i; the last row can have column 0 only.
        let n = 2000;
        let mut costs: Gains = (0..n).map(|i: usize| vec![(i.saturating_sub(1), 0.0), (i, 1.0)]).collect();
        costs[0] = vec![(0, 1.0), (1, 1.0)];
        costs.push(vec![(0, 0.0)]);
        let pairs = assign_most(&costs, n + 1);
        assert_eq!(pairs.iter().flatten().count(), n);
    }
}
