//! The log under cuts, edits, full disks and several writers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use analytics::{BoxId, SiteId};
use proptest::prelude::*;

use super::*;
use crate::config::tests::GOOD;
use crate::publish::{TopicRoot, Topics};

/// A few lines a file.
const SMALL: u64 = 2048;

pub(crate) fn topics() -> Topics {
    let (site, box_id) = (SiteId::new("ql10-nut-01").expect("valid"), BoxId::new("box-a").expect("valid"));
    Topics::new(TopicRoot::default(), site, box_id)
}

fn open(storage: &Path) -> AuditLog {
    AuditLog::with_segments(storage, &topics(), None, SMALL)
}

pub(super) fn entry(number: u64) -> AuditEntry {
    AuditEntry::new(Actor::person("Nguyễn Văn A"), Source::Mqtt, Action::Command)
        .on(Object::command("snapshot"))
        .with("n", number)
}

/// A site whose state lies in `folder`; its file with one text in the place of another.
pub(crate) fn site(folder: &Path, old: &str, new: &str) -> crate::config::Site {
    let file = GOOD.replacen("[[camera]]", "[storage]\npath = \"state\"\n[[camera]]", 1);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project's root");
    assert!(old.is_empty() || file.contains(old), "{old}");
    let text = file.replacen(old, new, usize::from(!old.is_empty()));
    let home = crate::config::Home::at(root);
    crate::config::load_site_text(&folder.join("site.toml"), &text, &home).expect("a site")
}

/// A log of so many lines, in some files.
fn written(lines: u64) -> (tempfile::TempDir, AuditLog) {
    let storage = tempfile::tempdir().expect("a folder");
    let log = open(storage.path());
    (1..=lines).for_each(|number| assert_eq!(log.append(entry(number)), Ok(number)));
    (storage, log)
}

fn files(log: &AuditLog) -> Vec<PathBuf> {
    let entries = fs::read_dir(log.folder()).expect("lists").map(|entry| entry.expect("lists").path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    files.sort();
    files
}

fn verified(log: &AuditLog, known: &[Head]) -> Report {
    verify(log.folder(), known).expect("reads")
}

fn actions(log: &AuditLog) -> Vec<Action> {
    let mut all = Vec::new();
    lines::<std::io::Error>(log.folder(), 1, |kept| {
        all.push(kept.line.action);
        Ok(true)
    })
    .expect("reads");
    all
}

#[test]
fn lines_are_numbered_chained_and_found_again() {
    let (storage, log) = written(20);
    assert!(files(&log).len() > 2, "{:?}", files(&log));
    let report = verified(&log, &[log.status().borrow().head]);
    assert_eq!((report.first, report.lines, report.wrong), (1, 20, None));
    // Another process goes on with the same chain, and so does this one after it.
    assert_eq!(open(storage.path()).append(entry(21)), Ok(21));
    assert_eq!(log.append(entry(22)), Ok(22));
    assert_eq!(verified(&log, &[]).last.number, 22);
    let mut numbers = Vec::new();
    let each = |kept: Kept| -> std::io::Result<bool> {
        numbers.push(kept.line.number);
        Ok(numbers.len() < 3)
    };
    lines(log.folder(), 13, each).expect("reads");
    assert_eq!(numbers, [13, 14, 15]);
}

#[test]
fn files_belong_to_the_box_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_storage, log) = written(3);
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(log.folder()), 0o700);
    assert_eq!(mode(&files(&log)[0]), 0o600);
}

#[test]
fn several_writers_make_one_chain() {
    let storage = tempfile::tempdir().expect("a folder");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let log = open(storage.path());
                (0..25).for_each(|number| assert!(log.append(entry(number)).is_ok()));
            });
        }
    });
    let report = verified(&open(storage.path()), &[]);
    assert_eq!((report.lines, report.wrong), (100, None));
}

#[test]
fn a_line_that_a_power_cut_tore_is_set_aside_and_announced() {
    let storage = tempfile::tempdir().expect("a folder");
    // One file is enough for all.
    let open = |storage: &Path| AuditLog::with_segments(storage, &topics(), None, SEGMENT_BYTES);
    let log = open(storage.path());
    (1..=3).for_each(|number| assert_eq!(log.append(entry(number)), Ok(number)));
    let file = &files(&log)[0];
    let whole = fs::read(file).expect("reads");
    let second = whole.iter().position(|&byte| byte == b'\n').expect("a line") + 1;
    let third = second + whole[second..].iter().position(|&byte| byte == b'\n').expect("a line") + 1;
    // Anywhere in the last line, also right before its line feed.
    for cut in (third..whole.len()).rev().step_by(3).chain([third]) {
        fs::write(file, &whole[..cut]).expect("writes");
        let log = open(storage.path());
        let torn = cut > third;
        let wrong = verified(&log, &[]).wrong.map(|wrong| wrong.wrong);
        assert_eq!(wrong, torn.then_some(Wrong::Unfinished), "cut at {cut}");
        log.append(entry(9)).expect("goes on");
        let report = verified(&log, &[]);
        assert_eq!((report.lines, report.wrong), (3 + u64::from(torn), None), "cut at {cut}");
        assert_eq!(actions(&log)[2] == Action::TornLineSetAside, torn);
        let aside = log.folder().join("torn-00000000000000000003");
        assert_eq!(fs::read(&aside).unwrap_or_default(), &whole[third..cut]);
        let _ = fs::remove_file(aside);
    }
}

#[test]
fn a_cut_end_is_noticed_against_what_is_known_elsewhere() {
    let (storage, log) = written(20);
    let head = log.status().borrow().head;
    let last = files(&log).pop().expect("a file");
    fs::remove_file(last).expect("removes");
    assert_eq!(verified(&log, &[]).wrong, None, "nothing within the log tells");
    let wrong = verified(&log, &[head]).wrong.expect("noticed");
    assert!(matches!(wrong.wrong, Wrong::Missing { .. }), "{wrong:?}");
    // The service that knows it says so in the chain, and leaves the numbers out that are gone.
    let log = AuditLog::with_segments(storage.path(), &topics(), Some(head), SMALL);
    let left = verified(&log, &[]).last.number;
    assert_eq!(log.append(entry(1)), Ok(head.number + 2));
    assert!(log.status().borrow().damaged);
    let wrong = verified(&log, &[]).wrong.expect("stays noticed");
    assert_eq!(wrong.wrong, Wrong::Gap { after: left, missing: head.number - left });
}

#[test]
fn a_log_written_anew_is_noticed_against_what_is_known_elsewhere() {
    let (storage, log) = written(5);
    let head = log.status().borrow().head;
    fs::remove_dir_all(log.folder()).expect("removes");
    let forged = open(storage.path());
    (1..=8).for_each(|number| assert!(forged.append(entry(number + 100)).is_ok()));
    assert_eq!(verified(&forged, &[]).wrong, None);
    let wrong = verified(&forged, &[head]).wrong.expect("noticed");
    assert_eq!((wrong.number, wrong.wrong), (5, Wrong::Other { known: head.hash }));
    let log = AuditLog::with_segments(storage.path(), &topics(), Some(head), SMALL);
    log.append(entry(1)).expect("writes");
    let wrong = verified(&log, &[]).wrong.expect("stays noticed");
    assert!(matches!(wrong.wrong, Wrong::Announced(_)), "{wrong:?}");
}

#[test]
fn what_is_known_and_there_is_no_damage() {
    let (storage, log) = written(5);
    let head = log.status().borrow().head;
    log.append(entry(6)).expect("writes");
    let log = AuditLog::with_segments(storage.path(), &topics(), Some(head), SMALL);
    assert_eq!(log.append(entry(7)), Ok(7));
    assert!(!log.status().borrow().damaged);
}

#[test]
fn lines_that_could_not_be_written_are_counted_and_told() {
    let (storage, log) = written(2);
    // Nothing can be opened there.
    let (folder, away) = (log.folder().to_owned(), storage.path().join("away"));
    fs::rename(&folder, &away).expect("moves");
    fs::write(&folder, "in the way").expect("writes");
    for lost in 1..=3 {
        assert!(log.append(entry(9)).is_err());
        assert_eq!(log.status().borrow().lost, lost);
        assert!(log.status().borrow().failing.is_some());
    }
    fs::remove_file(&folder).expect("removes");
    fs::rename(&away, &folder).expect("moves back");
    log.tend();
    assert_eq!(log.status().borrow().failing, None);
    assert_eq!(actions(&log), [Action::Command, Action::Command, Action::LinesLost]);
    assert_eq!(log.append(entry(4)), Ok(4));
    let report = verified(&log, &[]);
    assert_eq!((report.lost, report.wrong), (3, None));
}

#[test]
fn pruning_leaves_a_chain_that_says_what_went() {
    let (_storage, log) = written(40);
    let before = files(&log).len();
    let limits = AuditLimits { max_bytes: 3 * SMALL, keep_for: Duration::MAX };
    log.prune(limits);
    assert!(files(&log).len() < before);
    let report = verified(&log, &[]);
    assert_eq!(report.wrong, None);
    assert!(report.first > 1 && report.last.number == 41, "{report:?}");
    assert_eq!(report.pruned, report.first - 1);
    // Nothing more is too much, so nothing more is said.
    log.prune(limits);
    assert_eq!(log.status().borrow().head.number, 41);
    // Files that go without a word are missed, also after a pruning.
    fs::remove_file(&files(&log)[0]).expect("removes");
    assert_eq!(verified(&log, &[]).wrong.map(|wrong| wrong.wrong), Some(Wrong::BeginsLate));
}

#[test]
fn what_is_removed_from_the_front_is_missed() {
    let (_storage, log) = written(20);
    fs::remove_file(&files(&log)[0]).expect("removes");
    assert_eq!(verified(&log, &[]).wrong.map(|wrong| wrong.wrong), Some(Wrong::BeginsLate));
}

#[test]
fn an_export_is_verified_from_wherever_it_begins() {
    let (_storage, log) = written(20);
    let all: Vec<u8> = files(&log).iter().flat_map(|file| fs::read(file).expect("reads")).collect();
    let from = all.iter().position(|&byte| byte == b'\n').expect("a line") + 1;
    let report = verify_text("export.jsonl", &all[from..], &[]);
    assert_eq!((report.first, report.lines, report.wrong), (2, 19, None));
}

/// Not a test of its own: the process that the next one kills.
#[test]
fn child_that_appends() {
    if let Ok(storage) = std::env::var("AUDIT_CHILD") {
        let log = open(Path::new(&storage));
        for number in 0.. {
            let _ = log.append(entry(number));
        }
    }
}

#[test]
fn a_kill_at_any_append_leaves_a_chain() {
    let storage = tempfile::tempdir().expect("a folder");
    let name = concat!(module_path!(), "::child_that_appends");
    let name = name.split_once("::").expect("within a crate").1;
    let mut last = 0;
    for round in 0..8_u64 {
        let mut child = Command::new(std::env::current_exe().expect("known"))
            .args([name, "--exact", "--nocapture"])
            .env("AUDIT_CHILD", storage.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("starts");
        let log = open(storage.path());
        // Some further lines each time, so that the kill falls wherever it falls.
        while verified(&log, &[]).lines <= last + 3 + round {
            assert!(child.try_wait().expect("known").is_none(), "the child ended by itself");
            std::thread::yield_now();
        }
        child.kill().expect("killed");
        child.wait().expect("reaped");
        log.append(entry(round)).expect("goes on");
        let report = verified(&log, &[]);
        assert_eq!(report.wrong, None, "round {round}");
        last = report.last.number;
    }
}

/// A log of three files, as bytes.
fn three_files() -> Vec<(String, Vec<u8>)> {
    let (_storage, log) = written(12);
    let name = |path: &PathBuf| path.file_name().expect("named").to_string_lossy().into_owned();
    files(&log).iter().map(|path| (name(path), fs::read(path).expect("reads"))).collect()
}

fn laid_out(content: &[(String, Vec<u8>)]) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    content.iter().for_each(|(name, bytes)| fs::write(folder.path().join(name), bytes).expect("writes"));
    verify(folder.path(), &[]).expect("reads")
}

fn number_at(content: &[(String, Vec<u8>)], file: usize, at: usize) -> u64 {
    let before: usize = content[..file].iter().map(|(_, bytes)| bytes.split(|&b| b == b'\n').count() - 1).sum();
    (before + content[file].1[..at].iter().filter(|&&byte| byte == b'\n').count() + 1) as u64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_single_byte_changed_in_any_line_is_found(
        file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), by in 1_u8..,
    ) {
        let mut content = three_files();
        let file = file.index(content.len());
        let at = at.index(content[file].1.len());
        let number = number_at(&content, file, at);
        content[file].1[at] = content[file].1[at].wrapping_add(by);
        let wrong = laid_out(&content).wrong.expect("found");
        prop_assert_eq!(wrong.number, number, "{:?}", wrong);
    }

    #[test]
    fn lines_removed_doubled_or_put_in_another_order_are_found(
        at in 0_usize..11, other in 0_usize..12, how in 0..3,
    ) {
        let content = three_files();
        let all: Vec<u8> = content.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let mut lines: Vec<&[u8]> = all.split_inclusive(|&byte| byte == b'\n').collect();
        match how {
            0 => drop(lines.remove(at)),
            1 => lines.insert(other, lines[at]),
            _ if at == other => return Ok(()),
            _ => lines.swap(at, other),
        }
        let report = laid_out(&[(content[0].0.clone(), lines.concat())]);
        prop_assert!(report.wrong.is_some(), "{:?}", report);
    }
}

/// A line by hand.
pub(super) fn sample(name: &str) -> Kept {
    use crate::publish::wire::{TimeQuality, UtcMillis};
    let line = AuditLine {
        number: 7,
        time: UtcMillis::from_unix_millis(1_800_000_000_123),
        time_quality: TimeQuality { synced: true, max_error_ms: Some(3) },
        boot: uuid::Uuid::from_u128(1),
        session: uuid::Uuid::from_u128(2),
        site: "ql10-nut-01".into(),
        box_id: "box-a".into(),
        actor: Actor::person(name),
        source: Source::Mqtt,
        action: Action::Verdict,
        object: Some("incident/1".into()),
        outcome: Outcome::refused("quá hạn"),
        detail: serde_json::Map::new(),
        previous: LineHash::NONE,
        hash: LineHash::NONE,
    };
    let (bytes, hash) = line.seal();
    Kept { line: AuditLine { hash, ..line }, bytes }
}
