//! `replay --tracks-db`: recorded tracks against the site file, or against two of them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use analytics::{CameraId, WallTime};
use anyhow::{Context, bail};
use edge_agent::config::{self, Camera, Home, Site};
use edge_agent::outbox::Draft;
use edge_agent::publish::wire::{self, ModelRef, Moment, Sequence, Stamp, TimeQuality, UtcMillis};
use edge_agent::replay::difference::{Change, Spell, Spells, changes};
use edge_agent::replay::{Judged, Watched, rejudge};
use edge_agent::setup;
use edge_agent::tracks::TracksReader;
use serde_json::json;
use uuid::Uuid;

use super::{parse_time, write_line, writer};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Judge recorded tracks instead of clips; without a FILE those of the site's storage folder.
    #[arg(long, value_name = "FILE")]
    pub(super) tracks_db: Option<Option<PathBuf>>,

    /// Another site file, that of the time: say which incidents appear, vanish or move with --site instead of writing events.
    #[arg(long, value_name = "FILE", requires = "tracks_db", conflicts_with = "events")]
    against: Option<PathBuf>,

    /// Only this camera's tracks.
    #[arg(long, value_name = "CAM", requires = "tracks_db")]
    camera: Option<String>,

    /// Only what was captured from then on.
    #[arg(long, value_name = "RFC3339", requires = "tracks_db", value_parser = parse_time)]
    from: Option<WallTime>,

    /// Only what was captured until then.
    #[arg(long, value_name = "RFC3339", requires = "tracks_db", value_parser = parse_time)]
    until: Option<WallTime>,

    /// With --against: one JSON object a line.
    #[arg(long, requires = "against")]
    json: bool,
}

pub(super) fn run(
    file: Option<&Path>,
    args: &Args,
    site: &Site,
    events: Option<&Path>,
    home: &Home,
) -> anyhow::Result<ExitCode> {
    let file = file.map_or_else(|| site.storage.tracks_file(), Path::to_owned);
    let tracks = TracksReader::open(&file)?;
    let span = [
        args.from.unwrap_or(WallTime::from_unix_nanos(i64::MIN)),
        args.until.unwrap_or(WallTime::from_unix_nanos(i64::MAX)),
    ];
    let recorded = tracks.cameras()?;
    let cameras = cameras(&recorded, site, args.camera.as_deref())?;
    let began = Instant::now();
    let mut watched = Watched::default();
    match &args.against {
        None => {
            let mut lines = Lines { out: writer(events)?, sequence: 0 };
            for camera in cameras {
                let context = context(site, camera, home)?;
                let mut told = |judged: Judged| lines.write(site, &context, &judged);
                add(&mut watched, rejudge(site, camera, &tracks, span, &mut told)?);
            }
            lines.out.flush().context("cannot write the events")?;
            say(&watched, began);
        }
        Some(old) => {
            let before_site = config::load_site(old, home)?;
            let (mut before, mut now) = (Vec::new(), Vec::new());
            for camera in cameras {
                let Some(old) = before_site.camera(camera.id.as_str()) else {
                    bail!("{} has no camera \"{}\"\n    → name another camera: --camera", old.display(), camera.id);
                };
                add(&mut watched, spells(&before_site, old, &tracks, span, &mut before)?);
                add(&mut watched, spells(site, camera, &tracks, span, &mut now)?);
            }
            let changes = changes(&before, &now);
            let mut out = writer(None)?;
            if args.json { json_lines(&mut out, &changes) } else { table(&mut out, &changes, site) }
                .and_then(|()| out.flush())
                .context("cannot write the difference")?;
            say(&watched, began);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn cameras<'a>(recorded: &[CameraId], site: &'a Site, only: Option<&str>) -> anyhow::Result<Vec<&'a Camera>> {
    let names = || recorded.iter().map(CameraId::as_str).collect::<Vec<_>>().join(", ");
    if let Some(only) = only {
        if !recorded.iter().any(|camera| camera.as_str() == only) {
            bail!("no tracks of camera \"{only}\" are recorded\n    → there are tracks of: {}", names());
        }
        let camera = site.camera(only).with_context(|| format!("the site has no camera \"{only}\""))?;
        return Ok(vec![camera]);
    }
    let cameras: Vec<&Camera> = recorded.iter().filter_map(|id| site.camera(id.as_str())).collect();
    if cameras.is_empty() {
        bail!("no tracks of the site's cameras are recorded; there are tracks of: {}", names());
    }
    Ok(cameras)
}

fn add(sum: &mut Watched, one: Watched) {
    sum.scenes += one.scenes;
    sum.without_state += one.without_state;
    sum.media_s += one.media_s;
}

fn say(watched: &Watched, began: Instant) {
    let passed_s = began.elapsed().as_secs_f64().max(1e-3);
    eprintln!(
        "{} scenes, {:.1} camera-hours judged in {passed_s:.1} s ({:.0}x)",
        watched.scenes,
        watched.media_s / 3600.0,
        watched.media_s / passed_s
    );
    if watched.without_state > 0 {
        eprintln!(
            "{} of these scenes are of an earlier version, without signals: rules that go by a signal find nothing there",
            watched.without_state
        );
    }
}

fn spells(
    site: &Site,
    camera: &Camera,
    tracks: &TracksReader,
    span: [WallTime; 2],
    into: &mut Vec<Spell>,
) -> anyhow::Result<Watched> {
    let mut spells = Spells::default();
    let mut told = |judged: Judged| {
        if let Judged::Event { event, .. } = judged {
            spells.add(&event);
        }
        Ok(())
    };
    let watched = rejudge(site, camera, tracks, span, &mut told)?;
    into.extend(spells.finish());
    Ok(watched)
}

/// What events say of their camera: the network is that of the site file; what it ran on is not known any more.
fn context(site: &Site, camera: &Camera, home: &Home) -> anyhow::Result<edge_agent::publish::wire::EventContext> {
    let manifest = setup::manifest(home, &camera.model)?;
    let model = ModelRef { name: manifest.name, sha256: manifest.sha256, provider: "recorded".into() };
    Ok(setup::event_context_of(site, camera, model)?)
}

struct Lines {
    out: Box<dyn Write>,
    sequence: u64,
}

impl Lines {
    fn write(
        &mut self,
        site: &Site,
        context: &edge_agent::publish::wire::EventContext,
        judged: &Judged,
    ) -> std::io::Result<()> {
        let topics = setup::topics(site).map_err(std::io::Error::other)?;
        self.sequence += 1;
        let stamp = |time| Stamp { sequence: Sequence(self.sequence), recorded_at: time, outbox_id: Uuid::nil() };
        match judged {
            Judged::Event { event, analysed_fps } => {
                let time_quality = TimeQuality { synced: false, max_error_ms: None };
                let moment = Moment { analysed_fps: *analysed_fps, time_quality };
                let mut event = Draft::new(&topics, context, moment, event).event().clone();
                event.stamp(stamp(event.time));
                write_line(&mut self.out, &event)
            }
            Judged::Withheld(withheld) => {
                let mut event = wire::withheld(&topics, withheld);
                event.stamp(stamp(event.time));
                write_line(&mut self.out, &event)
            }
        }
    }
}

fn json_lines(out: &mut dyn Write, changes: &[Change]) -> std::io::Result<()> {
    let object = |spell: &Spell| {
        json!({
            "camera": spell.camera.as_str(),
            "rule": spell.rule.as_str(),
            "kind": spell.kind.wire_label(),
            "opened_at": UtcMillis::from(spell.opened_at).to_string(),
            "ended_at": UtcMillis::from(spell.ended_at).to_string(),
            "tracks": spell.tracks.iter().map(|track| track.0).collect::<Vec<_>>(),
        })
    };
    for change in changes {
        let (word, before, now) = match change {
            Change::Same(now) => ("same", Some(now), Some(now)),
            Change::Moved { before, now } => ("moved", Some(before), Some(now)),
            Change::Appears(now) => ("appears", None, Some(now)),
            Change::Vanishes(before) => ("vanishes", Some(before), None),
        };
        let line = json!({ "change": word, "before": before.map(object), "now": now.map(object) });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What changes, one line each; then a table by camera and rule.
fn table(out: &mut dyn Write, changes: &[Change], site: &Site) -> std::io::Result<()> {
    for change in changes {
        let spell = change.spell();
        let local = UtcMillis::from(spell.opened_at).timestamp().to_zoned(site.timezone.clone());
        let what = format!("{} {} {}", local.strftime("%F %T"), spell.camera, spell.rule);
        let tracks: Vec<String> = spell.tracks.iter().take(5).map(|track| format!("#{track}")).collect();
        let what = format!("{what} ({}) {}", spell.kind, tracks.join(" "));
        let lasted = |spell: &Spell| seconds(spell.opened_at, spell.ended_at);
        match change {
            Change::Same(_) => {}
            Change::Moved { before, now } => writeln!(
                out,
                "~ {what}: opens {:+.1} s, ends {:+.1} s",
                seconds(before.opened_at, now.opened_at),
                seconds(before.ended_at, now.ended_at)
            )?,
            Change::Appears(now) => writeln!(out, "+ {what}: open for {:.1} s", lasted(now))?,
            Change::Vanishes(before) => writeln!(out, "- {what}: was open for {:.1} s", lasted(before))?,
        }
    }
    let mut rules: Vec<[&str; 2]> =
        changes.iter().map(|change| [change.spell().camera.as_str(), change.spell().rule.as_str()]).collect();
    rules.sort_unstable();
    rules.dedup();
    let width = rules.iter().flatten().map(|word| word.len()).max().unwrap_or(0).max(6);
    writeln!(
        out,
        "{:width$} {:width$} {:>7} {:>7} {:>7} {:>7} {:>8} {:>8}",
        "camera", "rule", "before", "now", "same", "moved", "appears", "vanishes"
    )?;
    for [camera, rule] in rules {
        let mut count = [0_u32; 4];
        for change in changes {
            let spell = change.spell();
            if spell.camera.as_str() == camera && spell.rule.as_str() == rule {
                count[match change {
                    Change::Same(_) => 0,
                    Change::Moved { .. } => 1,
                    Change::Appears(_) => 2,
                    Change::Vanishes(_) => 3,
                }] += 1;
            }
        }
        let [same, moved, appears, vanishes] = count;
        let (before, now) = (same + moved + vanishes, same + moved + appears);
        writeln!(
            out,
            "{camera:width$} {rule:width$} {before:>7} {now:>7} {same:>7} {moved:>7} {appears:>8} {vanishes:>8}"
        )?;
    }
    Ok(())
}

fn seconds(from: WallTime, to: WallTime) -> f64 {
    (to.as_unix_nanos() - from.as_unix_nanos()) as f64 / 1e9
}
