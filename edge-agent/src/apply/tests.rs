//! Configurations that are sent, tried, interrupted at any moment, and changed at the box.

use std::fs;

use analytics::CameraId;
use tokio::sync::watch;
use tokio::time::Instant;

use super::*;
use crate::publish::PublishStatus;
use crate::source::{SourceState, SourceStatus};
use crate::trust::signing::{Key, folder_of};

const FILE: &str = r#"
[site]
id = "nut"
name = { vi = "Nút", en = "Junction" }
[box]
id = "box-a"
[mqtt]
url = "mqtts://broker.example:8883"
ca = "ca.pem"
username = "box-a"
password = { credential = "mqtt" }
[storage]
path = "state"
[[camera]]
id = "nam"
name = { vi = "Nam", en = "South" }
pipeline = "traffic-junction"
detect = { url = "rtsp://192.0.2.1/sub", credential = "cam" }
[camera.mask.windows]
polygon = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4]]
[[camera]]
id = "bac"
name = { vi = "Bắc", en = "North" }
pipeline = "traffic-junction"
detect = { url = "rtsp://192.0.2.2/sub" }
"#;

/// A box in a folder of its own.
struct Rig(tempfile::TempDir);

impl Rig {
    fn new() -> Self {
        let rig = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(rig.0.path().join("state")).expect("a folder");
        rig.write(FILE);
        rig
    }

    fn write(&self, file: &str) {
        fs::write(self.0.path().join("site.toml"), file).expect("writes");
    }

    fn home(&self) -> Home {
        Home::at(Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project's root"))
    }

    /// The program starts.
    fn start(&self) -> Desk {
        let (desk, _lock) =
            Desk::open(&self.0.path().join("site.toml"), &self.home()).unwrap_or_else(|error| panic!("{error}"));
        desk
    }
}

fn arguments(desk: &Desk, text: &str) -> ConfigApplyArguments {
    let base_sha256 = desk.site().written.sha256();
    ConfigApplyArguments { text: text.to_owned(), signature: None, base_sha256, reason: None }
}

fn checked(desk: &Desk, id: u128, text: &str) -> Result<Checked, (Reason, Option<String>)> {
    desk.check(Uuid::from_u128(id), "a", UtcMillis::now(), &arguments(desk, text))
}

fn staged(desk: &Desk, id: u128, text: &str) {
    let Ok(Checked::New(configuration)) = checked(desk, id, text) else { panic!("not to be tried") };
    desk.stage(*configuration, vec!["nam".to_owned()]).expect("writes");
}

/// What the camera `nam` is called.
fn called(desk: &Desk) -> &str {
    desk.site().cameras.first().map_or("", |camera| camera.name.en.as_str())
}

fn renamed(name: &str) -> String {
    FILE.replace("South", name)
}

#[test]
fn what_passes_its_trial_is_in_force_until_the_file_is_changed() {
    let rig = Rig::new();
    staged(&rig.start(), 1, &renamed("Tried"));
    let desk = rig.start();
    assert_eq!((called(&desk), desk.trial().map(|trial| trial.configuration.id)), ("Tried", Some(Uuid::from_u128(1))));
    assert!(desk.told().expect("of the centre").on_trial);
    assert_eq!(desk.fate(Uuid::from_u128(1)), None, "not yet");
    desk.keep().expect("writes");
    for _ in 0..2 {
        let desk = rig.start();
        assert_eq!((called(&desk), desk.trial()), ("Tried", None));
        assert_eq!(desk.fate(Uuid::from_u128(1)), Some(Fate::Applied));
        assert!(!desk.told().expect("of the centre").on_trial);
        assert!(desk.site().notices.iter().any(|notice| notice.contains("over the site file")));
    }
    rig.write(&renamed("Local"));
    let desk = rig.start();
    assert_eq!((called(&desk), desk.told()), ("Local", None));
    assert!(desk.site().notices.iter().any(|notice| notice.contains("the file is in force")));
}

#[test]
fn a_box_with_a_key_tries_only_what_it_signed_and_proves_it_at_every_start() {
    let (rig, key) = (Rig::new(), Key::make());
    let keys = folder_of(&[("province", &key)]);
    let site = rig.0.path().join("site.toml");
    let open = || Desk::open(&site, &rig.home().with_trusted_keys(keys.path().to_owned()));
    assert!(matches!(open(), Err(ApplyError::Trust(_))), "the site file itself");
    fs::write(crate::trust::signature_of(&site), key.sign(FILE.as_bytes())).expect("writes");
    let start = || open().unwrap_or_else(|error| panic!("{error}")).0;
    let desk = start();
    let text = format!("{MADE_FROM}{}\n{}", desk.site().written.sha256(), renamed("Tried"));
    let signed = |signature: Option<String>| ConfigApplyArguments { signature, ..arguments(&desk, &text) };
    let check = |of: &ConfigApplyArguments| desk.check(Uuid::from_u128(1), "a", UtcMillis::now(), of);
    for wrong in [None, Some(key.sign(FILE.as_bytes())), Some(Key::make().sign(text.as_bytes()))] {
        assert!(matches!(check(&signed(wrong)), Err((Reason::NotSigned, Some(_)))));
    }
    let Ok(Checked::New(configuration)) = check(&signed(Some(key.sign(text.as_bytes())))) else { panic!("is signed") };
    desk.stage(*configuration, vec!["nam".to_owned()]).expect("writes");
    start().keep().expect("writes");
    let desk = start();
    assert_eq!((called(&desk), desk.site().signed_by.as_deref()), ("Tried", Some("province")));
    // Signed once, for another change, and sent again as one of now.
    let again = renamed("Then");
    let old = ConfigApplyArguments { signature: Some(key.sign(again.as_bytes())), ..arguments(&desk, &again) };
    let refused = desk.check(Uuid::from_u128(2), "a", UtcMillis::now(), &old);
    assert!(matches!(&refused, Err((Reason::NotSigned, Some(detail))) if detail.contains(MADE_FROM)), "{refused:?}");
    // Changed in the state folder.
    let applied = rig.0.path().join("state/configuration/applied.json");
    fs::write(&applied, fs::read_to_string(&applied).expect("reads").replace("Tried", "Moved")).expect("writes");
    let desk = start();
    assert_eq!((called(&desk), desk.told()), ("South", None));
    assert!(desk.site().notices.iter().any(|notice| notice.contains("changed after it was signed")));
}

#[test]
fn a_trial_that_does_not_come_to_its_end_is_given_up_and_never_tried_again() {
    let rig = Rig::new();
    staged(&rig.start(), 1, &renamed("Kept"));
    rig.start().keep().expect("writes");
    staged(&rig.start(), 2, &renamed("Tried"));
    assert_eq!(called(&rig.start()), "Kept".replace("Kept", "Tried"));
    for _ in 0..2 {
        // The program was killed in the midst of it.
        let desk = rig.start();
        assert_eq!((called(&desk), desk.trial()), ("Kept", None), "the last good one");
        let Some(Fate::GivenUp(why)) = desk.fate(Uuid::from_u128(2)) else { panic!("not told") };
        assert!(why.contains("ended before"), "{why}");
        assert_eq!(desk.fate(Uuid::from_u128(1)), Some(Fate::Applied));
    }
    staged(&rig.start(), 3, &renamed("Again"));
    let mut desk = rig.start();
    assert!(desk.give_up("no connection to the broker"));
    assert!(!desk.give_up("twice"));
    assert_eq!(called(&rig.start()), "Kept");
    assert_eq!(rig.start().fate(Uuid::from_u128(3)), Some(Fate::GivenUp("no connection to the broker".to_owned())));
}

#[test]
fn a_trial_that_passed_is_in_force_though_the_power_went_before_its_mark_was_gone() {
    let rig = Rig::new();
    staged(&rig.start(), 1, &renamed("Kept"));
    let desk = rig.start();
    let mark = rig.0.path().join("state/configuration/trial.json");
    let begun = fs::read(&mark).expect("reads");
    desk.keep().expect("writes");
    fs::write(&mark, begun).expect("writes");
    let desk = rig.start();
    assert_eq!((called(&desk), desk.trial(), mark.exists()), ("Kept", None, false));
    assert_eq!(desk.fate(Uuid::from_u128(1)), Some(Fate::Applied));
}

#[test]
fn a_file_that_is_changed_while_a_configuration_waits_wins() {
    let rig = Rig::new();
    staged(&rig.start(), 1, &renamed("Tried"));
    rig.write(&renamed("Local"));
    let desk = rig.start();
    assert_eq!(called(&desk), "Local");
    assert!(matches!(desk.fate(Uuid::from_u128(1)), Some(Fate::GivenUp(why)) if why.contains("file wins")));
}

#[test]
fn what_was_applied_and_cannot_be_used_any_more_gives_way_to_the_file() {
    let rig = Rig::new();
    staged(&rig.start(), 1, &renamed("Kept"));
    rig.start().keep().expect("writes");
    let path = rig.0.path().join("state/configuration/applied.json");
    let good = fs::read_to_string(&path).expect("reads");
    for bad in [good.replace("traffic-junction", "gone"), good[..good.len() / 2].to_owned(), String::new()] {
        fs::write(&path, bad).expect("writes");
        let desk = rig.start();
        assert_eq!(called(&desk), "South");
        assert!(desk.site().notices.iter().any(|notice| notice.contains("the site file is in force")));
    }
}

#[test]
fn what_waits_and_cannot_be_read_is_not_tried() {
    let rig = Rig::new();
    staged(&rig.start(), 1, &renamed("Tried"));
    let path = rig.0.path().join("state/configuration/trial.json");
    let whole = fs::read(&path).expect("reads");
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).expect("writes");
        let desk = rig.start();
        assert_eq!((called(&desk), desk.trial(), path.exists()), ("South", None, false));
    }
}

#[test]
fn what_was_made_from_another_configuration_or_has_errors_is_refused_with_its_place() {
    let rig = Rig::new();
    let desk = rig.start();
    let mut stale = arguments(&desk, &renamed("New"));
    stale.base_sha256 = "0".repeat(64);
    let refused = desk.check(Uuid::nil(), "a", UtcMillis::now(), &stale);
    assert!(matches!(refused, Err((Reason::StaleBase, Some(_)))), "{refused:?}");
    let refused = checked(&desk, 1, &FILE.replace("\"bac\"", "\"Bắc!\""));
    let Err((Reason::InvalidConfiguration, Some(detail))) = refused else { panic!("{refused:?}") };
    assert!(detail.starts_with("line ") && detail.contains("camera[1].id"), "{detail}");
    let refused = checked(&desk, 1, &FILE.replace("192.0.2.2", "admin:canary@192.0.2.2"));
    assert!(matches!(&refused, Err((_, Some(detail))) if !detail.contains("canary")), "{refused:?}");
    assert_eq!(checked(&desk, 1, FILE), Ok(Checked::InForce));
    assert!(!rig.0.path().join("state/configuration").exists(), "nothing is written");
}

#[test]
fn from_afar_no_more_can_be_done_than_the_file_allows() {
    let rig = Rig::new();
    let desk = rig.start();
    let masked = "[camera.mask.windows]\npolygon = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4]]";
    let unmasked = FILE.replace(masked, "");
    let without_nam = {
        let (head, rest) = FILE.split_once("[[camera]]").expect("cameras");
        format!("{head}[[camera]]{}", rest.split_once("[[camera]]").expect("two").1)
    };
    for (what, text) in [
        ("site.id", FILE.replace("\"nut\"", "\"nut-2\"")),
        ("box.id", FILE.replace("\"box-a\"\n[mqtt]", "\"box-b\"\n[mqtt]")),
        ("storage", FILE.replace("path = \"state\"", "path = \"/tmp\"")),
        ("storage", FILE.replace("path = \"state\"", "path = \"state\"\nevidence = \"1 MiB\"")),
        ("status", format!("[status]\nlisten = \"127.0.0.1:9000\"\n{FILE}")),
        ("mqtt.root", FILE.replace("[storage]", "root = \"other\"\n[storage]")),
        ("mqtt.ca", FILE.replace("ca.pem", "/tmp/other.pem")),
        ("mqtt.password.credential", FILE.replace("broker.example", "evil.example")),
        ("camera.detect.credential", FILE.replace("192.0.2.1/sub", "192.0.2.66/sub")),
        ("camera.detect.credential", FILE.replace("192.0.2.2/sub\"", "192.0.2.2/sub\", credential = \"mqtt\"")),
        ("mask", unmasked.clone()),
        ("mask", unmasked.replace("\"nam\"", "\"other\"")),
        ("mask", FILE.replace("[0.4, 0.4]]", "[0.2, 0.4]]")),
        ("unblurred", format!("{FILE}[evidence]\nprivacy = \"none\"\n")),
    ] {
        assert_ne!(text, FILE, "{what}");
        let refused = checked(&desk, 1, &text);
        let Err((Reason::NotFromAfar, Some(detail))) = refused else { panic!("{what}: {refused:?}") };
        assert!(detail.contains(what) || what == "unblurred", "{what}: {detail}");
    }
    for text in [
        without_nam.clone(),
        FILE.replace("192.0.2.2", "192.0.2.3"),
        FILE.replace(
            "[camera.mask.windows]",
            "[camera.mask.doors]\npolygon = [[0.6, 0.6], [0.9, 0.6], [0.9, 0.9]]\n[camera.mask.windows]",
        ),
        FILE.replace(
            "detect = { url = \"rtsp://192.0.2.2/sub\" }",
            "analyse_fps = 3\ndetect = { url = \"rtsp://192.0.2.2/sub\" }",
        ),
    ] {
        assert!(matches!(checked(&desk, 1, &text), Ok(Checked::New(_))), "{:?}", checked(&desk, 1, &text));
    }
    // In two steps neither.
    staged(&desk, 1, &without_nam);
    rig.start().keep().expect("writes");
    let refused = checked(&rig.start(), 2, &unmasked);
    assert!(matches!(refused, Err((Reason::NotFromAfar, _))), "{refused:?}");
}

/// A gate, and both ends of what it looks at.
fn gate() -> (Gate, watch::Sender<PublishStatus>, watch::Sender<SourceStatus>) {
    let (broker, delivery) = watch::channel(PublishStatus::default());
    let (camera, status) = watch::channel(SourceStatus::connecting(analytics::WallTime::from_unix_nanos(0)));
    (Gate { delivery, cameras: vec![(CameraId::new("nam").expect("an id"), status)] }, broker, camera)
}

#[tokio::test(start_paused = true)]
async fn a_gate_passes_when_broker_and_cameras_stay_and_names_what_does_not_come() {
    let (gate, broker, camera) = gate();
    broker.send_modify(|status| status.connected = true);
    camera.send_modify(|status| status.state = SourceState::Online);
    let begun = Instant::now();
    assert_eq!(gate.pass().await, Ok(()));
    assert_eq!(begun.elapsed().as_secs(), 10);

    let (gate, broker, _camera) = self::gate();
    broker.send_modify(|status| status.connected = true);
    assert_eq!(gate.pass().await, Err("cameras not online: nam".to_owned()));

    let (gate, _broker, camera) = self::gate();
    camera.send_modify(|status| status.state = SourceState::Online);
    assert_eq!(gate.pass().await, Err("no connection to the broker".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_comes_and_goes_does_not_pass() {
    let (gate, broker, camera) = gate();
    broker.send_modify(|status| status.connected = true);
    let flicker = async {
        loop {
            camera.send_modify(|status| status.state = SourceState::Online);
            tokio::time::sleep(std::time::Duration::from_secs(8)).await;
            camera.send_modify(|status| status.state = SourceState::Degraded);
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    };
    let passed = tokio::select! {
        passed = gate.pass() => passed,
        () = flicker => unreachable!("it goes on"),
    };
    assert!(passed.is_err());
}
