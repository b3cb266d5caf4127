//! Wrong configurations, each with the message it must get; and every shipped file.

use std::path::{Path, PathBuf};

use super::{ConfigErrors, Document, Home, Site, load_site};

const GOOD: &str = r#"
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

/// What is replaced in the good file, by what, the key that is named and words of the message.
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("id = \"a\"", "id = \"Hà Nội\"", "site.id", "is not an identifier"),
    ("id = \"a\"\n", "", "site.id", "is missing"),
    ("[site]", "[sitte]", "sitte", "did you mean `site`?"),
    ("name = { vi = \"A\", en = \"A\" }", "name = { vi = \"A\" }", "site.name.en", "is missing"),
    ("name = { vi = \"A\", en = \"A\" }", "name = \"A\"", "site.name", "invalid type"),
    ("[box]", "timezone = \"Asia/Saigoon\"\n[box]", "site.timezone", "no time zone"),
    ("[box]", "position = { lon = 20.4, lat = 106.3 }\n[box]", "site.position", "are the two swapped?"),
    ("[box]", "position = { lon = 20.4 }\n[box]", "site.position.lat", "is missing"),
    ("id = \"b\"", "id = \"b\"\nhw_profile = \"cpu-x86_46\"", "box.hw_profile", "did you mean \"cpu-x86_64\"?"),
    ("id = \"b\"", "id = \"b b\"", "box.id", "is not an identifier"),
    ("mqtt://127.0.0.1:1883", "mqtt://broker.example:1883", "mqtt.url", "beyond loopback"),
    ("mqtt://127.0.0.1:1883", "http://127.0.0.1", "mqtt.url", "has the scheme \"http\""),
    ("mqtt://127.0.0.1:1883", "127.0.0.1", "mqtt.url", "is not a URL"),
    ("mqtt://127.0.0.1:1883", "mqtts://u:canary@b.example", "mqtt.url", "holds a user or password"),
    ("[mqtt]", "[mqtt]\nusername = \"x\"", "mqtt", "only one of username and password"),
    ("[mqtt]", "[mqtt]\nkey = { file = \"k\" }", "mqtt", "only one of certificate and key"),
    ("[mqtt]", "[mqtt]\nca = \"ca.pem\"", "mqtt.url", "write mqtts://"),
    ("[mqtt]", "[mqtt]\nroot = \"a b\"", "mqtt.root", "is not an identifier"),
    (
        "[mqtt]",
        "[mqtt]\nusername = \"x\"\npassword = { file = \"k\", env = \"K\" }",
        "mqtt.password",
        "exactly one of credential, file and env",
    ),
    ("[[camera]]\nid", "[storage]\noutbox = \"512\"\n[[camera]]\nid", "storage.outbox", "is not a size"),
    ("[[camera]]\nid", "[storage]\noutbox = \"1 KiB\"\n[[camera]]\nid", "storage.outbox", "too small"),
    ("[[camera]]\nid", "[storage]\nevidence = \"1 KiB\"\n[[camera]]\nid", "storage.evidence", "too small"),
    (
        "[[camera]]\nid",
        "[storage]\nretention = { snapshots = \"0s\" }\n[[camera]]\nid",
        "storage.retention.snapshots",
        "keeps no picture",
    ),
    (
        "[[camera]]\nid",
        "[evidence]\nsnapshots_from = \"warnin\"\n[[camera]]\nid",
        "evidence.snapshots_from",
        "did you mean \"warning\"?",
    ),
    ("[[camera]]\nid", "[evidence]\nsnapshots = \"yes\"\n[[camera]]\nid", "evidence.snapshots", "invalid type"),
    ("detect = {", "snapshots = 1\ndetect = {", "camera[0].snapshots", "invalid type"),
    ("pipeline = \"traffic-junction\"", "pipeline = \"trafic-junction\"", "camera[0].pipeline", "did you mean"),
    ("pipeline = \"traffic-junction\"\n", "", "camera[0].pipeline", "is missing"),
    ("rtsp://192.0.2.1/sub", "rtsp://u:canary@192.0.2.1/sub", "camera[0].detect.url", "holds a user or password"),
    ("rtsp://192.0.2.1/sub", "ftp://192.0.2.1/sub", "camera[0].detect.url", "has the scheme"),
    (
        "rtsp://192.0.2.1/sub\"",
        "http://192.0.2.1/sub\", transport = \"udp\"",
        "camera[0].detect.transport",
        "means nothing for http",
    ),
    ("credential = \"cam\"", "device = \"/dev/video0\"", "camera[0].detect.device", "does not go with a url"),
    ("credential = \"cam\"", "fps = 10", "camera[0].detect.fps", "does not go with a url"),
    (
        "url = \"rtsp://192.0.2.1/sub\", ",
        "device = \"/dev/video0\", ",
        "camera[0].detect.device",
        "does not go with a log-in",
    ),
    (
        "url = \"rtsp://192.0.2.1/sub\", credential = \"cam\"",
        "device = \"video0\"",
        "camera[0].detect.device",
        "is not the whole path",
    ),
    (
        "url = \"rtsp://192.0.2.1/sub\", credential = \"cam\"",
        "device = \"/dev/video0\", size = [1280, 0]",
        "camera[0].detect.size",
        "width and height",
    ),
    (
        "url = \"rtsp://192.0.2.1/sub\", credential = \"cam\"",
        "device = \"/dev/video0\", fps = 0",
        "camera[0].detect.fps",
        "1 to 240",
    ),
    ("detect = {", "record = { device = \"/dev/video0\" }\ndetect = {", "camera[0].record.device", "nor with record"),
    (
        "detect = {",
        "record = { url = \"http://192.0.2.1/main\" }\ndetect = {",
        "camera[0].record.url",
        "has the scheme",
    ),
    ("url = \"rtsp://192.0.2.1/sub\", ", "", "camera[0].detect.url", "is missing"),
    (
        "credential = \"cam\"",
        "credential = \"../cam\"",
        "camera[0].detect.credential",
        "is not the name of a credential",
    ),
    ("credential = \"cam\"", "transport = \"quic\"", "camera[0].detect.transport", "unknown variant"),
    ("detect = {", "model = \"yolox-nan\"\ndetect = {", "camera[0].model", "did you mean \"yolox-nano\"?"),
    ("detect = {", "analyse_fps = 0\ndetect = {", "camera[0].analyse_fps", "0.1 to 60"),
    ("detect = {", "analyse_fps = \"5\"\ndetect = {", "camera[0].analyse_fps", "invalid type"),
    ("detect = {", "regions = [[0.5, 0.0, 0.2, 1.0]]\ndetect = {", "camera[0].regions", "regions inside the picture"),
    ("detect = {", "tracker = { lost_for = \"2\" }\ndetect = {", "camera[0].tracker.lost_for", "is not a duration"),
    ("detect = {", "tracker = { high_confidence = 2 }\ndetect = {", "camera[0].tracker.high_confidence", "0 to 1"),
    ("kind = \"lane\"", "kind = \"lan\"", "camera[0].zone.lane.kind", "did you mean \"lane\"?"),
    (
        "[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]\nheading",
        "[[0.1, 0.1], [0.9, 0.1]]\nheading",
        "camera[0].zone.lane.polygon",
        "three corners",
    ),
    (
        "[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]\nheading",
        "[[0, 0], [640, 0], [640, 480]]\nheading",
        "camera[0].zone.lane.polygon",
        "fractions",
    ),
    ("heading = [[0.5, 0.9], [0.5, 0.1]]", "heading = [[0.5, 0.9]]", "camera[0].zone.lane.heading", "write two points"),
    (
        "points = [[0.5, 0.0], [0.5, 1.0]]",
        "points = [[0.5, 0.5], [0.5, 0.5]]",
        "camera[0].line.mid.points",
        "same point",
    ),
    (
        "points = [[0.5, 0.0], [0.5, 1.0]]",
        "anchor = \"top\"\npoints = [[0.5, 0.0], [0.5, 1.0]]",
        "camera[0].line.mid.anchor",
        "no anchor",
    ),
    ("kind = \"wrong-way\"", "kind = \"wrong-ways\"", "camera[0].rule[0].kind", "did you mean \"wrong-way\"?"),
    ("kind = \"wrong-way\"\n", "", "camera[0].rule[0].kind", "is missing"),
    ("zone = \"lane\"", "zone = \"lan\"", "camera[0].rule[0].zone", "did you mean \"lane\"?"),
    ("zone = \"lane\"", "zone = \"yard\"", "camera[0].rule[0].zone", "has no heading"),
    ("zone = \"lane\"", "zone = \"lane\"\nline = \"mid\"", "camera[0].rule[0].line", "means nothing for wrong-way"),
    ("zone = \"lane\"", "zone = \"lane\"\ndwell = \"3s\"", "camera[0].rule[0].dwell", "it belongs to loitering"),
    ("zone = \"lane\"", "zone = \"lane\"\ndistance = \"8 m\"", "camera[0].rule[0].distance", "not calibrated"),
    ("zone = \"lane\"", "zone = \"lane\"\nhold = \"1.5\"", "camera[0].rule[0].hold", "is not a duration"),
    ("zone = \"lane\"", "zone = \"lane\"\nangle_deg = 30", "camera[0].rule[0].angle_deg", "91 to 180"),
    ("zone = \"lane\"", "zone = \"lane\"\nseverity = \"urgent\"", "camera[0].rule[0].severity", "choose one of"),
    ("zone = \"lane\"", "zone = \"lane\"\nclasses = [\"cars\"]", "camera[0].rule[0].classes", "did you mean \"car\"?"),
    ("zone = \"lane\"", "zone = \"lane\"\nclasses = []", "camera[0].rule[0].classes", "is empty"),
    ("zone = \"lane\"", "zone = \"lane\"\nthreshold = 3", "camera[0].rule[0].threshold", "is not a known key"),
    (
        "kind = \"wrong-way\"\nzone = \"lane\"",
        "kind = \"line-crossing\"\nline = \"midd\"",
        "camera[0].rule[0].line",
        "did you mean \"mid\"?",
    ),
    (
        "kind = \"wrong-way\"\nzone = \"lane\"",
        "kind = \"crowding\"\nzone = \"yard\"\ncount = 1",
        "camera[0].rule[0].count",
        "at least 2",
    ),
    (
        "kind = \"wrong-way\"\nzone = \"lane\"",
        "kind = \"stopped-vehicle\"\nzone = \"lane\"\nspeed = \"3 km/h\"",
        "camera[0].rule[0].speed",
        "box heights a second",
    ),
];

#[test]
fn the_good_file_is_good() {
    load(GOOD).expect("no errors");
}

#[test]
fn every_wrong_configuration_gets_its_message() {
    for (good, wrong, key, words) in WRONG {
        assert!(GOOD.contains(good), "the good file has {good:?}");
        let errors = load(&GOOD.replacen(good, wrong, 1)).expect_err(wrong);
        let text = errors.to_string();
        let error = errors.0.iter().find(|error| error.key == *key);
        let error = error.unwrap_or_else(|| panic!("{wrong:?} must name {key}:\n{text}"));
        assert!(error.to_string().contains(words), "{wrong:?} must say {words:?}:\n{text}");
        assert!(!error.cure.is_empty(), "{wrong:?} must say what to do:\n{text}");
        assert!(error.line.is_some() || error.key == "camera", "{wrong:?} must name its line:\n{text}");
        assert!(!text.contains("canary"), "no secret in a message:\n{text}");
    }
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
fn all_errors_are_reported_at_once() {
    let text = GOOD
        .replacen("id = \"a\"", "id = \"A\"", 1)
        .replacen("zone = \"lane\"", "zone = \"lain\"\nhold = 3\nfoo = 1", 1)
        .replacen("mqtt://", "http://", 1);
    let errors = load(&text).expect_err("four errors");
    let keys: Vec<&str> = errors.0.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(
        keys,
        ["site.id", "mqtt.url", "camera[0].rule[0].zone", "camera[0].rule[0].hold", "camera[0].rule[0].foo"],
        "in the order of the file"
    );
}

#[test]
fn two_cameras_or_rules_of_one_name_are_refused() {
    let camera = GOOD.split_once("[[camera]]").expect("has a camera").1;
    let errors = load(&format!("{GOOD}\n[[camera]]{camera}")).expect_err("same id twice");
    assert_eq!(errors.0[0].key, "camera[1].id");
    let rule = GOOD.split_once("[[camera.rule]]").expect("has a rule").1;
    let errors = load(&format!("{GOOD}\n[[camera.rule]]{rule}")).expect_err("same id twice");
    assert_eq!(errors.0[0].key, "camera[0].rule[1].id");
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
fn snapshots_are_off_unless_the_site_or_the_camera_asks_for_them() {
    use analytics::Severity::{High, Warning};
    let ask = |site: &str, camera: &str| {
        let text = GOOD.replacen("[[camera]]", &format!("{site}\n[[camera]]\n{camera}"), 1);
        load(&text).expect("good").cameras[0].snapshots_from
    };
    assert_eq!(ask("", ""), None);
    assert_eq!(ask("[evidence]\nsnapshots = true", ""), Some(Warning));
    assert_eq!(ask("[evidence]\nsnapshots = true\nsnapshots_from = \"high\"", ""), Some(High));
    assert_eq!(ask("[evidence]\nsnapshots = true", "snapshots = false"), None);
    assert_eq!(ask("", "snapshots = true"), Some(Warning));
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

#[test]
fn every_shipped_site_resolves() {
    for file in toml_files("edge-agent/deploy") {
        load_site(&file, &home()).unwrap_or_else(|errors| panic!("{errors}"));
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

#[test]
fn schemas_and_files_agree() {
    let schema = |schema: schemars::Schema| jsonschema::validator_for(schema.as_value()).expect("a valid schema");
    let sets = [
        (schema(schemars::schema_for!(super::raw::RawSite)), "edge-agent/deploy"),
        (schema(schemars::schema_for!(super::raw::RawPipeline)), "pipelines"),
        (schema(schemars::schema_for!(super::raw::RawHwProfile)), "hw-profiles"),
    ];
    for (validator, dir) in sets {
        for file in toml_files(dir) {
            let text = std::fs::read_to_string(&file).expect("readable");
            let value: serde_json::Value = toml::from_str(&text).expect("TOML");
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", file.display());
        }
    }
}

/// `UPDATE_SCHEMAS=1` writes them instead.
#[test]
fn file_schemas_are_current() {
    for name in ["site", "pipeline", "hw-profile", "model"] {
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
