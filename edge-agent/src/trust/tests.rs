//! Bundles: made, signed, installed, replaced, damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::bundle::listed;
use super::install::{Demand, install_configuration, install_model};
use super::proof::{Proof, proofs_of};
use super::signing::{Key, folder_of};
use super::*;
use crate::config::Home;
use crate::setup::{self, SetupError};
use crate::tar::{BLOCK, END, header, padding};

const MODEL: &str = "tiny-ssd";
const WEIGHTS: &str = "tiny_ssd.onnx";
const SITE: &str = r#"
[site]
id = "nut-thu"
name = { vi = "Nút thử", en = "Test junction" }
[box]
id = "box-a"
[mqtt]
url = "mqtt://127.0.0.1:1"
[[camera]]
id = "nam"
name = { vi = "Nam", en = "South" }
pipeline = "yard"
detect = { url = "rtsp://127.0.0.1:1/sub" }
[camera.line.mid]
points = [[0.5, 0.0], [0.5, 1.0]]
[[camera.rule]]
id = "dem"
kind = "line-crossing"
line = "mid"
"#;

/// A box that trusts one key, and the desk where bundles are made.
struct Bench {
    folder: TempDir,
    home: Home,
    key: Key,
    keys: Keys,
    _trusted: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for part in ["hw-profiles", ".cache"] {
            std::os::unix::fs::symlink(root.join(part), folder.path().join(part)).expect("links");
        }
        fs::create_dir(folder.path().join("pipelines")).expect("a folder");
        let pipeline = format!("description = \"A yard\"\nmodel = \"{MODEL}\"\nanalyse_fps = 5\n");
        fs::write(folder.path().join("pipelines/yard.toml"), pipeline).expect("writes");
        let (from, shipped) =
            (root.join("edge-agent/tests/data/detect/models").join(MODEL), folder.path().join("models"));
        fs::create_dir_all(shipped.join(MODEL)).expect("a folder");
        for name in ["model.toml", "tiny.labels", WEIGHTS] {
            fs::copy(from.join(name), shipped.join(MODEL).join(name)).expect("copies");
        }
        fs::create_dir_all(folder.path().join("state/models")).expect("a folder");
        let key = Key::make();
        let trusted = folder_of(&[("province", &key)]);
        let home = Home::at(folder.path()).with_trusted_keys(trusted.path().to_owned());
        let keys = home.keys().expect("keys");
        Self { folder, home, key, keys, _trusted: trusted }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn shipped(&self) -> PathBuf {
        self.home.models().join(MODEL)
    }

    fn installed(&self) -> PathBuf {
        self.home.installed_models().join(MODEL)
    }

    fn sign(&self, path: &Path) {
        fs::write(signature_of(path), self.key.sign(&fs::read(path).expect("reads"))).expect("writes");
    }

    /// A signed bundle of the model as it is shipped.
    fn model(&self, version: u32) -> PathBuf {
        let out = self.path(&format!("{MODEL}-{version}.bundle"));
        let _ = fs::remove_file(&out);
        model_bundle(&self.shipped(), &self.home, version, &out).expect("makes");
        self.sign(&out);
        out
    }

    /// A signed bundle of this site file.
    fn site(&self, version: u32, text: &str) -> PathBuf {
        let (file, out) = (self.path("desk.toml"), self.path(&format!("site-{version}.bundle")));
        let _ = fs::remove_file(&out);
        fs::write(&file, text).expect("writes");
        configuration_bundle(&file, &self.home, version, &out).expect("makes");
        self.sign(&out);
        out
    }

    /// Something that is signed and no bundle that this program makes.
    fn forged(&self, bytes: &[u8]) -> PathBuf {
        let out = self.path("forged.bundle");
        fs::write(&out, bytes).expect("writes");
        self.sign(&out);
        out
    }

    fn demand(&self) -> Demand<'_> {
        Demand { keys: &self.keys, allow_older: false, allow_unsigned: false }
    }

    fn install_as(&self, path: &Path, demand: Demand<'_>) -> Result<Installed, TrustError> {
        install_model(&mut Bundle::open(path)?, self.home.installed_models(), demand, |_| Ok(()))
    }

    fn install(&self, path: &Path) -> Result<Installed, TrustError> {
        self.install_as(path, self.demand())
    }

    fn configure(&self, path: &Path, demand: Demand<'_>) -> Result<Installed, TrustError> {
        let installed = install_configuration(&mut Bundle::open(path)?, &self.path("site.toml"), &self.home, demand);
        installed.map(|(installed, _)| installed)
    }

    /// Every file of the state folder.
    fn state(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        gather(&self.path("state"), &mut files);
        files
    }
}

fn gather(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("lists").path()) {
        if entry.is_dir() {
            gather(&entry, files);
        } else {
            files.insert(entry.clone(), fs::read(&entry).expect("reads"));
        }
    }
}

/// An archive of these entries, as anybody could write one.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in entries {
        let size = content.len() as u64;
        bytes.extend_from_slice(&header(name, size, 0));
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len() + padding(size), 0);
    }
    bytes.resize(bytes.len() + END, 0);
    bytes
}

/// The content of a bundle that is in order, to be changed.
struct Parts {
    text: String,
    files: Vec<(String, Vec<u8>)>,
}

impl Parts {
    fn of(bench: &Bench) -> Self {
        let out = bench.path("parts.bundle");
        let contents = model_bundle(&bench.shipped(), &bench.home, 3, &out).expect("makes");
        fs::remove_file(out).expect("removes");
        let read = |name: &str| fs::read(bench.shipped().join(name)).expect("reads");
        let files = contents.files.iter().map(|file| (file.name.clone(), read(&file.name))).collect();
        Self { text: contents.text(), files }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut entries = vec![(CONTENTS, self.text.as_bytes())];
        entries.extend(self.files.iter().map(|(name, content)| (name.as_str(), content.as_slice())));
        archive(&entries)
    }

    /// With `bundle.toml` changed.
    fn saying(mut self, from: &str, to: &str) -> Vec<u8> {
        assert!(self.text.contains(from), "{}", self.text);
        self.text = self.text.replacen(from, to, 1);
        self.bytes()
    }
}

#[test]
fn a_signed_model_is_put_in_place_used_before_a_shipped_one_and_the_former_kept() {
    let bench = Bench::new();
    let installed = bench.install(&bench.model(3)).expect("installs");
    assert_eq!((installed.former, installed.signer.expect("signed").key.as_str()), (None, "province"));
    let model = setup::load_model(&bench.home, MODEL).expect("is trusted");
    assert_eq!(model.weights(), bench.installed().join(WEIGHTS));
    assert_eq!(bench.install(&bench.model(20_261_123)).expect("installs").former, Some(3));
    let version = |folder: &Path| {
        Proof::read(&folder.join(PROOF)).expect("reads").expect("is there").contents().expect("reads").version
    };
    assert_eq!(version(&bench.installed()), 20_261_123);
    let former = bench.home.installed_models().join(".former").join(MODEL);
    assert_eq!(version(&former), 3);
    assert!(model_signer(&former, &bench.keys).expect("is whole").is_some());
    assert_eq!(setup::model_names(&bench.home), [MODEL]);
}

#[test]
fn a_bundle_says_of_a_model_what_an_operator_asks() {
    let bench = Bench::new();
    let mut bundle = Bundle::open(&bench.model(3)).expect("opens");
    let contents = bundle.prove().expect("is whole");
    let classes = ["person", "car", "bus"].map(str::to_owned).to_vec();
    assert_eq!(contents.content, Content::Model { licence: "Apache-2.0".into(), classes });
    let names: Vec<&str> = contents.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["model.toml", "tiny.labels", WEIGHTS]);
}

#[test]
fn tar_lists_a_bundle() {
    let bench = Bench::new();
    let listed = std::process::Command::new("tar").arg("-tf").arg(bench.model(3)).output().expect("tar is there");
    assert_eq!(String::from_utf8_lossy(&listed.stdout), format!("{CONTENTS}\nmodel.toml\ntiny.labels\n{WEIGHTS}\n"));
}

#[test]
fn what_is_not_signed_by_a_trusted_key_is_refused() {
    let bench = Bench::new();
    let path = bench.model(3);
    let signature = fs::read_to_string(signature_of(&path)).expect("reads");
    fs::write(signature_of(&path), Key::make().sign(&fs::read(&path).expect("reads"))).expect("writes");
    assert!(matches!(bench.install(&path), Err(TrustError::UnknownKey { .. })));
    fs::write(signature_of(&path), "untrusted comment: none\n").expect("writes");
    assert!(matches!(bench.install(&path), Err(TrustError::NotASignature)));
    fs::remove_file(signature_of(&path)).expect("removes");
    assert!(matches!(bench.install(&path), Err(TrustError::Unsigned(_))));
    // That of another bundle.
    let other = bench.model(4);
    fs::write(signature_of(&other), signature).expect("writes");
    assert!(matches!(bench.install(&other), Err(TrustError::WrongSignature)));
    // Nor where it is asked for: there are keys.
    fs::remove_file(signature_of(&other)).expect("removes");
    let forced = Demand { allow_unsigned: true, ..bench.demand() };
    assert!(matches!(bench.install_as(&other, forced), Err(TrustError::Unsigned(_))));
    assert!(bench.state().is_empty());
}

#[test]
fn without_a_key_nothing_is_installed_unless_it_is_forced() {
    let bench = Bench::new();
    let (path, none) = (bench.model(3), Keys::default());
    let demand = Demand { keys: &none, ..bench.demand() };
    assert!(matches!(bench.install_as(&path, demand), Err(TrustError::NoKeys)));
    let installed = bench.install_as(&path, Demand { allow_unsigned: true, ..demand }).expect("is forced");
    assert_eq!(installed.signer, None);
    assert!(matches!(model_signer(&bench.installed(), &none), Ok(None)));
    // A key that comes later does not trust it.
    assert!(matches!(model_signer(&bench.installed(), &bench.keys), Err(TrustError::NotProved { .. })));
}

#[test]
fn a_version_that_does_not_rise_is_refused_unless_it_is_forced() {
    let bench = Bench::new();
    bench.install(&bench.model(7)).expect("installs");
    let before = bench.state();
    for version in [6, 7] {
        let path = bench.model(version);
        let refused = bench.install(&path).expect_err("is older");
        assert!(matches!(refused, TrustError::Older { installed: 7, .. }), "{refused}");
        assert_eq!(bench.state(), before);
    }
    let forced = Demand { allow_older: true, ..bench.demand() };
    assert_eq!(bench.install_as(&bench.model(6), forced).expect("is forced").former, Some(7));
}

#[test]
fn a_signature_does_not_make_a_bundle_of_what_is_none() {
    let bench = Bench::new();
    let whole = Parts::of(&bench).bytes();
    let parts = || Parts::of(&bench);
    let with = |files: &[(&str, &[u8])]| {
        let mut parts = parts();
        parts.files.extend(files.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())));
        parts.bytes()
    };
    let cut = |bytes: usize| whole[..whole.len() - bytes].to_vec();
    let more = |more: &[u8]| [whole.as_slice(), more].concat();
    let entry = |kind: u8| {
        // The second entry, of another kind: its sum is right.
        let mut bytes = whole.clone();
        let at = BLOCK + padding_to(&bytes);
        bytes[at + 156] = kind;
        resum(&mut bytes[at..at + BLOCK]);
        bytes
    };
    let order = || {
        let mut parts = parts();
        parts.files.reverse();
        parts.bytes()
    };
    let digest = |file: &str| {
        let path = bench.shipped().join(file);
        listed(&path, file).expect("lists").sha256
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("an entry more", with(&[("run.sh", b"#!/bin/sh\n")])),
        ("a second entry of a name", with(&[(WEIGHTS, b"other")])),
        ("an absolute path", with(&[("/etc/ngatu/site.toml", b"")])),
        ("a way out of the folder", with(&[("../../site.toml", b"")])),
        ("a symbolic link", entry(b'2')),
        ("a hard link", entry(b'1')),
        ("a folder", entry(b'5')),
        ("a device", entry(b'3')),
        ("another order", order()),
        ("bytes after the end", more(b"x")),
        ("zeros after the end", more(&[0; BLOCK])),
        ("no end", cut(END)),
        ("half an end", cut(BLOCK)),
        ("half of it", cut(whole.len() / 2)),
        ("nothing", Vec::new()),
        ("a text", SITE.as_bytes().to_vec()),
        ("no bundle.toml first", archive(&[("model.toml", b"x"), (CONTENTS, b"y")])),
        ("another digest", parts().saying(&digest(WEIGHTS), &digest("tiny.labels"))),
        ("no digest", parts().saying(&digest(WEIGHTS), "00")),
        ("another size", parts().saying("size_bytes = 456", "size_bytes = 455")),
        ("a size beyond all measure", parts().saying("size_bytes = 456", "size_bytes = 4294967296")),
        ("a name with a folder", parts().saying(WEIGHTS, "../tiny_ssd.onnx")),
        ("a hidden name", parts().saying(WEIGHTS, ".tiny_ssd.onnx")),
        ("the proof's own name", parts().saying(WEIGHTS, PROOF)),
        ("one name twice", parts().saying("tiny.labels", WEIGHTS)),
        ("a model's name with a folder", parts().saying("\"tiny-ssd\"", "\"../tiny-ssd\"")),
        ("another model's name", parts().saying("\"tiny-ssd\"", "\"yolox-nano\"")),
        ("version 0", parts().saying("version = 3", "version = 0")),
        ("an unknown key", parts().saying("version = 3", "version = 3\nforce = true")),
        ("another licence", parts().saying("Apache-2.0", "MIT")),
        ("other classes", parts().saying("\"person\"", "\"bicycle\"")),
        ("no classes", parts().saying("classes", "labels")),
        ("a kind that is none", parts().saying("\"model\"", "\"firmware\"")),
    ];
    bench.install(&bench.model(2)).expect("installs");
    let before = bench.state();
    for (what, bytes) in cases {
        let refused = bench.install(&bench.forged(&bytes)).expect_err(what);
        let expected = matches!(
            refused,
            TrustError::NotABundle(_) | TrustError::Contents(_) | TrustError::Differs { .. } | TrustError::NotUsable(_)
        );
        assert!(expected, "{what}: {refused:?}");
        assert_eq!(bench.state(), before, "{what}");
    }
    // Proof that the cases fail for what they are.
    bench.install(&bench.forged(&whole)).expect("is one");
}

#[test]
fn a_model_that_does_not_run_is_not_put_in_place() {
    let bench = Bench::new();
    bench.install(&bench.model(2)).expect("installs");
    let before = bench.state();
    let mut bundle = Bundle::open(&bench.model(3)).expect("opens");
    let judge = |_: &crate::detect::manifest::Model| Err(TrustError::not_usable(std::io::Error::other("does not fit")));
    let refused = install_model(&mut bundle, bench.home.installed_models(), bench.demand(), judge);
    assert!(matches!(refused, Err(TrustError::NotUsable(_))));
    assert_eq!(bench.state(), before);
}

#[test]
fn a_model_that_was_changed_after_it_was_installed_is_not_used() {
    let bench = Bench::new();
    bench.install(&bench.model(3)).expect("installs");
    for name in ["model.toml", "tiny.labels", WEIGHTS, PROOF] {
        let path = bench.installed().join(name);
        let whole = fs::read(&path).expect("reads");
        let mut changed = whole.clone();
        // A letter that leaves TOML and labels readable.
        let at = changed.iter().rposition(u8::is_ascii_alphabetic).unwrap_or(0);
        changed[at] ^= 0x20;
        for bad in [Some(changed), Some([whole.as_slice(), b"\n"].concat()), Some(Vec::new()), None] {
            match &bad {
                Some(bad) => fs::write(&path, bad).expect("writes"),
                None => fs::remove_file(&path).expect("removes"),
            }
            let trailing = bad.is_some_and(|bad| bad.len() == whole.len() + 1) && name == PROOF;
            match setup::load_model(&bench.home, MODEL) {
                // A line more in the proof says nothing else.
                Ok(_) if trailing => {}
                // Without its manifest it is no model any more: the shipped one is used.
                Ok(model) => assert!(name == "model.toml" && model.weights().starts_with(bench.shipped())),
                Err(SetupError::Trust(TrustError::NotProved { .. })) => {}
                Err(other) => panic!("{name}: {other}"),
            }
            fs::write(&path, &whole).expect("writes");
        }
    }
    setup::load_model(&bench.home, MODEL).expect("is whole again");
}

#[test]
fn weights_that_a_shipped_manifest_names_need_no_signature() {
    let bench = Bench::new();
    let model = setup::load_model(&bench.home, MODEL).expect("is shipped");
    assert!(model.weights().starts_with(bench.shipped()));
}

#[test]
fn a_signed_configuration_takes_the_site_files_place_and_the_former_is_kept() {
    let bench = Bench::new();
    let (site, later) = (bench.path("site.toml"), SITE.replace("Test junction", "Test junction, later"));
    bench.configure(&bench.site(1, SITE), bench.demand()).expect("installs");
    assert_eq!(bench.configure(&bench.site(2, &later), bench.demand()).expect("installs").former, Some(1));
    let signer = |file: &Path, text: &str| site_signer(file, text, &bench.keys);
    assert_eq!(fs::read_to_string(&site).expect("reads"), later);
    assert!(matches!(signer(&site, &later), Ok(Some(_))));
    let former = bench.path("site.toml.former");
    assert_eq!(fs::read_to_string(&former).expect("reads"), SITE);
    assert!(matches!(signer(&former, SITE), Ok(Some(_))));
    // A text of another bundle, or changed by hand.
    assert!(matches!(signer(&site, SITE), Err(TrustError::NotProved { .. })));
    assert!(matches!(signer(&site, &format!("{later}\n")), Err(TrustError::NotProved { .. })));
}

#[test]
fn a_site_file_may_be_signed_by_itself() {
    let bench = Bench::new();
    let site = bench.path("site.toml");
    fs::write(&site, SITE).expect("writes");
    let signer = |text: &str| site_signer(&site, text, &bench.keys);
    assert!(matches!(signer(SITE), Err(TrustError::NotProved { why, .. }) if matches!(*why, TrustError::Unsigned(_))));
    bench.sign(&site);
    assert!(matches!(signer(SITE), Ok(Some(_))));
    assert!(matches!(signer(&SITE.replace("box-a", "box-b")), Err(TrustError::NotProved { .. })));
    assert!(matches!(site_signer(&site, "anything", &Keys::default()), Ok(None)));
    // A bundle takes its place, and keeps it with its signature.
    bench.configure(&bench.site(1, &SITE.replace("Test", "Other")), bench.demand()).expect("installs");
    let former = bench.path("site.toml.former");
    assert!(matches!(site_signer(&former, SITE, &bench.keys), Ok(Some(_))));
}

#[test]
fn a_configuration_of_another_box_that_is_older_or_has_errors_is_refused() {
    let bench = Bench::new();
    bench.configure(&bench.site(5, SITE), bench.demand()).expect("installs");
    let other = bench.site(6, &SITE.replace("box-a", "box-b"));
    assert!(matches!(bench.configure(&other, bench.demand()), Err(TrustError::OtherBox { .. })));
    let older = bench.site(4, SITE);
    assert!(matches!(bench.configure(&older, bench.demand()), Err(TrustError::Older { installed: 5, .. })));
    // A model is no configuration, and the other way round.
    assert!(matches!(bench.configure(&bench.model(9), bench.demand()), Err(TrustError::NotABundle(_))));
    assert!(matches!(bench.install(&bench.site(9, SITE)), Err(TrustError::NotABundle(_))));
    // A pipeline that this box does not have.
    let elsewhere = Bench::new();
    fs::rename(elsewhere.path("pipelines/yard.toml"), elsewhere.path("pipelines/field.toml")).expect("renames");
    let unknown = elsewhere.site(8, &SITE.replace("yard", "field"));
    bench.sign(&unknown);
    assert!(matches!(bench.configure(&unknown, bench.demand()), Err(TrustError::NotUsable(_))));
    assert_eq!(fs::read_to_string(bench.path("site.toml")).expect("reads"), SITE);
    assert!(matches!(site_signer(&bench.path("site.toml"), SITE, &bench.keys), Ok(Some(_))));
    bench.configure(&older, Demand { allow_older: true, ..bench.demand() }).expect("is forced");
}

#[test]
fn wherever_the_power_goes_the_site_file_there_is_proved() {
    let bench = Bench::new();
    let (site, later) = (bench.path("site.toml"), SITE.replace("Test", "Later"));
    let [in_place, next] = proofs_of(&site);
    bench.configure(&bench.site(1, SITE), bench.demand()).expect("installs");
    let old = fs::read(&in_place).expect("reads");
    bench.configure(&bench.site(2, &later), bench.demand()).expect("installs");
    let new = fs::read(&in_place).expect("reads");
    // Between the proof that comes and the site file; between the site file and the proof's name.
    fs::write(&in_place, &old).expect("writes");
    fs::write(&next, &new).expect("writes");
    for text in [SITE, later.as_str()] {
        assert!(matches!(site_signer(&site, text, &bench.keys), Ok(Some(_))));
    }
}

/// Where the second entry's header begins, less one block.
fn padding_to(bytes: &[u8]) -> usize {
    let digits = std::str::from_utf8(&bytes[124..135]).expect("octal");
    let size = u64::from_str_radix(digits, 8).expect("octal");
    size as usize + padding(size)
}

/// The sum of a header that was changed.
fn resum(header: &mut [u8]) {
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_damaged_bundle_is_refused_and_leaves_nothing_changed(
        at in any::<prop::sample::Index>(),
        by in 1_u8..,
        how in 0..3_u8,
        resigned in any::<bool>(),
    ) {
        let bench = Bench::new();
        bench.install(&bench.model(2)).expect("installs");
        let before = bench.state();
        let path = bench.model(3);
        let mut bytes = fs::read(&path).expect("reads");
        let (at, told) = (at.index(bytes.len()), BLOCK..BLOCK + padding_to(&bytes));
        match how {
            0 => bytes[at] = bytes[at].wrapping_add(by),
            1 => bytes.truncate(at),
            _ => bytes.insert(at, by),
        }
        fs::write(&path, &bytes).expect("writes");
        if resigned {
            // By one who has the key: what is no bundle is none; what stands in bundle.toml is theirs to say.
            bench.sign(&path);
        }
        let done = bench.install(&path);
        prop_assert!(done.is_err() || (resigned && how == 0 && told.contains(&at)), "{at} {by} {how}");
        if done.is_err() {
            prop_assert_eq!(bench.state(), before);
        }
    }
}

#[test]
fn a_file_that_grows_while_it_is_bundled_is_told_and_no_bundle_is_left() {
    let bench = Bench::new();
    let mut contents = model_bundle(&bench.shipped(), &bench.home, 3, &bench.path("a.bundle")).expect("makes");
    contents.files[1] = listed(&bench.shipped().join("model.toml"), "tiny.labels").expect("lists");
    let at = |name: &str| bench.shipped().join(name);
    let out = bench.path("b.bundle");
    assert!(super::bundle::write(&contents, at, &out).is_err());
    assert!(!out.exists());
}
