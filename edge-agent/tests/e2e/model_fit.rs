//! A model that does not fit its manifest: said by `check` and at the start, with what to do.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::agent::{Agent, Finished, edge_agent, root};
use crate::site::YARD;

const PIPELINE: &str = r#"
description = "A yard"
model = "tiny-ssd"
analyse_fps = 5
"#;

/// An installation whose only model is described as `tiny-ssd` is, and has these weights.
struct Installation {
    folder: TempDir,
    site: PathBuf,
}

impl Installation {
    fn with(network: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = root().join("edge-agent/tests/data/detect");
        for part in ["hw-profiles", ".cache"] {
            symlink(root().join(part), folder.path().join(part)).expect("links");
        }
        std::fs::create_dir(folder.path().join("pipelines")).expect("a folder");
        std::fs::write(folder.path().join("pipelines/yard.toml"), PIPELINE).expect("written");
        let model = folder.path().join("models/tiny-ssd");
        std::fs::create_dir_all(&model).expect("a folder");
        let weights = std::fs::read(data.join(network)).expect("the network");
        let text = std::fs::read_to_string(data.join("models/tiny-ssd/model.toml")).expect("the manifest");
        let hash: String = Sha256::digest(&weights).iter().map(|byte| format!("{byte:02x}")).collect();
        let said = text.lines().find(|line| line.starts_with("sha256")).expect("a hash");
        std::fs::write(model.join("model.toml"), text.replace(said, &format!("sha256 = \"{hash}\""))).expect("written");
        std::fs::write(model.join("tiny_ssd.onnx"), weights).expect("written");
        std::fs::copy(data.join("models/tiny-ssd/tiny.labels"), model.join("tiny.labels")).expect("copied");
        let site = folder.path().join("site.toml");
        std::fs::write(&site, YARD).expect("written");
        Self { folder, site }
    }

    fn finished(&self, command: &str) -> Finished {
        let mut command = edge_agent([command.as_ref(), self.site.as_os_str()]);
        Agent::start(command.env("NGATU_HOME", self.folder.path()).current_dir(self.folder.path())).finish()
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[test]
fn a_model_that_does_not_fit_is_a_wrong_configuration_for_check_and_run() {
    for (network, words) in [
        ("broken/labels-dynamic.onnx", ["4 classes", "which has 3 lines", "→ give the labels file the 4 lines"]),
        ("broken/input-size.onnx", ["[1, 3, 24, 32]", "[1, 3, 16, 16]", "→ write width = 32 and height = 24"]),
    ] {
        let installed = Installation::with(network);
        for command in ["check", "run"] {
            let said = installed.finished(command).failed(64);
            let weights = installed.path().join("models/tiny-ssd/tiny_ssd.onnx").display().to_string();
            assert!(said.contains(&weights), "{command}: {said}");
            assert!(words.iter().all(|words| said.contains(words)), "{command} must say {words:?}: {said}");
        }
    }
}

#[test]
fn check_opens_the_model_unless_onnx_runtime_is_absent_and_then_says_so() {
    let installed = Installation::with("models/tiny-ssd/tiny_ssd.onnx");
    let said = installed.finished("check").succeeded().stdout;
    assert!(!said.contains("not opened"), "{said}");
    let installed = Installation::with("broken/input-size.onnx");
    std::fs::remove_file(installed.path().join(".cache")).expect("unlinks");
    let said = installed.finished("check").succeeded().stdout;
    assert!(said.contains("note      the models were not opened") && said.ends_with("ok: no errors\n"), "{said}");
}
