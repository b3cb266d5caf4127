//! The box's numbers for Prometheus (OpenMetrics 1.0), read from the stages' own counters at each scrape.
//!
//! Names and meanings are in `docs/metrics.md`; a test holds both to each other. Labels take few values: cameras of the
//! site file, its models, their providers, kinds and severities.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, MetricEncoder, NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::sources::{PageCamera, Sources};
use crate::ladder::Step;
use crate::publish::wire::{
    CameraState, EvidenceHealth, Health, HealthState, PrecisionData, ResourcesHealth, Severity,
};
use crate::record::RingTotals;
use crate::status::{Latency, Snapshot, camera_status};

/// Before every name.
const PREFIX: &str = "ngatu";

const STATES: [(CameraState, &str); 4] = [
    (CameraState::Online, "online"),
    (CameraState::Degraded, "degraded"),
    (CameraState::Offline, "offline"),
    (CameraState::Disabled, "disabled"),
];

/// Everything, as text.
pub(super) struct Metrics {
    registry: Registry,
    sources: Arc<Sources>,
}

impl Metrics {
    pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    pub(super) fn new(sources: Arc<Sources>) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(OfBox(Arc::clone(&sources))));
        Self { registry, sources }
    }

    /// `None` before the health task's first look.
    pub(super) fn text(&self) -> Option<String> {
        self.sources.snapshot()?;
        let mut text = String::new();
        text::encode(&mut text, &self.registry).ok()?;
        Some(text)
    }
}

struct OfBox(Arc<Sources>);

impl fmt::Debug for OfBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfBox").finish_non_exhaustive()
    }
}

impl Collector for OfBox {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(snapshot) = self.0.snapshot() else { return Ok(()) };
        let mut writer = Writer(encoder);
        the_program(&mut writer, &self.0, &snapshot)?;
        delivery(&mut writer, &self.0)?;
        pictures(&mut writer, &snapshot.health.evidence)?;
        commands(&mut writer, &snapshot.health)?;
        cameras(&mut writer, &self.0.cameras)
    }
}

/// A sample: its labels and its value.
type Sample<L, V> = (L, V);

struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn one(&mut self, name: &str, help: &str, unit: Option<Unit>, value: impl EncodeGaugeValue) -> fmt::Result {
        self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?.encode_gauge(&value)
    }

    fn count(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        write_count(&mut self.0.encode_descriptor(name, help, None, MetricType::Counter)?, value)
    }

    fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = Sample<L, V>>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        samples.into_iter().try_for_each(|(labels, value)| metric.encode_family(&labels)?.encode_gauge(&value))
    }

    fn counts<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = Sample<L, u64>>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        samples.into_iter().try_for_each(|(labels, value)| write_count(&mut metric.encode_family(&labels)?, value))
    }

    fn histograms<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = Sample<L, Latency>>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        samples.into_iter().try_for_each(|(labels, latency)| {
            let (buckets, sum): (Vec<_>, f64) = (latency.buckets().collect(), latency.sum().as_secs_f64());
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, latency.count(), &buckets, None)
        })
    }
}

fn write_count(metric: &mut MetricEncoder<'_>, value: impl EncodeCounterValue) -> fmt::Result {
    metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
}

fn the_program(writer: &mut Writer<'_>, sources: &Sources, snapshot: &Snapshot) -> fmt::Result {
    let health = &snapshot.health;
    let build = [("version", sources.birth.software.version.as_ref()), ("config", sources.birth.config.as_str())];
    writer
        .0
        .encode_descriptor("build", "The program and the configuration in force", None, MetricType::Info)?
        .encode_info(&build)?;
    writer.one("uptime", "Time since the program started", Some(Unit::Seconds), health.uptime_s)?;
    writer.one("resident_memory", "Memory in use by the program", Some(Unit::Bytes), health.memory_bytes)?;
    let ok = u64::from(health.state == HealthState::Ok);
    writer.one("health_ok", "1 while the box does all it should", None, ok)?;
    let reasons = health.reasons.iter().map(|reason| ([("reason", reason.as_ref())], 1_u64));
    writer.gauges("health_degraded", "1 for each reason why the box does not do all it should", reasons)?;
    if let Some(ladder) = &health.ladder {
        writer.one("ladder_level", "Level of the degradation ladder; 0: nothing is given up", None, ladder.level)?;
        if let Some(celsius) = ladder.temperature_c {
            writer.one("temperature", "Of the hottest thermal zone", Some(Unit::Celsius), celsius)?;
        }
    }
    if let Some(transport) = &health.transport {
        let plaintext = u64::from(transport.security == "plaintext");
        writer.one(
            "broker_plaintext",
            "1 while the broker is reached in plain text beyond loopback",
            None,
            plaintext,
        )?;
        let all = [("box", &transport.certificate), ("ca", &transport.ca), ("broker", &transport.broker)];
        let ends = all.iter().filter_map(|(whose, certificate)| {
            let not_after = certificate.as_ref()?.not_after.as_unix_millis().div_euclid(1000);
            Some(([("certificate", *whose)], not_after))
        });
        writer.gauges("certificate_not_after_seconds", "Unix time after which a certificate is not valid", ends)?;
    }
    if let Some(resources) = &health.resources {
        the_resources(writer, resources)?;
    }
    let clock = health.time_quality;
    writer.one("clock_synced", "1 while the clock follows a time source", None, u64::from(clock.synced))?;
    let error = clock.max_error_ms.map_or(f64::INFINITY, |ms| f64::from(ms) / 1e3);
    writer.one("clock_max_error", "The kernel's bound on the clock's error", Some(Unit::Seconds), error)
}

fn the_resources(writer: &mut Writer<'_>, resources: &ResourcesHealth) -> fmt::Result {
    writer.one("descriptors_open", "File descriptors that the program has open", None, resources.descriptors_open)?;
    writer.one("descriptors_limit", "The most that it may have open", None, resources.descriptors_limit)?;
    if let Some(available) = resources.memory_available_bytes {
        writer.one("memory_available", "Memory that it can still have", Some(Unit::Bytes), available)?;
    }
    if let Some(share) = resources.memory_pressure {
        let help = "Share of the last ten seconds in which something waited for memory";
        writer.one("memory_pressure", help, Some(Unit::Ratios), share)?;
    }
    writer.count("written_bytes", "Bytes given to the disk", resources.written_bytes_total)?;
    if let Some(per_day) = resources.writes_per_day_bytes {
        writer.one("writes_per_day", "What a day like the last hour gives to the disk", Some(Unit::Bytes), per_day)?;
    }
    let budget = resources.writes_budget_bytes;
    writer.one("writes_per_day_budget", "The most that a day should", Some(Unit::Bytes), budget)?;
    let lines = resources.log_lines_suppressed_total;
    writer.count("log_lines_suppressed", "Lines of the log that were too many of their kind", lines)
}

fn delivery(writer: &mut Writer<'_>, sources: &Sources) -> fmt::Result {
    let delivery = sources.delivery.borrow().clone();
    let outbox = sources.outbox.borrow().clone();
    let connected = u64::from(delivery.connected);
    writer.one("broker_connected", "1 while there is a connection to the broker", None, connected)?;
    writer.count("events_delivered", "Events acknowledged by the broker", delivery.delivered)?;
    writer.count("events_retried", "Events sent again after a lost connection", delivery.retries)?;
    writer.count("events_refused", "Events that the broker refused", delivery.refused)?;
    writer.one("outbox_pending_events", "Events not yet delivered", None, outbox.pending)?;
    writer.one("outbox_pending", "Size of the events not yet delivered", Some(Unit::Bytes), outbox.pending_bytes)?;
    writer.count("outbox_lost_events", "Events lost to the outbox's limits", outbox.lost_total)?;
    let failing = u64::from(outbox.failing.is_some());
    writer.one("outbox_failing", "1 while events cannot be written to the disk", None, failing)
}

fn pictures(writer: &mut Writer<'_>, evidence: &EvidenceHealth) -> fmt::Result {
    writer.count("pictures_made", "Pictures of incidents made", evidence.ready_total)?;
    writer.count("pictures_failed", "Pictures of incidents that could not be made", evidence.failed_total)?;
    writer.count("clips_made", "Clips of incidents made", evidence.clips_ready_total)?;
    writer.count("clips_failed", "Clips of incidents that could not be made", evidence.clips_failed_total)?;
    writer.one("pictures_kept", "Pictures and clips of incidents on the disk", None, evidence.kept)?;
    writer.one(
        "pictures_kept",
        "Size of the pictures and clips on the disk",
        Some(Unit::Bytes),
        evidence.kept_bytes,
    )?;
    writer.one("thumbnails_pending", "Thumbnails not yet delivered", None, evidence.thumbnails_pending)?;
    writer.count(
        "thumbnails_delivered",
        "Thumbnails acknowledged by the broker",
        evidence.thumbnails_delivered_total,
    )?;
    let dropped = evidence.thumbnails_dropped_total;
    writer.count("thumbnails_dropped", "Thumbnails that gave way to events or were refused", dropped)
}

/// Commands of the centre, and what operators found.
fn commands(writer: &mut Writer<'_>, health: &Health) -> fmt::Result {
    let of = &health.commands;
    writer.count("commands_taken", "Commands that were done or are being done", of.taken_total)?;
    writer.count("commands_refused", "Commands that were refused", of.refused_total)?;
    writer.count("commands_over_limit", "Commands that were more than are taken", of.over_limit_total)?;
    let labels = |row: &PrecisionData| [("camera", row.camera.clone()), ("rule", row.rule.clone())];
    let each = |value: fn(&PrecisionData) -> u64| health.precision.iter().map(move |row| (labels(row), value(row)));
    writer.gauges("incidents_confirmed", "Incidents that operators confirmed", each(|row| row.confirmed))?;
    writer.gauges("incidents_judged", "Incidents that operators confirmed or called false", each(|row| row.judged))
}

fn cameras(writer: &mut Writer<'_>, cameras: &[PageCamera]) -> fmt::Result {
    let id = |camera: &PageCamera| [("camera", camera.label.id.clone())];
    let of_model = |camera: &PageCamera| {
        [
            ("camera", camera.label.id.clone()),
            ("model", camera.model.name.clone()),
            ("provider", camera.model.provider.to_string()),
        ]
    };
    let each = |value: fn(&PageCamera) -> u64| cameras.iter().map(move |camera| (id(camera), value(camera)));
    let each_model =
        |value: fn(&PageCamera) -> u64| cameras.iter().map(move |camera| (of_model(camera), value(camera)));
    let states = cameras.iter().flat_map(|camera| {
        let now = camera_status(&camera.source.camera, &camera.source.status.borrow()).state;
        let labels = move |word| [("camera", camera.label.id.clone()), ("state", String::from(word))];
        STATES.map(move |(state, word)| (labels(word), u64::from(state == now)))
    });
    writer.gauges("camera_state", "1 for the state that the camera is in, 0 for the others", states)?;
    writer.counts("camera_connects", "Connections tried", each(|camera| camera.source.status.borrow().attempts))?;
    writer.counts(
        "camera_stalls",
        "Connections given up because no frame came",
        each(|camera| camera.source.status.borrow().stalls),
    )?;
    writer.counts("frames_received", "Frames received and decoded", each(|camera| camera.source.slot.arrived()))?;
    let skipped = each(|camera| camera.source.slot.skipped());
    writer.counts("frames_skipped", "Frames received and not decoded", skipped)?;
    let spared = each(|camera| camera.source.slot.spared());
    writer.counts("frames_spared", "Frames not decoded because nothing moved", spared)?;
    let dozing = each(|camera| u64::from(camera.source.slot.is_dozing()));
    writer.gauges("camera_dozing", "1 while only key frames are decoded because nothing moves", dozing)?;
    let steps = cameras.iter().flat_map(|camera| {
        let now = camera.source.ladder.step();
        let labels = move |step: Step| [("camera", camera.label.id.clone()), ("step", step.label().to_owned())];
        Step::ALL.map(move |step| (labels(step), u64::from(step == now)))
    });
    writer.gauges("ladder_step", "1 for the step of the degradation ladder that the camera stands on", steps)?;
    let replaced = each(|camera| camera.source.slot.replaced());
    writer.counts("frames_replaced", "Frames replaced by a fresher one before they were analysed", replaced)?;
    rings(writer, cameras)?;
    let analysed = each_model(|camera| camera.source.counters.totals().analysed);
    writer.counts("frames_analysed", "Frames analysed", analysed)?;
    let held = each(|camera| camera.source.counters.totals().held);
    writer.counts("frames_held", "Frames analysed without inference, as nothing had changed", held)?;
    let regions = each_model(|camera| camera.source.counters.totals().regions);
    writer.counts("regions_inferred", "Regions of frames inferred", regions)?;
    let failed = each_model(|camera| camera.source.counters.totals().failures);
    writer.counts("frames_failed", "Frames whose inference failed", failed)?;
    let detections = each_model(|camera| camera.source.counters.totals().detections);
    writer.counts("detections", "Objects detected", detections)?;
    writer.counts("tracks", "Tracks confirmed", each(|camera| camera.source.counters.totals().tracks))?;
    let crashes = each(|camera| camera.source.counters.totals().crashes);
    writer.counts("core_restarts", "Times judging panicked and the camera's core started afresh", crashes)?;
    let incidents = cameras.iter().flat_map(|camera| {
        camera.source.counters.opened().into_iter().map(|((kind, severity), count)| {
            let labels = [
                ("camera", camera.label.id.clone()),
                ("kind", kind.into_owned()),
                ("severity", severity_word(severity).to_owned()),
            ];
            (labels, count)
        })
    });
    writer.counts("incidents", "Incidents opened", incidents)?;
    let judged = cameras.iter().map(|camera| (id(camera), camera.source.counters.latency().judged));
    writer.histograms(
        "frame_latency",
        "From a frame's arrival until it was judged and its events committed",
        judged,
    )?;
    let committed = cameras.iter().map(|camera| (id(camera), camera.source.counters.latency().committed));
    writer.histograms("event_latency", "The same of frames that had events", committed)
}

/// Of the cameras whose full-size stream is held.
fn rings(writer: &mut Writer<'_>, cameras: &[PageCamera]) -> fmt::Result {
    let rings: Vec<_> = cameras
        .iter()
        .filter_map(|camera| {
            let ring = camera.source.record.as_ref()?.ring.as_ref()?;
            Some(([("camera", camera.label.id.clone())], ring.totals()))
        })
        .collect();
    let each = |of: fn(&RingTotals) -> u64| rings.iter().map(move |(labels, totals)| (labels.clone(), of(totals)));
    let seconds = rings.iter().map(|(labels, totals)| (labels.clone(), totals.seconds));
    writer.gauges("record_ring_seconds", "So much of the record stream memory holds, undecoded", seconds)?;
    writer.gauges(
        "record_ring_bytes",
        "Size of what memory holds of the record stream",
        each(|ring| ring.bytes as u64),
    )?;
    let limit = each(|ring| ring.max_bytes as u64);
    writer.gauges("record_ring_limit_bytes", "The most that memory holds of the record stream", limit)?;
    let headless = each(|ring| ring.headless_total);
    writer.counts("record_pictures_without_key", "Pictures that came before a first key frame", headless)?;
    let oversized = each(|ring| ring.oversized_total);
    writer.counts("record_groups_too_large", "Groups of pictures heavier than memory may hold", oversized)
}

fn severity_word(severity: Severity) -> &'static str {
    analytics::Severity::from(severity).label()
}
