//! A site, resolved: valid by construction.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use analytics::rules::RuleSpec;
use analytics::{BBox, BoxId, CameraId, Severity, SiteId, WallTime};
use jiff::tz::TimeZone;
use url::Url;

use super::calendar::{Calendar, Holiday};
use super::measure::MeasureSpec;
use super::place::Places;
use super::profile::{HwProfile, Pipeline};
use super::remote::Remote;
use super::secret::{SecretRef, SecretUse};
use super::signal::Signals;
use super::written::Written;
use crate::audit::{AuditLimits, SyslogParams};
use crate::evidence::{ClipParams, EvidenceLimits, EvidenceStore};
use crate::privacy::{Masks, Privacy};
use crate::publish::Protocol;
use crate::record::RingLimits;
use crate::source::{DeviceParams, Transport};
use crate::tracks::TrackLimits;

/// Everything a box needs to know.
#[derive(Debug, Clone)]
pub struct Site {
    /// The junction.
    pub id: SiteId,
    /// Its name.
    pub name: Name,
    /// Its time zone.
    pub timezone: TimeZone,
    /// Its holidays.
    pub holidays: Arc<[Holiday]>,
    /// Where it is.
    pub position: Option<Position>,
    /// The box.
    pub box_id: BoxId,
    /// How this box runs models.
    pub hw_profile: HwProfile,
    /// The broker.
    pub mqtt: Mqtt,
    /// Where events wait and pictures lie.
    pub storage: Storage,
    /// Where the status page listens; `None`: nowhere. On loopback, unless there is `status_remote`.
    pub status_listen: Option<SocketAddr>,
    /// TLS and log-ins of the status page; `None`: neither, on loopback.
    pub status_remote: Option<Remote>,
    /// Where lines of the audit log go besides the broker; `None`: nowhere.
    pub syslog: Option<SyslogParams>,
    /// The cameras that are enabled, in the order of the file.
    pub cameras: Vec<Camera>,
    /// The cameras that are in the file and off.
    pub disabled: Vec<CameraId>,
    /// `sha256:…` over the site file and the pipelines and hardware profile it uses.
    pub digest: String,
    /// The site file as it was loaded, without secrets.
    pub written: Written,
    /// Things that are allowed and that a person should know.
    pub notices: Vec<String>,
    /// Every secret it refers to, in the order of the file.
    pub secrets: Vec<SecretUse>,
    /// The name of the key that signed the file, where whoever loaded it had that proved.
    pub signed_by: Option<String>,
}

/// A name in the operators' languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

/// WGS 84 position, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// East.
    pub lon: f64,
    /// North.
    pub lat: f64,
}

/// The broker.
#[derive(Debug, Clone)]
pub struct Mqtt {
    /// `mqtt://` or `mqtts://`, without user and password.
    pub url: Url,
    /// What the broker speaks.
    pub protocol: Protocol,
    /// First level of every topic.
    pub root: String,
    /// Authorities that sign the broker's certificate; there with `mqtts://`.
    pub ca: Option<PathBuf>,
    /// This box's certificate and private key.
    pub identity: Option<(PathBuf, SecretRef)>,
    /// User name and password.
    pub login: Option<(String, SecretRef)>,
    /// Host at the centre that must be online before events are sent.
    pub primary_host: Option<String>,
}

impl Mqtt {
    /// What protects what is said on the way to the broker.
    #[must_use]
    pub fn security(&self) -> Security {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let address = host.parse::<IpAddr>();
        match self.url.scheme() {
            "mqtts" => Security::Tls,
            _ if host == "localhost" || address.is_ok_and(|address| address.is_loopback()) => Security::Loopback,
            _ => Security::Plaintext,
        }
    }
}

/// What protects what is said on the way to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS.
    Tls,
    /// Nothing leaves the box.
    Loopback,
    /// Nothing: it was allowed in the site file.
    Plaintext,
}

impl Security {
    /// As messages say it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Loopback => "loopback",
            Self::Plaintext => "plaintext",
        }
    }
}

/// Where events wait and pictures lie.
#[derive(Debug, Clone)]
pub struct Storage {
    /// A directory of this box's own.
    pub path: PathBuf,
    /// Bytes the outbox may hold.
    pub outbox_bytes: u64,
    /// How much evidence is kept, and for how long.
    pub evidence: EvidenceLimits,
    /// How many recorded tracks are kept, and for how long.
    pub tracks: TrackLimits,
    /// How long thumbnails may wait for the centre.
    pub keep_thumbnails_for: Duration,
    /// How much of the audit log is kept, and for how long.
    pub audit: AuditLimits,
    /// Bytes a day that may be written without anybody being told.
    pub writes_per_day: u64,
}

impl Storage {
    /// The outbox's database.
    #[must_use]
    pub fn outbox_file(&self) -> PathBuf {
        self.path.join("outbox.sqlite")
    }

    /// The recorded tracks' database.
    #[must_use]
    pub fn tracks_file(&self) -> PathBuf {
        self.path.join(crate::tracks::FILE)
    }

    /// The pictures' place.
    #[must_use]
    pub fn pictures(&self) -> EvidenceStore {
        EvidenceStore::at(self.path.join("evidence"))
    }
}

/// One camera.
#[derive(Debug, Clone)]
pub struct Camera {
    /// Its id.
    pub id: CameraId,
    /// Its name.
    pub name: Name,
    /// What is watched for.
    pub pipeline: Pipeline,
    /// The stream that is analysed, unless it is a device's; `replay` does without.
    pub detect: Option<Stream>,
    /// The device that is analysed, where `detect` names one: never both.
    pub device: Option<DeviceParams>,
    /// The full-size stream: received, not decoded.
    pub record: Option<Stream>,
    /// The least severity of incidents that are photographed; `None`: none are.
    pub snapshots_from: Option<Severity>,
    /// Which clips are kept; `None`: none are. Only with `record`.
    pub clips: Option<ClipParams>,
    /// What is done to its pictures before they are kept or shown.
    pub privacy: Privacy,
    /// What is held of `record`; `None`: nothing.
    pub ring: Option<RingLimits>,
    /// Frames analysed a second.
    pub analyse_fps: f64,
    /// Name of the model.
    pub model: String,
    /// The parts of the picture the model looks at; `None`: the model's own default.
    pub regions: Option<Vec<BBox>>,
    /// Whether inference is spent only where something changes; `None`: all of every frame is inferred.
    pub motion_gate: Option<MotionGate>,
    /// The fewer parts it looks at instead when the box is overloaded; `None`: there is no such step.
    pub smaller_input: Option<Vec<BBox>>,
    /// 1 matters most: cameras of greater numbers give way first.
    pub priority: u8,
    /// Whether key frames alone are decoded.
    pub key_frames_only: bool,
    /// Where the tracker differs from the model's and the built-in defaults.
    pub tracker: TrackerOverrides,
    /// What of its picture nothing ever sees.
    pub masks: Masks,
    /// All zones and lines, also those that no rule names.
    pub places: Places,
    /// What of its traffic is measured; `None`: nothing.
    pub measure: Option<MeasureSpec>,
    /// Its traffic signals.
    pub signals: Signals,
    /// What to watch for.
    pub rules: Vec<RuleSpec>,
}

/// A motion gate, see [`crate::detect::gate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MotionGate {
    /// What does not change is looked at anew after this time.
    pub sweep: Duration,
    /// Whether the decoder dozes while nothing moves.
    pub doze: bool,
}

/// Tracker settings of pipeline and site, together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TrackerOverrides {
    /// See [`analytics::track::TrackerParams`].
    pub high_confidence: Option<f32>,
    /// See [`analytics::track::TrackerParams`].
    pub low_confidence: Option<f32>,
    /// See [`analytics::track::TrackerParams`].
    pub new_confidence: Option<f32>,
    /// See [`analytics::track::TrackerParams`].
    pub confirm_after: Option<Duration>,
    /// See [`analytics::track::TrackerParams`].
    pub lost_for: Option<Duration>,
}

/// One stream of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// `rtsp://…`, or for Motion JPEG `http://…`, without user and password.
    pub url: Url,
    /// User and password.
    pub credentials: Option<Credentials>,
    /// How RTP travels.
    pub transport: Transport,
}

/// Where a stream's `user:password` is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials(pub SecretRef);

impl Site {
    /// The enabled camera with this id.
    #[must_use]
    pub fn camera(&self, id: &str) -> Option<&Camera> {
        self.cameras.iter().find(|camera| camera.id.as_str() == id)
    }

    /// What its clock shows, and its holidays.
    #[must_use]
    pub fn calendar(&self) -> Calendar {
        Calendar::new(self.timezone.clone(), Arc::clone(&self.holidays))
    }

    /// `time` as local time of the site, RFC 3339 with offset.
    #[must_use]
    pub fn local(&self, time: WallTime) -> String {
        let timestamp = jiff::Timestamp::from_nanosecond(time.as_unix_nanos().into()).unwrap_or_default();
        timestamp.to_zoned(self.timezone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}
