//! What `matrix` prints: a row each, as it is measured; then the ratios.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, Turn, Who};
use crate::Window;
use crate::sample::{Quantiles, Sample};

/// Turns of one place.
pub(super) struct Row {
    pub(super) cell: Cell,
    pub(super) turns: Vec<Turn>,
}

/// Everything that was measured.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Row>,
}

impl Cell {
    fn name(self) -> String {
        let (width, height) = self.size;
        format!("{} | {width}x{height} | {}", self.scene.name(), self.cameras)
    }
}

impl Row {
    fn of(&self, who: Who) -> impl Iterator<Item = &Turn> {
        self.turns.iter().filter(move |turn| turn.who == who)
    }

    fn ratios(&self, of: Who, over: Who) -> Vec<f64> {
        // The turns of a round, one each; by frame, because windows are not equally long to the frame.
        let pairs = std::iter::zip(self.of(of), self.of(over));
        sorted(pairs.map(|(of, over)| of.sample.per_frame() / over.sample.per_frame()))
    }
}

impl Table {
    pub(super) fn begin(&mut self, window: &Window) {
        let Window { model, analyse_fps, length, .. } = window;
        let workers = window.workers();
        println!(
            "{model}, {analyse_fps} a second inferred, {workers} inference thread(s), {} s each",
            length.as_secs()
        );
        println!("{}\n", benches::process::machine());
        println!(
            "| scene | size | cameras | who | cores a camera | server's a camera, not counted | received fps \
             | analysed fps: least, mean | judged p50 / p95 / p99 ms | committed p50 / p95 / p99 ms | RSS, PSS MiB \
             | first analysed frame s | incidents in the window |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    }

    /// Prints what was measured, and keeps it for the ratios.
    pub(super) fn add(&mut self, row: Row) {
        let who: BTreeSet<Who> = row.turns.iter().map(|turn| turn.who).collect();
        for who in who {
            println!("{}", line(row.cell, who, &row.of(who).collect::<Vec<_>>()));
        }
        self.rows.push(row);
    }

    /// The ratios, which are what counts.
    pub(super) fn conclude(&self, threads: bool) {
        println!("\nCPU a frame, one over the other: median (least to most) of the turns\n");
        println!(
            "| scene | size | cameras | gates off / floor | program / floor | program / peer \
             | as installed / peer on the full stream |"
        );
        println!("|---|---|---|---|---|---|---|");
        let columns = [
            (Who::Ungated, Who::Floor),
            (Who::Program, Who::Floor),
            (Who::Program, Who::Peer),
            (Who::Installed, Who::Peer),
        ];
        for row in &self.rows {
            let ratios = columns.map(|(of, over)| spread(&row.ratios(of, over)));
            println!("| {} | {} |", row.cell.name(), ratios.join(" | "));
        }
        if threads {
            self.rows.iter().for_each(by_thread);
        }
        println!("\n{}", benches::process::machine());
    }
}

fn line(cell: Cell, who: Who, turns: &[&Turn]) -> String {
    let each = |of: &dyn Fn(&Sample) -> f64| median(&sorted(turns.iter().map(|turn| of(&turn.sample))));
    let cameras = cell.cameras as f64;
    let fps = |frames: f64, sample: &Sample| frames / sample.wall_s;
    let least = |sample: &Sample| sample.analysed_by_camera.iter().copied().min().unwrap_or(0) as f64;
    let ms = |of: fn(&Sample) -> Option<Quantiles>| {
        let all: Vec<Quantiles> = turns.iter().filter_map(|turn| of(&turn.sample)).collect();
        let median = |of: fn(&Quantiles) -> f64| median(&sorted(all.iter().map(of)));
        let count: u64 = all.iter().map(|quantiles| quantiles.count).sum();
        if count == 0 {
            return "–".to_owned();
        }
        format!("{:.0} / {:.0} / {:.0} (of {count})", median(|q| q.p50), median(|q| q.p95), median(|q| q.p99))
    };
    format!(
        "| {} | {} | {:.3} | {:.3} | {:.1} | {:.2}, {:.2} | {} | {} | {:.0}, {:.0} | {:.1} | {} |",
        cell.name(),
        who.name(),
        each(&|sample| sample.cores() / cameras),
        median(&sorted(turns.iter().map(|turn| turn.server / cameras))),
        each(&|sample| fps(sample.frames as f64 / cameras, sample)),
        each(&|sample| fps(least(sample), sample)),
        each(&|sample| fps(sample.analysed as f64 / cameras, sample)),
        ms(|sample| sample.judged_ms),
        ms(|sample| sample.committed_ms),
        each(&|sample| sample.resident_mib),
        each(&|sample| sample.proportional_mib),
        each(&|sample| sample.first_frame_s),
        if who == Who::Floor { "–".to_owned() } else { incidents(turns) },
    )
}

/// By kind: as many as in every turn, or from the fewest to the most.
fn incidents(turns: &[&Turn]) -> String {
    let kinds: BTreeSet<&String> = turns.iter().flat_map(|turn| turn.sample.incidents.keys()).collect();
    let of = |kind: &String| {
        let counts = || turns.iter().map(|turn| turn.sample.incidents.get(kind).copied().unwrap_or(0));
        match (counts().min().unwrap_or(0), counts().max().unwrap_or(0)) {
            (least, most) if least == most => format!("{kind} {least}"),
            (least, most) => format!("{kind} {least}–{most}"),
        }
    };
    let all: Vec<String> = kinds.into_iter().map(of).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn by_thread(row: &Row) {
    println!("\n{}: CPU by kind of thread, ms a second and camera (medians)\n", row.cell.name());
    let who: BTreeSet<Who> = row.turns.iter().map(|turn| turn.who).collect();
    let mut threads: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for (column, who) in who.iter().enumerate() {
        let names: BTreeSet<&String> = row.of(*who).flat_map(|turn| turn.sample.threads_s.keys()).collect();
        for name in names {
            let of = |sample: &Sample| sample.threads_s.get(name).copied().unwrap_or(0.0) / sample.wall_s * 1e3;
            let spent = median(&sorted(row.of(*who).map(|turn| of(&turn.sample)))) / row.cell.cameras as f64;
            threads.entry(name).or_insert_with(|| vec![0.0; who_count(row)])[column] = spent;
        }
    }
    println!("| thread | {} |", who.iter().map(|who| who.name()).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(who.len()));
    for (name, spent) in threads.iter().filter(|(_, spent)| spent.iter().any(|ms| *ms >= 0.05)) {
        let spent: Vec<String> = spent.iter().map(|ms| format!("{ms:.1}")).collect();
        println!("| {name} | {} |", spent.join(" | "));
    }
}

fn who_count(row: &Row) -> usize {
    row.turns.iter().map(|turn| turn.who).collect::<BTreeSet<_>>().len()
}

fn spread(ratios: &[f64]) -> String {
    match ratios {
        [] => "–".to_owned(),
        [one] => format!("{one:.3}"),
        [least, .., most] => format!("{:.3} ({least:.3} to {most:.3})", median(ratios)),
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Of sorted values; zero of none.
fn median(values: &[f64]) -> f64 {
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => (values[even / 2 - 1] + values[even / 2]) / 2.0,
    }
}
