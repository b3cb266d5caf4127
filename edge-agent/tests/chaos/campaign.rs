//! A campaign: faults one after another, by their seed; now and then everything must have arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::book::Figures;
use crate::chance::Chance;
use crate::faults::{Fault, SHORT};
use crate::rig::Rig;

/// So many faults, then everything is mended, everything must arrive, and what was reached is written down.
const ROUND: u64 = 6;

/// What is to be done.
#[derive(Debug, Clone)]
pub(crate) struct Params {
    pub(crate) seed: u64,
    /// How many faults in all; `None`: the short part's own.
    pub(crate) faults: Option<u64>,
    pub(crate) cameras: usize,
    /// Only faults whose names hold these words; empty: all.
    pub(crate) only: String,
    /// Where its state and its logs are kept.
    pub(crate) folder: PathBuf,
    /// Ends after this long, to be resumed.
    pub(crate) at_most: Option<Duration>,
}

/// What a campaign has reached: whole rounds only.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    seed: u64,
    /// Faults made.
    done: u64,
    kinds: BTreeMap<String, u64>,
    skipped: BTreeMap<String, u64>,
    /// Of every `kill -9` of the program, those in the midst of another fault included.
    kills: u64,
    figures: Figures,
    wrongs: Vec<String>,
    resumed: u64,
}

impl State {
    fn load(folder: &Path, seed: u64) -> Self {
        let text = std::fs::read_to_string(folder.join("state.json")).unwrap_or_default();
        match serde_json::from_str::<Self>(&text) {
            Ok(state) if state.seed == seed => Self { resumed: state.resumed + 1, ..state },
            _ => Self { seed, ..Self::default() },
        }
    }

    /// Whole or not at all.
    fn save(&self, folder: &Path) {
        let text = serde_json::to_string_pretty(self).expect("numbers and texts can be written");
        std::fs::write(folder.join("state.part"), text).expect("the campaign's folder is writable");
        std::fs::rename(folder.join("state.part"), folder.join("state.json")).expect("the same folder");
    }

    fn is_clean(&self) -> bool {
        self.wrongs.is_empty() && self.figures.lost == 0 && self.figures.twice == 0
    }
}

/// Runs it; whether nothing was lost, seen twice or out of order.
pub(crate) fn run(params: &Params) -> bool {
    std::fs::create_dir_all(&params.folder).expect("the campaign's folder can be made");
    let mut state = State::load(&params.folder, params.seed);
    let faults = params.faults.unwrap_or(SHORT.len() as u64);
    let begun = Instant::now();
    if state.done > 0 {
        println!("resumed after {} faults", state.done);
    }
    let mut rig = Rig::start(&params.folder, params.cameras);
    if !rig.has_disk() {
        println!("no disk faults: this system allows no mount namespace (unshare --mount)");
    }
    if !rig.has_loss() {
        println!(
            "no lost packets: this system allows no network namespace with nftables in it (unshare --net, ip, nft)"
        );
    }
    // Before this process: the book knows only what came since.
    let before = state.clone();
    let mut pending = Vec::new();
    while state.done + (pending.len() as u64) < faults {
        let number = state.done + pending.len() as u64;
        let mut chance = Chance::of(params.seed, number);
        let fault = if params.faults.is_some() { Fault::by(&mut chance, &params.only) } else { SHORT[number as usize] };
        let began = Instant::now();
        let made = rig.make(fault, &mut chance);
        rig.breathe(&mut chance);
        println!(
            "{:>5}  {}{}  {:.1} s",
            number + 1,
            fault.name(),
            if made { "" } else { " (not here)" },
            began.elapsed().as_secs_f64()
        );
        pending.push((fault, made));
        let is_last = number + 1 == faults;
        if pending.len() as u64 == ROUND || is_last {
            let mut never = rig.settle();
            if is_last && never.is_empty() {
                never = rig.close();
            }
            note(&mut state, &before, &rig, &mut pending, &never);
            state.save(&params.folder);
            println!("       {}", line(&state));
            if !state.is_clean() {
                break;
            }
            if params.at_most.is_some_and(|at_most| begun.elapsed() >= at_most) {
                println!("{} of {faults} faults; the same command goes on from here", state.done);
                break;
            }
        }
    }
    report(&state);
    state.is_clean()
}

/// Takes a round over into the state.
fn note(state: &mut State, before: &State, rig: &Rig, pending: &mut Vec<(Fault, bool)>, never: &BTreeSet<(Uuid, u64)>) {
    state.done += pending.len() as u64;
    for (fault, made) in pending.drain(..) {
        let counts = if made { &mut state.kinds } else { &mut state.skipped };
        *counts.entry(fault.name().to_owned()).or_default() += 1;
    }
    let book = rig.book.lock();
    state.figures = before.figures.plus(book.figures(never));
    state.kills = before.kills + book.kills;
    state.wrongs = before.wrongs.iter().chain(&book.wrongs).cloned().collect();
    if !never.is_empty() {
        state.wrongs.push(format!("never arrived: {never:?}"));
    }
}

/// The one line that counts.
fn line(state: &State) -> String {
    let Figures { made, delivered, announced, lost, twice, .. } = state.figures;
    let announced = if announced > 0 { format!(", set aside and announced {announced}") } else { String::new() };
    format!("made {made}, delivered {delivered}{announced}, lost {lost}, seen twice {twice}")
}

fn report(state: &State) {
    println!("\n| fault | times |\n|---|---|");
    for (kind, times) in &state.kinds {
        println!("| {kind} | {times} |");
    }
    for (kind, times) in &state.skipped {
        println!("| {kind} (cannot be made here) | {times} |");
    }
    let Figures { events, arrived, repeated, validated, .. } = state.figures;
    println!(
        "\nseed {}, {} faults, {} kill -9 of the agent; {events} events committed, {arrived} arrived, {repeated} repetitions \
         dropped, {validated} messages hold to the contract",
        state.seed, state.done, state.kills
    );
    for wrong in &state.wrongs {
        println!("WRONG: {wrong}");
    }
    println!("{}", line(state));
}
