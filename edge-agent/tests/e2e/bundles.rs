//! A box that trusts a key: its model and its site file come in signed bundles, or it does not start.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use minisign::KeyPair;
use serde_json::Value;
use tempfile::TempDir;

use crate::agent::{Agent, Finished, edge_agent, root};
use crate::site::YARD;

/// A box without a model, the keys it trusts, and the desk of whoever signs.
struct Junction {
    folder: TempDir,
    key: KeyPair,
}

impl Junction {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for part in ["hw-profiles", ".cache"] {
            symlink(root().join(part), folder.path().join(part)).expect("links");
        }
        for part in ["models", "pipelines", "keys", "storage", "state", "desk/tiny-ssd"] {
            std::fs::create_dir_all(folder.path().join(part)).expect("a folder");
        }
        let pipeline = "description = \"A yard\"\nmodel = \"tiny-ssd\"\nanalyse_fps = 5\n";
        std::fs::write(folder.path().join("pipelines/yard.toml"), pipeline).expect("writes");
        let data = root().join("edge-agent/tests/data/detect/models/tiny-ssd");
        for name in ["model.toml", "tiny.labels", "tiny_ssd.onnx"] {
            std::fs::copy(data.join(name), folder.path().join("desk/tiny-ssd").join(name)).expect("copies");
        }
        let key = KeyPair::generate_unencrypted_keypair().expect("a key");
        let public = key.pk.to_box().expect("a public key").to_string();
        std::fs::write(folder.path().join("keys/province.pub"), public).expect("writes");
        let junction = Self { folder, key };
        std::fs::write(junction.path("site.toml"), YARD).expect("writes");
        junction
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = edge_agent(arguments);
        command.env("NGATU_HOME", self.folder.path()).env("STATE_DIRECTORY", self.path("state"));
        command.env("NGATU_TRUSTED_KEYS", self.path("keys")).current_dir(self.folder.path());
        command
    }

    fn finished(&self, arguments: &[&str]) -> Finished {
        Agent::start(&mut self.command(arguments)).finish()
    }

    fn install(&self, bundle: &str, more: &[&str]) -> Finished {
        let install = ["bundle", "install", bundle, "--site", "site.toml", "--by", "Trần Thị B"];
        self.finished(&[install.as_slice(), more].concat())
    }

    fn make_model(&self, version: &str) -> String {
        self.finished(&["bundle", "make", "--model", "desk/tiny-ssd", "--version", version]).succeeded();
        format!("tiny-ssd-{version}.bundle")
    }

    /// As `minisign -S -m FILE` does.
    fn sign(&self, name: &str) {
        let content = std::fs::read(self.path(name)).expect("reads");
        let signed = minisign::sign(Some(&self.key.pk), &self.key.sk, content.as_slice(), Some("nghiệm thu"), None);
        let signature = signed.expect("signs").into_string();
        std::fs::write(self.path(&format!("{name}.minisig")), signature).expect("writes");
    }

    /// The lines of the audit log about this.
    fn audited(&self, action: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.path("storage/audit/audit-00000000000000000001.jsonl")).expect("a log");
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.filter(|line| line["action"] == action).collect()
    }
}

fn flip_last_byte(path: &Path) {
    let mut bytes = std::fs::read(path).expect("reads");
    *bytes.last_mut().expect("not empty") ^= 1;
    std::fs::write(path, bytes).expect("writes");
}

#[test]
fn a_box_with_a_key_runs_on_what_is_signed_and_on_nothing_else() {
    let junction = Junction::new();
    let bundle = junction.make_model("3");
    let said = junction.install(&bundle, &[]).failed(1);
    assert!(said.contains("not signed") && said.contains("→"), "{said}");
    junction.sign(&bundle);
    let said = junction.finished(&["bundle", "verify", &bundle]).succeeded().stdout;
    assert!(said.contains("model tiny-ssd version 3: ok, signed by province (nghiệm thu)"), "{said}");
    let said = junction.install(&bundle, &[]).succeeded().stdout;
    assert!(said.contains("in place, signed by province"), "{said}");
    let said = junction.finished(&["models", "list"]).succeeded().stdout;
    assert!(said.contains("bundle version 3, signed by province"), "{said}");

    for command in ["check", "run"] {
        let said = junction.finished(&[command, "site.toml"]).failed(64);
        assert!(said.contains("site.toml is not used") && said.contains("site.toml.minisig"), "{command}: {said}");
    }
    junction.sign("site.toml");
    let said = junction.finished(&["check", "site.toml"]).succeeded().stdout;
    assert!(said.contains("the site file is signed by province"), "{said}");
    let agent = Agent::start(&mut junction.command(&["run", "site.toml"]));
    agent.stderr.line_with("model opened");
    agent.stop().succeeded();

    flip_last_byte(&junction.path("state/models/tiny-ssd/tiny_ssd.onnx"));
    for command in ["check", "run"] {
        let said = junction.finished(&[command, "site.toml"]).failed(64);
        assert!(said.contains("tiny-ssd is not used") && said.contains("changed after it was signed"), "{said}");
    }
    let said = junction.finished(&["models", "verify", "tiny-ssd"]);
    assert!(said.stdout.contains("is not used"), "{}", said.stdout);
    let said = junction.finished(&["doctor"]).stdout;
    assert!(said.contains("must be signed by one of: province") && said.contains("is not used"), "{said}");

    let said = junction.install(&bundle, &[]).failed(1);
    assert!(said.contains("version 3 is not above 3") && said.contains("--allow-older"), "{said}");
    junction.install(&bundle, &["--allow-older"]).succeeded();
    junction.finished(&["check", "site.toml"]).succeeded();
    let lines = junction.audited("bundle_installed");
    let states: Vec<&str> = lines.iter().map(|line| line["outcome"]["state"].as_str().expect("a word")).collect();
    assert_eq!(states, ["refused", "done", "refused", "done"]);
    let signed_by = junction.audited("configuration_loaded").pop().map(|line| line["detail"]["signed_by"].clone());
    assert_eq!(signed_by, Some("province".into()));
    junction.finished(&["audit", "verify", "--site", "site.toml"]).succeeded();
}

#[test]
fn a_configuration_comes_in_a_bundle_and_is_proved_at_the_start() {
    let junction = Junction::new();
    let bundle = junction.make_model("1");
    junction.sign(&bundle);
    junction.install(&bundle, &[]).succeeded();
    std::fs::write(junction.path("desk.toml"), YARD.replace("Test junction", "Renamed")).expect("writes");
    junction
        .finished(&["bundle", "make", "--site", "desk.toml", "--version", "7", "--out", "site-7.bundle"])
        .succeeded();
    junction.sign("site-7.bundle");
    let said = junction.finished(&["bundle", "show", "site-7.bundle"]).succeeded().stdout;
    assert!(said.contains("box = \"box-a\"") && said.contains("# signed by province"), "{said}");
    junction.install("site-7.bundle", &[]).succeeded();
    let said = junction.finished(&["check", "site.toml"]).succeeded().stdout;
    assert!(said.contains("Renamed") && said.contains("signed by province"), "{said}");
    assert!(junction.path("site.toml.former").exists());
    let line = junction.audited("bundle_installed").pop().expect("a line");
    assert_eq!((&line["outcome"]["state"], &line["detail"]["version"]), (&"done".into(), &7.into()), "{line}");
    flip_last_byte(&junction.path("site.toml"));
    junction.finished(&["run", "site.toml"]).failed(64);
}

#[test]
fn a_box_without_keys_works_as_before_and_says_so() {
    let junction = Junction::new();
    std::fs::remove_file(junction.path("keys/province.pub")).expect("removes");
    let bundle = junction.make_model("1");
    let said = junction.install(&bundle, &[]).failed(1);
    assert!(said.contains("--allow-unsigned"), "{said}");
    let said = junction.install(&bundle, &["--allow-unsigned"]).succeeded().stdout;
    assert!(said.contains("NOT SIGNED"), "{said}");
    let said = junction.finished(&["check", "site.toml"]).succeeded().stdout;
    assert!(said.contains("note      no key is installed"), "{said}");
    std::fs::remove_dir(junction.path("keys")).expect("removes");
    let said = junction.finished(&["check", "site.toml"]).failed(64);
    assert!(said.contains("keys cannot be read"), "{said}");
}
