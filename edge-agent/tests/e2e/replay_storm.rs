//! A clip in which far more is found than an operator is told one by one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use edge_agent::publish::wire::{Incident, Sequence, System};
use serde_json::Value;

use crate::agent::finished;
use crate::clip::piece;
use crate::common::contract;
use crate::site::one_camera;

/// Lines side by side, each with a rule of its own.
const LINES: usize = 40;

#[test]
fn what_a_storm_withheld_is_printed_among_the_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = piece(folder.path(), 250);
    let mut rules = String::new();
    for line in 0..LINES {
        let x = 0.3 + 0.01 * line as f64;
        write!(
            rules,
            "[camera.line.l-{line}]\npoints = [[{x:.3}, 1.0], [{x:.3}, 0.0]]\n\n\
             [[camera.rule]]\nid = \"r-{line}\"\nkind = \"line-crossing\"\nline = \"l-{line}\"\n\n"
        )
        .expect("a String");
    }
    let measure = "[camera.measure]\nenabled = false\n";
    let site = one_camera().replaced(measure, &format!("{measure}\n{rules}"));
    let path = site.write();
    let replayed =
        || finished(["replay".as_ref(), clip.as_os_str(), "--site".as_ref(), path.as_os_str()]).succeeded().stdout;
    let lines = replayed();
    assert!(lines == replayed(), "the same bytes every time");

    let (mut told, mut suppressed, mut withheld) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (line, number) in lines.lines().zip(1..) {
        let message: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(message["sequence"], Value::String(Sequence(number).to_string()), "{line}");
        if message["type"] == "vn.ngatu.system.incidents_withheld.v1" {
            contract::validate("ngatu/v1/nut-thu/box-a/system", line.as_bytes());
            let system: System = serde_json::from_value(message).expect("its type");
            let data = system.data.withheld.expect("says what");
            assert!(data.camera == "a" && data.count > 0, "{data:?}");
            *withheld.entry(data.rule).or_insert(0) += data.count;
        } else {
            let event: Incident = serde_json::from_value(message).expect("its type");
            let rule = event.data.why.rule.to_string();
            *told.entry(rule.clone()).or_insert(0) += u32::from(event.data.line.is_some());
            *suppressed.entry(rule).or_insert(0) += event.data.suppressed;
        }
    }
    assert!(!withheld.is_empty(), "{told:?}");
    // People cross all of them: with what was not told one by one, none has much less than its neighbour.
    let of = |rule: &String| [&told, &suppressed, &withheld].map(|by| by.get(rule).copied().unwrap_or(0));
    let all: Vec<u32> = (0..LINES).map(|line| of(&format!("r-{line}")).into_iter().sum()).collect();
    assert!(all.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 3 && pair[0] > 0), "{all:?}");
}
