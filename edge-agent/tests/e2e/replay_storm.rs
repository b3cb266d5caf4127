//! A clip in which far more is found than an operator is told one by one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use edge_agent::publish::wire::{Incident, MEASUREMENT_TYPE, Measurement, Sequence, System};
use serde_json::Value;

use crate::agent::finished;
use crate::clip::piece;
use crate::common::contract;
use crate::site::one_camera;

/// Lines side by side, each with a rule of its own, named like it.
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
             [[camera.rule]]\nid = \"l-{line}\"\nkind = \"line-crossing\"\nline = \"l-{line}\"\n\n"
        )
        .expect("a String");
    }
    let site = one_camera().replaced("[camera.measure]\nenabled = false\n", &rules);
    let path = site.write();
    let replayed =
        || finished(["replay".as_ref(), clip.as_os_str(), "--site".as_ref(), path.as_os_str()]).succeeded().stdout;
    let lines = replayed();
    assert!(lines == replayed(), "the same bytes every time");

    // By line: crossings that were measured, and those that were told: one by one, with others, by themselves.
    let (mut measured, mut told, mut withheld) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (line, number) in lines.lines().zip(1..) {
        let message: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(message["sequence"], Value::String(Sequence(number).to_string()), "{line}");
        if message["type"] == MEASUREMENT_TYPE {
            let measurement: Measurement = serde_json::from_value(message).expect("its type");
            for way in measurement.data.lines {
                *measured.entry(way.line).or_insert(0) += way.total;
            }
        } else if message["type"] == "vn.ngatu.system.incidents_withheld.v1" {
            contract::validate("ngatu/v1/nut-thu/box-a/system", line.as_bytes());
            let system: System = serde_json::from_value(message).expect("its type");
            let data = system.data.withheld.expect("says what");
            assert!(data.camera == "a" && data.count > 0, "{data:?}");
            *withheld.entry(data.rule).or_insert(0) += data.count;
        } else {
            let event: Incident = serde_json::from_value(message).expect("its type");
            if let Some(line) = event.data.line {
                *told.entry(line).or_insert(0) += 1 + event.data.suppressed;
            }
        }
    }
    assert!(withheld.values().sum::<u32>() > 0, "{told:?}");
    withheld.into_iter().for_each(|(line, count)| *told.entry(line).or_insert(0) += count);
    // Those that the site has besides are named otherwise.
    [&mut told, &mut measured].into_iter().for_each(|by| by.retain(|line, count| line.starts_with("l-") && *count > 0));
    assert_eq!(told, measured, "nothing is lost in silence");
}
