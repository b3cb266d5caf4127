//! From files as written to a [`Site`], or every error at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use analytics::id::InvalidId;
use analytics::{BBox, BoxId, CameraId, Kind, Schedule, SiteId};
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::calendar::{Holiday, read_holidays};
use super::document::{Document, MAX_ERRORS};
use super::error::{ConfigError, ConfigErrors};
use super::evidence::{EvidenceDefaults, OfCamera};
use super::explain::{did_you_mean, nearest};
use super::home::Home;
use super::profile::{HwProfile, Pipeline, read_hw_profile, read_pipeline};
use super::raw::{RawCamera, RawName, RawPipeline, RawPosition, RawSite, RawStorage, RawStream, RawTracker};
use super::secret::SecretUse;
use super::site::{Camera, Name, Position, Site, Storage, TrackerOverrides};
use super::value::Numbers;
use super::written::Written;
use crate::audit::AuditLimits;
use crate::evidence::EvidenceLimits;
use crate::tracks::TrackLimits;

/// The hardware profile of a site that names none.
const DEFAULT_HW_PROFILE: &str = "cpu-x86_64";

const ID_CURE: &str = "write 1 to 40 of a-z, 0-9 and '-', such as \"huong-nam\"";

const DAY: Duration = Duration::from_secs(86_400);
/// Less of the audit log proves nothing.
const LEAST_AUDIT: Duration = Duration::from_secs(30 * 86_400);

/// Collects errors about one document.
pub(super) struct Resolver<'a> {
    pub(super) document: &'a Document,
    pub(super) errors: ConfigErrors,
    pub(super) notices: Vec<String>,
    pub(super) secrets: Vec<SecretUse>,
}

impl<'a> Resolver<'a> {
    /// With the errors that reading the document gave.
    pub(super) fn with_errors(document: &'a Document, errors: ConfigErrors) -> Self {
        Self { document, errors, notices: Vec::new(), secrets: Vec::new() }
    }

    pub(super) fn error(&mut self, key: &str, what: impl Into<String>, cure: impl Into<String>) {
        if self.errors.0.len() >= MAX_ERRORS {
            return;
        }
        self.errors.0.push(ConfigError {
            file: self.document.file().to_owned(),
            line: self.document.line_of(key),
            key: key.to_owned(),
            what: what.into(),
            cure: cure.into(),
        });
    }

    /// The value, or an error when it is missing. A key that was there but could not be read has its own error already.
    pub(super) fn required<'v, T: ?Sized>(&mut self, key: &str, value: Option<&'v T>, cure: &str) -> Option<&'v T> {
        if value.is_none() {
            self.missing(key, cure);
        }
        value
    }

    /// Reports that a key is missing, unless it was there and could not be read, or seems to be there with a slip.
    pub(super) fn missing(&mut self, key: &str, cure: &str) {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        let is_slip = |error: &ConfigError| {
            error.cure == did_you_mean(name) && error.key.rsplit_once('.').map_or("", |(table, _)| table) == table
        };
        let file = self.document.file();
        let of_file = || self.errors.0.iter().filter(|error| error.file == file);
        if !of_file().any(|error| error.key == key || is_slip(error)) {
            self.error(key, "is missing", cure);
        }
    }

    /// Reports that of two keys only one is there, unless the other was and could not be read.
    pub(super) fn one_of_two(&mut self, table: &str, [one, other]: [&str; 2]) {
        if ![one, other].iter().any(|name| self.is_reported(&format!("{table}.{name}"))) {
            self.error(table, format!("has only one of {one} and {other}"), "give both, or neither");
        }
    }

    /// Whether there is an error about this key, or one within it.
    pub(super) fn is_reported(&self, key: &str) -> bool {
        let file = self.document.file();
        let within = |error: &ConfigError| {
            error.key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.errors.0.iter().any(|error| error.file == file && within(error))
    }

    /// Reports a model that is not there.
    pub(super) fn model(&mut self, key: &str, name: &str, models: &[String]) {
        if !models.iter().any(|known| known == name) {
            let known: Vec<&str> = models.iter().map(String::as_str).collect();
            self.unknown(key, name, "model", &known);
        }
    }

    pub(super) fn unknown(&mut self, key: &str, word: &str, what: &str, known: &[&str]) {
        let cure = match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if known.is_empty() => "there is none yet: add one".to_owned(),
            None => format!("choose one of: {}", known.join(", ")),
        };
        self.error(key, format!("there is no {what} \"{word}\""), cure);
    }

    pub(super) fn id<T>(
        &mut self,
        key: &str,
        value: Option<&String>,
        parse: impl Fn(&str) -> Result<T, InvalidId>,
    ) -> Option<T> {
        let text = self.required(key, value, ID_CURE)?;
        let wrong = |_| self.error(key, format!("\"{text}\" is not an identifier"), ID_CURE);
        parse(text).map_err(wrong).ok()
    }

    pub(super) fn kind(&mut self, key: &str, text: &str) -> Option<Kind> {
        let kind = Kind::from_file_label(text);
        if kind.is_none() {
            let known: Vec<&str> = Kind::ALL.into_iter().map(Kind::file_label).collect();
            self.unknown(key, text, "kind of rule", &known);
        }
        kind
    }

    pub(super) fn analyse_fps(&mut self, key: &str, fps: f64) -> Option<f64> {
        let valid = (0.1..=60.0).contains(&fps);
        if !valid {
            self.error(key, format!("is {fps}"), "write the frames analysed a second, 0.1 to 60; 5 suits traffic");
        }
        valid.then_some(fps)
    }

    pub(super) fn name(&mut self, key: &str, raw: Option<&RawName>) -> Option<Name> {
        let cure = "write { vi = \"…\", en = \"…\" }";
        let raw = self.required(key, raw, cure)?;
        let vi = self.required(&format!("{key}.vi"), raw.vi.as_ref(), cure);
        let en = self.required(&format!("{key}.en"), raw.en.as_ref(), cure);
        for (language, text) in [("vi", vi), ("en", en)] {
            if text.is_some_and(|text| text.trim().is_empty()) {
                self.error(&format!("{key}.{language}"), "is empty", "write the name as operators read it");
            }
        }
        Some(Name { vi: vi?.clone(), en: en?.clone() })
    }

    fn position(&mut self, raw: &RawPosition) -> Option<Position> {
        let cure = "write { lon = …, lat = … } in degrees, WGS 84";
        let lon = self.required("site.position.lon", raw.lon.as_ref(), cure);
        let lat = self.required("site.position.lat", raw.lat.as_ref(), cure);
        let (lon, lat) = (*lon?, *lat?);
        if !(-180.0..=180.0).contains(&lon) || !(-90.0..=90.0).contains(&lat) {
            let swapped = (-180.0..=180.0).contains(&lat) && (-90.0..=90.0).contains(&lon);
            let cure = if swapped { "are the two swapped?" } else { cure };
            self.error("site.position", format!("lon {lon}, lat {lat} is not on the globe"), cure);
            return None;
        }
        Some(Position { lon, lat })
    }

    fn timezone(&mut self, raw: Option<&String>) -> Option<TimeZone> {
        let name = raw.map_or("Asia/Ho_Chi_Minh", String::as_str);
        TimeZone::get(name)
            .map_err(|_| {
                let what = format!("there is no time zone \"{name}\"");
                self.error("site.timezone", what, "write an IANA name, such as \"Asia/Ho_Chi_Minh\"");
            })
            .ok()
    }

    pub(super) fn site_dir(&self) -> &Path {
        self.document.file().parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn storage(&mut self, raw: Option<&RawStorage>) -> Storage {
        let path = raw.and_then(|raw| raw.path.as_ref());
        let outbox_bytes = raw.and_then(|raw| raw.outbox).map_or(512 << 20, |size| size.0);
        if outbox_bytes < 1 << 20 {
            self.error("storage.outbox", "is too small to hold events", "write at least \"1 MiB\"; default 512 MiB");
        }
        let max_bytes = raw.and_then(|raw| raw.evidence).map_or(4 << 30, |size| size.0);
        if max_bytes < 1 << 20 {
            self.error("storage.evidence", "is too small to hold pictures", "write at least \"1 MiB\"; default 4 GiB");
        }
        let retention = raw.and_then(|raw| raw.retention.as_ref());
        let keep_for = retention.and_then(|raw| raw.snapshots).map_or(30 * DAY, |text| text.0);
        if keep_for.is_zero() {
            let cure = "write how long to keep them; to take none, write snapshots = false in [evidence]";
            self.error("storage.retention.snapshots", "keeps no picture", cure);
        }
        let keep_clips_for = retention.and_then(|raw| raw.clips).map_or(3 * DAY, |text| text.0);
        if keep_clips_for.is_zero() {
            let cure = "write how long to keep them; to make none, write clips = false in [evidence]";
            self.error("storage.retention.clips", "keeps no clip", cure);
        }
        let tracks = TrackLimits {
            max_bytes: raw.and_then(|raw| raw.tracks).map_or(1 << 30, |size| size.0),
            keep_for: retention.and_then(|raw| raw.tracks).map_or(2 * DAY, |text| text.0),
        };
        if tracks.max_bytes < 1 << 20 {
            let cure =
                "write at least \"1 MiB\" (default 1 GiB); to record none, write retention = { tracks = \"0s\" }";
            self.error("storage.tracks", "is too small to hold tracks", cure);
        }
        let path = match path {
            Some(path) => self.site_dir().join(path),
            None => "/var/lib/ngatu".into(),
        };
        let keep_thumbnails_for = retention.and_then(|raw| raw.thumbnails).map_or(30 * DAY, |text| text.0);
        if keep_thumbnails_for < Duration::from_secs(3600) {
            let cure = "write at least \"1h\"; they wait while the centre is away";
            self.error("storage.retention.thumbnails", "leaves thumbnails no time to be sent", cure);
        }
        let audit = AuditLimits {
            keep_for: retention.and_then(|raw| raw.audit).map_or(AuditLimits::default().keep_for, |text| text.0),
            ..AuditLimits::default()
        };
        if audit.keep_for < LEAST_AUDIT {
            let cure = "write at least \"30d\"; default 365d, which rules for such logs ask for";
            self.error("storage.retention.audit", "keeps the audit log too briefly", cure);
        }
        let writes_per_day = raw.and_then(|raw| raw.writes_per_day).map_or(10 << 30, |size| size.0);
        if writes_per_day < 1 << 20 {
            let cure = "write what the flash bears a day, at least \"1 MiB\"; default 10 GiB";
            self.error("storage.writes_per_day", "is a budget that nothing keeps", cure);
        }
        Storage {
            path,
            outbox_bytes,
            evidence: EvidenceLimits { max_bytes, keep_for, keep_clips_for },
            tracks,
            keep_thumbnails_for,
            audit,
            writes_per_day,
        }
    }

    pub(super) fn regions(&mut self, key: &str, raw: &[Numbers<4>]) -> Option<Vec<BBox>> {
        let regions = regions(raw);
        if regions.is_none() {
            let cure =
                "write left, top, right, bottom as fractions, such as [[0.0, 0.0, 0.55, 1.0], [0.45, 0.0, 1.0, 1.0]]";
            self.error(key, "is not a list of regions inside the picture", cure);
        }
        regions
    }

    pub(super) fn tracker(&mut self, key: &str, raw: &RawTracker) {
        let fractions = [
            ("high_confidence", raw.high_confidence),
            ("low_confidence", raw.low_confidence),
            ("new_confidence", raw.new_confidence),
        ];
        for (name, value) in fractions {
            if let Some(value) = value.filter(|value| !(0.0..=1.0).contains(value)) {
                self.error(&format!("{key}.{name}"), format!("is {value}"), "write a confidence, 0 to 1");
            }
        }
    }

    fn camera(
        &mut self,
        index: usize,
        raw: &RawCamera,
        pipeline: Option<&RawPipeline>,
        evidence: EvidenceDefaults,
    ) -> Option<Camera> {
        let key = |name: &str| format!("camera[{index}].{name}");
        let id = self.id(&key("id"), raw.id.as_ref(), CameraId::new);
        let name = self.name(&key("name"), raw.name.as_ref());
        let on_box = |stream: &&RawStream| stream.device.is_some() && stream.url.is_none();
        let of_detect = raw.detect.as_ref();
        let device =
            of_detect.filter(on_box).and_then(|stream| self.device(&key("detect"), stream.device.as_deref()?, stream));
        let detect = of_detect
            .filter(|stream| !on_box(stream))
            .map(|stream| self.stream(&key("detect"), stream, &["rtsp", "http"]));
        let record = raw.record.as_ref().and_then(|record| self.stream(&key("record"), record, &["rtsp"]));
        let fps = raw.analyse_fps.and_then(|fps| self.analyse_fps(&key("analyse_fps"), fps));
        let of_camera = raw.regions.as_ref().and_then(|regions| self.regions(&key("regions"), regions));
        let motion_gate = self.motion_gate(&key("motion_gate"), raw.motion_gate.as_ref());
        let smaller = raw.smaller_input.as_ref().and_then(|regions| self.regions(&key("smaller_input"), regions));
        let (priority, key_frames_only) =
            (self.priority(&key("priority"), raw.priority), self.key_frames_only(index, raw));
        self.tracker(&key("tracker"), &raw.tracker);
        let mut places = self.places(index, &raw.zone, &raw.line);
        if let Some(calibration) = raw.calibration.as_ref().and_then(|raw| self.calibration(index, raw)) {
            (places.ground, places.residual) = (Some(calibration.ground), calibration.residual);
        }
        let masks = self.masks(index, &raw.mask);
        let signals = self.signals(index, &raw.signal);
        places.signals = signals.ids();
        let mut rules = self.rules(index, raw, &places, pipeline);
        self.add_camera_rules(index, raw, pipeline, &mut rules);
        let measure = self.measure(&key("measure"), raw, &places);
        self.check_masks(index, &masks, raw, (&places, &signals));
        let pipeline_name = raw.pipeline.as_ref()?;
        let pipeline = pipeline?;
        let OfCamera { snapshots_from, clips, privacy, ring } = self.camera_evidence(index, raw, evidence);
        Some(Camera {
            id: id?,
            name: name?,
            pipeline: Pipeline { name: pipeline_name.clone() },
            detect: detect.flatten(),
            device,
            record,
            snapshots_from,
            clips,
            privacy,
            ring,
            analyse_fps: fps.or(pipeline.analyse_fps)?,
            model: raw.model.clone().or_else(|| pipeline.model.clone())?,
            regions: of_camera.or_else(|| pipeline.regions.as_deref().and_then(regions)),
            motion_gate,
            smaller_input: smaller.or_else(|| pipeline.smaller_input.as_deref().and_then(regions)),
            priority,
            key_frames_only,
            tracker: overrides(&raw.tracker, &pipeline.tracker),
            masks,
            places,
            measure,
            signals,
            rules,
        })
    }
}

/// `None` when one is not inside the picture or has no area, or there is none.
fn regions(raw: &[Numbers<4>]) -> Option<Vec<BBox>> {
    let region = |Numbers(region): &Numbers<4>| {
        let [left, top, right, bottom] = region.map(|v| v as f32);
        let inside = region.iter().all(|v| (0.0..=1.0).contains(v));
        inside.then(|| BBox::new(left, top, right, bottom)).flatten()
    };
    raw.iter().map(region).collect::<Option<Vec<BBox>>>().filter(|regions| !regions.is_empty())
}

fn overrides(site: &RawTracker, pipeline: &RawTracker) -> TrackerOverrides {
    TrackerOverrides {
        high_confidence: site.high_confidence.or(pipeline.high_confidence),
        low_confidence: site.low_confidence.or(pipeline.low_confidence),
        new_confidence: site.new_confidence.or(pipeline.new_confidence),
        confirm_after: site.confirm_after.or(pipeline.confirm_after).map(|text| text.0),
        lost_for: site.lost_for.or(pipeline.lost_for).map(|text| text.0),
    }
}

/// Reads a site file and the pipelines and hardware profile that it names.
pub fn load_site(file: &Path, home: &Home) -> Result<Site, ConfigErrors> {
    load(&Document::read(file)?, home)
}

/// The same for a text that is to become `file`.
pub fn load_site_text(file: &Path, text: &str, home: &Home) -> Result<Site, ConfigErrors> {
    load(&Document::from_text(file, text), home)
}

/// What of a site file has no errors, if that is a site, and every error: for those who look at it rather than run it.
pub fn load_site_partly(file: &Path, home: &Home) -> Result<(Option<Site>, ConfigErrors), ConfigErrors> {
    Ok(resolve(&Document::read(file)?, home))
}

pub(super) fn load(document: &Document, home: &Home) -> Result<Site, ConfigErrors> {
    match resolve(document, home) {
        (Some(site), errors) if errors.0.is_empty() => Ok(site),
        (_, errors) => Err(errors),
    }
}

fn resolve(document: &Document, home: &Home) -> (Option<Site>, ConfigErrors) {
    let mut errors = ConfigErrors::default();
    let Some(raw) = document.deserialize::<RawSite>(&mut errors) else { return (None, errors) };
    let mut resolver = Resolver::with_errors(document, errors);
    let mut digest = Sha256::new();
    digest.update(document.text());

    let section = resolver.required("site", raw.site.as_ref(), "add the section [site]");
    let id = section.and_then(|site| resolver.id("site.id", site.id.as_ref(), SiteId::new));
    let name = section.and_then(|site| resolver.name("site.name", site.name.as_ref()));
    let timezone = section.and_then(|site| resolver.timezone(site.timezone.as_ref()));
    let position = section.and_then(|site| site.position.as_ref()).map(|raw| resolver.position(raw));
    let holidays = section.and_then(|site| site.holidays.as_ref());
    let calendar = holidays.map(|file| resolver.holidays(file, &mut digest));
    let raw_box = resolver.required("box", raw.r#box.as_ref(), "add the section [box] with its id");
    let box_id = raw_box.and_then(|raw| resolver.id("box.id", raw.id.as_ref(), BoxId::new));
    let hw_profile = raw_box.and_then(|raw| hw_profile(&mut resolver, home, raw.hw_profile.as_deref(), &mut digest));
    let raw_mqtt = resolver.required("mqtt", raw.mqtt.as_ref(), "add the section [mqtt] with the broker's url");
    let mqtt = raw_mqtt.and_then(|raw| resolver.mqtt(raw));
    let storage = resolver.storage(raw.storage.as_ref());
    let status_listen = resolver.status_listen(raw.status.as_ref());
    let raw_remote = raw.status.as_ref().and_then(|status| status.remote.as_ref());
    let status_remote = raw_remote.map(|raw| resolver.remote(raw));
    let syslog = raw.audit.as_ref().and_then(|audit| audit.syslog.as_ref()).and_then(|raw| resolver.syslog(raw));
    let evidence = resolver.evidence(raw.evidence.as_ref());
    let (cameras, disabled) = cameras(&mut resolver, home, &raw.camera, evidence, &mut digest);

    if section.is_some_and(|site| site.holidays.is_none()) {
        resolver.check_holidays_needed(&cameras);
    }

    let Resolver { mut errors, notices, secrets, .. } = resolver;
    let complete = (|| {
        Some(Site {
            id: id?,
            name: name?,
            timezone: timezone?,
            holidays: calendar.unwrap_or_else(|| Some([].into()))?,
            position: position.flatten(),
            box_id: box_id?,
            hw_profile: hw_profile?,
            mqtt: mqtt?,
            storage,
            status_listen,
            // What is not resolved is an error: never a page without its log-in.
            status_remote: match status_remote {
                Some(remote) => Some(remote?),
                None => None,
            },
            syslog,
            cameras,
            disabled,
            digest: format!("sha256:{:x}", HexBytes(&digest.finalize())),
            written: Written::of(document.text()),
            notices,
            secrets,
            signed_by: None,
        })
    })();
    errors.0.sort_by_key(|error| (error.file != document.file(), error.file.clone(), error.line));
    (complete, errors)
}

struct HexBytes<'a>(&'a [u8]);

impl std::fmt::LowerHex for HexBytes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn hw_profile(resolver: &mut Resolver<'_>, home: &Home, name: Option<&str>, digest: &mut Sha256) -> Option<HwProfile> {
    let name = name.unwrap_or(DEFAULT_HW_PROFILE);
    let file = home.hw_profile(name);
    if !file.is_file() {
        resolver.unknown_file("box.hw_profile", name, "hardware profile", &home.root().join("hw-profiles"));
        return None;
    }
    let (profile, document) = read_hw_profile(name, &file, &mut resolver.errors)?;
    digest.update(document.text());
    Some(profile)
}

fn cameras(
    resolver: &mut Resolver<'_>,
    home: &Home,
    raw: &[RawCamera],
    evidence: EvidenceDefaults,
    digest: &mut Sha256,
) -> (Vec<Camera>, Vec<CameraId>) {
    if raw.is_empty() {
        resolver.missing("camera", "add a [[camera]]");
    }
    let models = crate::setup::model_names(home);
    let (mut cameras, mut disabled): (Vec<Camera>, Vec<CameraId>) = (Vec::new(), Vec::new());
    let mut pipelines: Vec<(String, Option<RawPipeline>)> = Vec::new();
    for (index, raw_camera) in raw.iter().enumerate() {
        let key = format!("camera[{index}].pipeline");
        let name = resolver.required(&key, raw_camera.pipeline.as_ref(), "name a file of pipelines/, without .toml");
        if let Some(name) = name.filter(|name| !pipelines.iter().any(|(known, _)| known == *name)) {
            let file = home.pipeline(name);
            let read = if file.is_file() {
                read_pipeline(&file, &models, &mut resolver.errors)
            } else {
                resolver.unknown_file(&key, name, "pipeline", &home.root().join("pipelines"));
                None
            };
            let raw_pipeline = read.map(|(raw, document)| {
                digest.update(document.text());
                raw
            });
            pipelines.push((name.clone(), raw_pipeline));
        }
        let pipeline = name.and_then(|name| pipelines.iter().find(|(known, _)| known == name));
        let camera = resolver.camera(index, raw_camera, pipeline.and_then(|(_, raw)| raw.as_ref()), evidence);
        if let Some(model) = &raw_camera.model {
            resolver.model(&format!("camera[{index}].model"), model, &models);
        }
        let Some(camera) = camera else { continue };
        if cameras.iter().map(|camera| &camera.id).chain(&disabled).any(|id| *id == camera.id) {
            let key = format!("camera[{index}].id");
            resolver.error(&key, format!("\"{}\" is used twice", camera.id), "give each camera an id of its own");
        }
        if raw_camera.enabled == Some(false) {
            disabled.push(camera.id);
        } else {
            cameras.push(camera);
        }
    }
    (cameras, disabled)
}

impl Resolver<'_> {
    fn holidays(&mut self, file: &Path, digest: &mut Sha256) -> Option<Arc<[Holiday]>> {
        let path = self.site_dir().join(file);
        if !path.is_file() {
            let what = format!("there is no file {}", path.display());
            self.error("site.holidays", what, "correct the path: it is read from the folder of this file");
            return None;
        }
        let (holidays, document) = read_holidays(&path, &mut self.errors)?;
        digest.update(document.text());
        Some(holidays)
    }

    /// A schedule that asks for holidays of which nobody told would be armed at the wrong times.
    fn check_holidays_needed(&mut self, cameras: &[Camera]) {
        let rules = cameras.iter().flat_map(|camera| camera.rules.iter().map(move |rule| (camera, rule)));
        let mut asks = rules.filter(|(_, rule)| rule.schedule.as_ref().is_some_and(Schedule::asks_for_holidays));
        if let Some((camera, rule)) = asks.next() {
            let what =
                format!("is missing, and the schedule of rule \"{}\" of camera \"{}\" asks for it", rule.id, camera.id);
            self.error("site.holidays", what, "write holidays = \"holidays.vn.toml\", the path of a file of holidays");
        }
    }

    fn unknown_file(&mut self, key: &str, name: &str, what: &str, dir: &Path) {
        let known = super::home::names(dir);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        self.unknown(key, name, what, &known);
    }
}
