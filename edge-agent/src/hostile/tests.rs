//! The kept corpus through every door, as it is and changed.

use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

/// What each door is tried with at most: larger than anything honest that comes through most of them.
const LARGE: usize = 64 * 1024;

fn corpus(door: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(door);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut kept: Vec<_> = files.map(|file| file.expect("lists").path()).collect();
    kept.sort();
    let name = |path: &PathBuf| path.file_name().expect("a file").to_string_lossy().into_owned();
    kept.iter().map(|path| (name(path), std::fs::read(path).expect("reads"))).collect()
}

/// Every kept entry with its door.
static KEPT: LazyLock<Vec<(Door, Vec<u8>)>> = LazyLock::new(|| {
    let of =
        |(name, door): &(&str, Door)| -> Vec<_> { corpus(name).into_iter().map(|(_, bytes)| (*door, bytes)).collect() };
    DOORS.iter().flat_map(of).collect()
});

#[test]
fn every_door_has_a_corpus_and_takes_it() {
    for (name, door) in DOORS {
        let kept = corpus(name);
        assert!(kept.len() >= 3, "{name}");
        for (file, bytes) in kept {
            assert!(bytes.len() <= 16 * 1024, "{name}/{file}: keep entries small");
            let taken = std::panic::catch_unwind(|| door(&bytes));
            assert!(taken.is_ok(), "{name}/{file}");
        }
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for folder in std::fs::read_dir(folder).expect("lists") {
        let name = folder.expect("lists").file_name().into_string().expect("text");
        assert!(door(&name).is_some() || name == "README.md", "{name}: a corpus of no door");
    }
}

/// What is much too deep, too long or too often the same thing.
fn excesses() -> impl Iterator<Item = Vec<u8>> {
    let pieces: [&str; 14] = [
        "[",
        "{",
        "{\"a\":",
        "[[camera]]\n",
        "a.",
        "a = ",
        "\"",
        "\\",
        "\u{301}",
        "1",
        "1,1,1,1,1,1,1\n",
        "\0\0\u{1}",
        "\0",
        "- ",
    ];
    let repeated = pieces.into_iter().map(|piece| piece.repeat(LARGE / piece.len()).into_bytes());
    let within = [("{\"id\":\"", "x", "\"}"), ("id = \"", "á", "\""), ("[", "0,", "0]"), ("a=[", "[", "")];
    let wrapped = within
        .into_iter()
        .map(|(head, piece, tail)| [head, &piece.repeat(LARGE / piece.len()), tail].concat().into_bytes());
    repeated.chain(wrapped).chain([vec![0xff; LARGE]])
}

#[test]
fn what_is_too_deep_or_too_long_is_answered_too() {
    for (name, door) in DOORS {
        for bytes in excesses() {
            let begins = String::from_utf8_lossy(&bytes[..12]).into_owned();
            let taken = std::panic::catch_unwind(|| door(&bytes));
            assert!(taken.is_ok(), "{name}: {begins:?} and so on");
        }
    }
}

#[test]
fn every_entry_is_answered_wherever_it_is_cut_off_and_whatever_byte_is_another() {
    for (door, bytes) in KEPT.iter().filter(|(_, bytes)| bytes.len() <= 1024) {
        // Not at every byte: reading a site costs a millisecond.
        for at in (0..bytes.len()).step_by(bytes.len().div_ceil(24).max(1)) {
            door(&bytes[..at]);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            door(&flipped);
        }
    }
}

/// One way to spoil an entry.
#[derive(Debug, Clone)]
enum Change {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    /// A stretch comes once more: keys, lines, units and brackets that are there twice.
    Again(prop::sample::Index, usize, usize),
    Without(prop::sample::Index, usize),
    /// What stands there is a number no longer, or one that nothing holds.
    Number(prop::sample::Index, &'static str),
    /// The rest is another entry's.
    Splice(prop::sample::Index, prop::sample::Index, prop::sample::Index),
    Put(prop::sample::Index, &'static [u8]),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    let numbers = prop::sample::select(vec![
        "-1",
        "0",
        "-0.0",
        "1e400",
        "1e-400",
        "NaN",
        "-inf",
        "18446744073709551616",
        "9223372036854775808",
        "4294967295",
        "00",
        "0x1f",
        "1_000",
        "1.7976931348623157e308",
        "5e-324",
        "",
    ]);
    let pieces = prop::sample::select(vec![
        &b"\0"[..],
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\x1b[2J",
        b"\r\n",
        b"\n\n",
        b"{}",
        b"[]",
        b"null",
        b"true",
        b"\"\"",
        b"\\u0000",
        b"\\ud800",
        b"'''",
        b"\0\0\x01",
        b"\0\0\0\x01\x65",
        b"=",
        b"#",
        b",",
        b":",
        b"\xe2\x80\xae",
    ]);
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, with)| Change::Flip(at, with)),
        at().prop_map(Change::Cut),
        (at(), 1..200_usize, 1..40_usize).prop_map(|(at, length, times)| Change::Again(at, length, times)),
        (at(), 1..60_usize).prop_map(|(at, length)| Change::Without(at, length)),
        (at(), numbers).prop_map(|(at, number)| Change::Number(at, number)),
        (at(), at(), at()).prop_map(|(at, entry, from)| Change::Splice(at, entry, from)),
        (at(), pieces).prop_map(|(at, piece)| Change::Put(at, piece)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: &prop::sample::Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match self {
            Self::Flip(at, with) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= with;
            }
            Self::Flip(..) => {}
            Self::Cut(at) => bytes.truncate(place(at, bytes)),
            Self::Again(at, length, times) => {
                let from = place(at, bytes);
                let piece = bytes[from..(from + length).min(bytes.len())].repeat(*times);
                bytes.splice(from..from, piece);
            }
            Self::Without(at, length) => {
                let from = place(at, bytes);
                bytes.drain(from..(from + length).min(bytes.len()));
            }
            Self::Number(at, number) => {
                let from = place(at, bytes);
                let Some(first) = bytes[from..].iter().position(u8::is_ascii_digit).map(|first| from + first) else {
                    return;
                };
                let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
                let length = bytes[first..].iter().take_while(|byte| is_part(byte)).count();
                bytes.splice(first..first + length, number.bytes());
            }
            Self::Splice(at, entry, from) => {
                let (_, other) = entry.get(&KEPT);
                let from = place(from, other);
                bytes.truncate(place(at, bytes));
                bytes.extend_from_slice(&other[from..]);
            }
            Self::Put(at, piece) => {
                let at = place(at, bytes);
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn every_entry_is_answered_however_it_is_changed(
        entry in any::<prop::sample::Index>(), changes in prop::collection::vec(change(), 1..6)
    ) {
        let (door, mut bytes) = entry.get(&KEPT).clone();
        for change in &changes {
            change.apply(&mut bytes);
            bytes.truncate(LARGE);
        }
        door(&bytes);
    }
}
