//! Optimal assignment of rows to columns: the Hungarian method with potentials and shortest augmenting paths
//! (Kuhn 1955; Jonker and Volgenant 1987), O(n²m), rectangular and gated.

/// Work space that is kept between calls, so that a frame allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Assigner {
    row_potential: Vec<f32>,
    column_potential: Vec<f32>,
    /// For each column the row it is given to; `NONE` while free. The last column is the root of the search.
    row_of: Vec<usize>,
    previous: Vec<usize>,
    slack: Vec<f32>,
    reached: Vec<bool>,
    excess: Vec<f32>,
}

const NONE: usize = usize::MAX;

impl Assigner {
    /// The pairs `(row, column)` that minimise the sum of `cost - gate` over all sets of disjoint pairs with
    /// `cost < gate`: a pair is made only where it pays. `cost` is row-major, `rows × columns`; what is not a
    /// number is never paired. Pairs are appended by ascending row.
    pub(super) fn solve(
        &mut self,
        cost: &[f32],
        (rows, columns): (usize, usize),
        gate: f32,
        pairs: &mut Vec<(usize, usize)>,
    ) {
        assert_eq!(cost.len(), rows * columns, "the cost matrix is rows × columns");
        // The method gives every row a column, so the shorter side becomes the rows; a pair beyond the gate
        // costs nothing, which is what leaving both alone costs.
        let turned = rows > columns;
        let (n, m) = if turned { (columns, rows) } else { (rows, columns) };
        self.excess.clear();
        for i in 0..n {
            self.excess.extend((0..m).map(|j| {
                let cost = if turned { cost[j * columns + i] } else { cost[i * columns + j] };
                if cost < gate { cost - gate } else { 0.0 }
            }));
        }
        self.run(n, m);
        let first = pairs.len();
        for (j, &i) in self.row_of[..m].iter().enumerate() {
            if i != NONE && self.excess[i * m + j] < 0.0 {
                pairs.push(if turned { (j, i) } else { (i, j) });
            }
        }
        pairs[first..].sort_unstable();
    }

    fn run(&mut self, n: usize, m: usize) {
        reset(&mut self.row_potential, n, 0.0);
        reset(&mut self.column_potential, m + 1, 0.0);
        reset(&mut self.row_of, m + 1, NONE);
        reset(&mut self.previous, m + 1, NONE);
        for row in 0..n {
            let mut column = self.shortest_path(row, m);
            while column != m {
                let previous = self.previous[column];
                self.row_of[column] = self.row_of[previous];
                column = previous;
            }
        }
    }

    /// Grows a tree of alternating paths from `row` until it reaches a free column; keeps the potentials feasible.
    fn shortest_path(&mut self, row: usize, m: usize) -> usize {
        reset(&mut self.slack, m, f32::INFINITY);
        reset(&mut self.reached, m + 1, false);
        self.row_of[m] = row;
        let mut at = m;
        while self.row_of[at] != NONE {
            self.reached[at] = true;
            let i = self.row_of[at];
            let (mut delta, mut next) = (f32::INFINITY, m);
            for j in 0..m {
                if self.reached[j] {
                    continue;
                }
                let reduced = self.excess[i * m + j] - self.row_potential[i] - self.column_potential[j];
                if reduced < self.slack[j] {
                    self.slack[j] = reduced;
                    self.previous[j] = at;
                }
                if self.slack[j] < delta {
                    delta = self.slack[j];
                    next = j;
                }
            }
            for j in 0..=m {
                if self.reached[j] {
                    self.row_potential[self.row_of[j]] += delta;
                    self.column_potential[j] -= delta;
                } else if j < m {
                    self.slack[j] -= delta;
                }
            }
            at = next;
        }
        at
    }
}

fn reset<T: Clone>(values: &mut Vec<T>, len: usize, value: T) {
    values.clear();
    values.resize(len, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn solve(cost: &[f32], shape: (usize, usize), gate: f32) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        Assigner::default().solve(cost, shape, gate, &mut pairs);
        pairs
    }

    /// The least sum of `cost - gate`, by trying every set of pairs.
    fn brute_force(cost: &[f32], (rows, columns): (usize, usize), gate: f32, row: usize, used: u32) -> f32 {
        if row == rows {
            return 0.0;
        }
        let alone = brute_force(cost, (rows, columns), gate, row + 1, used);
        (0..columns).filter(|j| used & (1 << j) == 0 && cost[row * columns + j] < gate).fold(alone, |best, j| {
            let rest = brute_force(cost, (rows, columns), gate, row + 1, used | 1 << j);
            best.min(cost[row * columns + j] - gate + rest)
        })
    }

    fn matrix() -> impl Strategy<Value = (Vec<f32>, (usize, usize))> {
        (0usize..7, 0usize..7).prop_flat_map(|(rows, columns)| {
            // Few distinct values, so that ties are common.
            let cell = prop_oneof![(0u8..8).prop_map(|v| f32::from(v) / 8.0), 0.0f32..1.0, Just(f32::INFINITY)];
            (proptest::collection::vec(cell, rows * columns), Just((rows, columns)))
        })
    }

    proptest! {
        #[test]
        fn no_set_of_pairs_is_cheaper((cost, shape) in matrix(), gate in 0.0f32..1.2) {
            let pairs = solve(&cost, shape, gate);
            let total: f32 = pairs.iter().map(|&(i, j)| cost[i * shape.1 + j] - gate).sum();
            let best = brute_force(&cost, shape, gate, 0, 0);
            prop_assert!((total - best).abs() < 1e-4, "{total} is not {best}");
        }

        #[test]
        fn pairs_are_disjoint_and_within_the_gate((cost, shape) in matrix(), gate in 0.0f32..1.2) {
            let pairs = solve(&cost, shape, gate);
            for (k, &(i, j)) in pairs.iter().enumerate() {
                prop_assert!(cost[i * shape.1 + j] < gate);
                prop_assert!(pairs[..k].iter().all(|&(a, b)| a != i && b != j));
            }
        }
    }

    #[test]
    fn the_optimum_beats_the_greedy_choice() {
        // Greedy takes (0, 0) and leaves (1, 1).
        assert_eq!(solve(&[0.1, 0.2, 0.2, 0.9], (2, 2), 1.0), [(0, 1), (1, 0)]);
    }

    #[test]
    fn costs_that_are_no_numbers_are_never_paired() {
        assert_eq!(solve(&[f32::NAN, 0.5, f32::NAN, f32::NAN], (2, 2), 1.0), [(0, 1)]);
        assert!(solve(&[], (0, 5), 1.0).is_empty());
    }

    #[test]
    fn the_work_space_may_be_used_again_with_another_shape() {
        let mut assigner = Assigner::default();
        for size in [5usize, 2, 8] {
            let cost: Vec<f32> = (0..size * size).map(|k| if k % (size + 1) == 0 { 0.0 } else { 0.9 }).collect();
            let mut pairs = Vec::new();
            assigner.solve(&cost, (size, size), 1.0, &mut pairs);
            assert!(pairs.iter().all(|(i, j)| i == j) && pairs.len() == size);
        }
    }
}
