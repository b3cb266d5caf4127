//! Wrong configurations, each with the message it must get; and every shipped file.

use std::path::{Path, PathBuf};

mod any_text;
mod calendar;
mod files;
mod profiles;
mod schemas;
mod secrets;
mod wrong;

use super::{ConfigErrors, Document, Home, Site, load_site};

/// A site that is right, with a camera, a rule, two zones and a line.
pub(crate) const GOOD: &str = r#"
[site]
id = "a"
name = { vi = "A", en = "A" }

[box]
id = "b"

[mqtt]
url = "mqtt://127.0.0.1:1883"

[[camera]]
id = "c"
name = { vi = "C", en = "C" }
pipeline = "traffic-junction"
detect = { url = "rtsp://192.0.2.1/sub", credential = "cam" }

[camera.zone.lane]
kind = "lane"
polygon = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
heading = [[0.5, 0.9], [0.5, 0.1]]

[camera.zone.yard]
kind = "restricted"
polygon = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]

[camera.line.mid]
points = [[0.5, 0.0], [0.5, 1.0]]

[[camera.rule]]
id = "r"
kind = "wrong-way"
zone = "lane"
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the project's root").to_owned()
}

fn home() -> Home {
    Home::at(&root())
}

fn load(text: &str) -> Result<Site, ConfigErrors> {
    super::resolve::load(&Document::from_text(Path::new("site.toml"), text), &home())
}

#[test]
fn the_good_file_is_good() {
    load(GOOD).expect("no errors");
}

#[test]
fn a_camera_may_be_a_device_and_have_a_record_stream() {
    let device = "device = \"/dev/video0\", size = [1280, 720], fps = 10";
    let text = GOOD.replacen("url = \"rtsp://192.0.2.1/sub\", credential = \"cam\"", device, 1);
    let camera = load(&text).expect("good").cameras.remove(0);
    let params = camera.device.expect("a device");
    assert_eq!(
        (params.device.as_path(), params.size, params.fps),
        (Path::new("/dev/video0"), Some((1280, 720)), Some(10))
    );
    assert!(camera.detect.is_none() && camera.record.is_none());
    // The same stream for both is allowed.
    let record = "record = { url = \"rtsp://192.0.2.1/sub\", credential = \"cam\" }\ndetect = {";
    let camera = load(&GOOD.replacen("detect = {", record, 1)).expect("good").cameras.remove(0);
    assert_eq!(camera.record, camera.detect);
}

#[test]
fn the_site_goes_over_the_pipeline_and_the_pipeline_over_the_defaults() {
    let site = load(&GOOD.replacen("zone = \"lane\"", "zone = \"lane\"\nhold = \"9s\"", 1)).expect("good");
    let analytics::rules::RuleParams::WrongWay { hold, angle_deg, .. } = &site.cameras[0].rules[0].params else {
        panic!("a wrong-way rule");
    };
    assert_eq!((hold.as_secs(), *angle_deg), (9, 120.0));
    assert_eq!(site.cameras[0].analyse_fps, 5.0, "from the pipeline");
    assert_eq!(site.cameras[0].model, "ssdlite-mobilenet-v2", "from the pipeline");
}

#[test]
fn inference_is_gated_by_motion_unless_that_is_switched_off() {
    let sweep_of = |gate: &str| {
        let text = GOOD.replacen("[[camera]]", &format!("[[camera]]\n{gate}"), 1);
        load(&text).expect("good").cameras[0].motion_gate.map(|gate| gate.sweep.as_secs())
    };
    assert_eq!(sweep_of(""), Some(10));
    assert_eq!(sweep_of("motion_gate = { sweep = \"30s\" }"), Some(30));
    assert_eq!(sweep_of("motion_gate = { enabled = false }"), None);
}

/// When the only rule is armed, given what the pipeline and the site say.
fn armed(pipeline: &str, site: &str) -> Option<String> {
    let home = wrong::good_home();
    let write = |path: &str, text: String| std::fs::write(home.path().join(path), text).expect("writes");
    write(
        "pipelines/road.toml",
        wrong::good("pipeline").replacen("[rule.wrong-way]", &format!("[rule.wrong-way]\n{pipeline}"), 1),
    );
    write("site.toml", wrong::good("site").replacen("zone = \"lane\"", &format!("zone = \"lane\"\n{site}"), 1));
    let loaded = load_site(&home.path().join("site.toml"), &Home::at(home.path()));
    let site = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    site.cameras[0].rules[0].schedule.as_ref().map(ToString::to_string)
}

#[test]
fn a_rule_is_armed_as_the_site_says_else_the_pipeline_else_always() {
    assert_eq!(armed("", ""), None);
    let pipeline = "schedule = { hours = \"22:00-06:00\" }";
    assert_eq!(armed(pipeline, "").as_deref(), Some("every day 22:00-06:00"));
    let site = "schedule = [{ days = [\"mon\", \"wed\"] }, { holidays = \"only\", hours = [\"08:00-12:00\"] }]";
    assert_eq!(armed(pipeline, site).as_deref(), Some("mon, wed; holidays 08:00-12:00"));
}

#[test]
fn every_line_and_lane_is_measured_unless_the_camera_says_otherwise() {
    let measure = |section: &str| load(&format!("{GOOD}\n{section}")).expect("good").cameras.remove(0).measure;
    let spec = measure("").expect("there is a line");
    let lines: Vec<&str> = spec.lines.iter().map(|line| line.id.as_str()).collect();
    let lanes: Vec<&str> = spec.lanes.iter().map(|lane| lane.id.as_str()).collect();
    assert_eq!((lines, lanes, spec.interval.as_secs()), (vec!["mid"], vec!["lane"], 60));
    let spec = measure("[camera.measure]\ninterval = \"5m\"\nlines = []\nlanes = [\"yard\"]").expect("a lane");
    assert_eq!((spec.lines.len(), spec.lanes[0].id.as_str(), spec.interval.as_secs()), (0, "yard", 300));
    assert_eq!(measure("[camera.measure]\nenabled = false"), None);
    assert_eq!(measure("[camera.measure]\nlines = []\nlanes = []"), None);
}

#[test]
fn the_status_page_is_on_loopback_unless_it_is_off() {
    let listen = |text: &str| load(&GOOD.replacen("[[camera]]", text, 1)).expect("good").status_listen;
    assert_eq!(listen("[[camera]]"), "127.0.0.1:8090".parse().ok());
    assert_eq!(listen("[status]\nlisten = \"[::1]:0\"\n[[camera]]"), "[::1]:0".parse().ok());
    assert_eq!(listen("[status]\nlisten = \"off\"\n[[camera]]"), None);
}

#[test]
fn beyond_loopback_the_status_page_has_tls_and_somebody_who_may_come_in() {
    let remote = "names = [\"Box-A.example\"]\ncertificate = \"page.pem\"\nkey = { file = \"page.key\" }";
    let of = |more: &str| {
        let status = format!("[status]\nlisten = \"0.0.0.0:8443\"\n[status.remote]\n{remote}\n{more}\n[[camera]]");
        load(&GOOD.replacen("[[camera]]", &status, 1))
    };
    let site = of("accounts = \"accounts\"").expect("good");
    let remote = site.status_remote.expect("there is one");
    assert_eq!(site.status_listen, "0.0.0.0:8443".parse().ok());
    assert_eq!(remote.names, ["box-a.example"]);
    assert!(remote.accounts.is_some_and(|file| file.ends_with("accounts")) && remote.client_ca.is_none());
    assert!(site.secrets.iter().any(|secret| secret.key == "status.remote.key"), "check tries to read it");
    let site = of("client_ca = \"clients.pem\"\nroles = { \"Trung tâm\" = \"viewer\" }").expect("good");
    let remote = site.status_remote.expect("there is one");
    assert_eq!(remote.roles.get("Trung tâm"), Some(&crate::access::Role::Viewer));
    assert!(of("").is_err());
}

#[test]
fn snapshots_are_on_unless_the_site_or_the_camera_wants_none() {
    use analytics::Severity::{High, Warning};
    let ask = |site: &str, camera: &str| {
        let text = GOOD.replacen("[[camera]]", &format!("{site}\n[[camera]]\n{camera}"), 1);
        load(&text).expect("good").cameras[0].snapshots_from
    };
    assert_eq!(ask("", ""), Some(Warning));
    assert_eq!(ask("[evidence]\nsnapshots = false", ""), None);
    assert_eq!(ask("[evidence]\nsnapshots_from = \"high\"", ""), Some(High));
    assert_eq!(ask("", "snapshots = false"), None);
    assert_eq!(ask("[evidence]\nsnapshots = false", "snapshots = true"), Some(Warning));
}

#[test]
fn clips_need_a_record_stream_and_somebody_who_asks_for_them() {
    use analytics::Severity::{Critical, High};
    let ask = |site: &str, camera: &str| {
        let text = GOOD.replacen("[[camera]]", &format!("{site}\n[[camera]]\n{camera}"), 1);
        let camera = load(&text).expect("good").cameras.remove(0);
        (camera.clips.map(|clips| clips.from), camera.ring.map(|ring| ring.max_bytes))
    };
    let record = "record = { url = \"rtsp://192.0.2.1/main\" }";
    let of = |camera: &str| format!("{camera}\n{record}");
    let none = "[evidence]\nsnapshots = false";
    assert_eq!(ask(none, record), (None, None), "nothing is held for nobody");
    assert_eq!(ask("", record), (None, Some(32 << 20)), "pictures are taken from it");
    assert_eq!(ask("[evidence]\nclips = true", ""), (None, None));
    assert_eq!(ask("[evidence]\nclips = true", record), (Some(High), Some(32 << 20)));
    let other = "[evidence]\nclips = true\nclips_from = \"critical\"\nring = \"8 MiB\"";
    assert_eq!(ask(other, record), (Some(Critical), Some(8 << 20)));
    assert_eq!(ask(other, &of("clips = false\nsnapshots = false")), (None, None));
    let masked = "\nmask.m.polygon = [[0.0, 0.0], [0.1, 0.0], [0.0, 0.1]]";
    let held = ask(none, &format!("{}{masked}", of("clips = true")));
    assert_eq!(held, (Some(High), None), "nothing is held that may not be shown");
    assert_eq!(ask("", &of("clips = true")), (Some(High), Some(32 << 20)));
    assert_eq!(ask(none, &of("snapshots = true")), (None, Some(32 << 20)));
}

#[test]
fn the_digest_changes_with_the_file() {
    let other = GOOD.replacen("id = \"r\"", "id = \"s\"", 1);
    assert_ne!(load(GOOD).expect("good").digest, load(&other).expect("good").digest);
}

fn toml_files(dir: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(dir)).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(!files.is_empty(), "{dir} has files");
    files
}

/// Sites and holidays lie side by side.
fn deployed(is_holidays: bool) -> Vec<PathBuf> {
    let mut files = toml_files("edge-agent/deploy");
    let name = |file: &Path| file.file_name().expect("named").to_string_lossy().into_owned();
    files.retain(|file| name(file).starts_with("holidays") == is_holidays);
    assert!(!files.is_empty());
    files
}

#[test]
fn every_shipped_site_resolves() {
    for file in deployed(false).into_iter().chain(toml_files("benches/clips")) {
        load_site(&file, &home()).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

#[test]
fn every_shipped_file_of_holidays_is_good() {
    for file in deployed(true) {
        let text = GOOD.replacen("id = \"a\"", &format!("id = \"a\"\nholidays = \"{}\"", file.display()), 1);
        let site = load(&text).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(site.holidays.len() > 3);
    }
}

#[test]
fn every_shipped_pipeline_and_profile_resolves() {
    for file in toml_files("pipelines") {
        let name = file.file_stem().expect("named").to_string_lossy().into_owned();
        let text = GOOD.replacen("traffic-junction", &name, 1);
        load(&text).unwrap_or_else(|errors| panic!("{errors}"));
    }
    for file in toml_files("hw-profiles") {
        let name = file.file_stem().expect("named").to_string_lossy().into_owned();
        let text = GOOD.replacen("id = \"b\"", &format!("id = \"b\"\nhw_profile = \"{name}\""), 1);
        load(&text).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

#[test]
fn every_shipped_model_has_a_good_manifest() {
    let models = std::fs::read_dir(root().join("models")).expect("the folder is there");
    let folders = models.map(|entry| entry.expect("readable").path()).filter(|path| path.is_dir());
    let names: Vec<PathBuf> = folders.collect();
    assert!(names.len() >= 2, "the default and one more");
    for dir in names {
        crate::detect::manifest::Manifest::load(&dir).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// `UPDATE_SCHEMAS=1` writes them instead.
#[test]
fn file_schemas_are_current() {
    for name in ["site", "pipeline", "hw-profile", "model", "holidays", "bundle", "api_status"] {
        let file = root().join("edge-agent/schemas").join(crate::schema::file_name(name));
        let document = crate::schema::document(name).expect("there is one");
        let text = serde_json::to_string_pretty(&document).expect("writes") + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&file, text).expect("writes");
        } else {
            let found = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(found == text, "{} is not current: run with UPDATE_SCHEMAS=1", file.display());
        }
    }
}
