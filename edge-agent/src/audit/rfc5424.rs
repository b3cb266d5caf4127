//! A line as a syslog message (RFC 5424), and framed for TLS (RFC 5425).
//!
//! The message part is the line's own bytes after a byte order mark (section 6.4), so that whoever collects messages can
//! verify the chain; structured data repeats what is searched for. The private enterprise number in `ngatu@32473` is the one
//! that RFC 5612 keeps for documentation: this project has none of its own.

use super::read::Kept;
use crate::publish::wire::{Actor, AuditLine, Outcome, Source};

/// "log audit" of section 6.2.1.
const FACILITY: u8 = 13;
const BOM: &str = "\u{feff}";
/// Section 7.3.1: numbers begin again after this.
const MOST_SEQUENCE: u64 = 2_147_483_647;

/// The message.
#[must_use]
pub fn message(kept: &Kept) -> Vec<u8> {
    let line = &kept.line;
    let severity = match line.outcome {
        Outcome::Done => 6,
        Outcome::Refused { .. } => 4,
        Outcome::Failed { .. } => 3,
    };
    let header = format!(
        "<{}>1 {} {}.{} edge-agent {} {} ",
        FACILITY * 8 + severity,
        line.time,
        line.box_id,
        line.site,
        line.session,
        line.action.label()
    );
    let mut message = header.into_bytes();
    message.extend_from_slice(structured(line).as_bytes());
    message.push(b' ');
    message.extend_from_slice(BOM.as_bytes());
    message.extend_from_slice(&kept.bytes);
    message
}

/// The message with its length before it (RFC 5425, section 4.3).
#[must_use]
pub fn framed(kept: &Kept) -> Vec<u8> {
    let message = message(kept);
    [format!("{} ", message.len()).into_bytes(), message].concat()
}

fn structured(line: &AuditLine) -> String {
    let quality = line.time_quality;
    let mut text = format!("[timeQuality tzKnown=\"1\" isSynced=\"{}\"", u8::from(quality.synced));
    if let Some(error) = quality.max_error_ms.filter(|_| quality.synced) {
        param(&mut text, "syncAccuracy", &(u64::from(error) * 1000).to_string());
    }
    text.push_str("][meta");
    param(&mut text, "sequenceId", &((line.number - 1) % MOST_SEQUENCE + 1).to_string());
    text.push_str("][ngatu@32473");
    param(&mut text, "number", &line.number.to_string());
    let (kind, name) = match &line.actor {
        Actor::System => ("system", None),
        Actor::Person { name } => ("person", Some(name)),
        Actor::Account { name } => ("account", Some(name)),
    };
    param(&mut text, "actor", kind);
    if let Some(name) = name {
        param(&mut text, "name", name);
    }
    match &line.source {
        Source::System => param(&mut text, "source", "system"),
        Source::Mqtt => param(&mut text, "source", "mqtt"),
        Source::Page { address } => {
            param(&mut text, "source", "page");
            param(&mut text, "address", address);
        }
        Source::CommandLine { uid } => {
            param(&mut text, "source", "command_line");
            param(&mut text, "uid", &uid.to_string());
        }
    }
    if let Some(object) = &line.object {
        param(&mut text, "object", object);
    }
    let outcome = match &line.outcome {
        Outcome::Done => "done",
        Outcome::Refused { .. } => "refused",
        Outcome::Failed { .. } => "failed",
    };
    param(&mut text, "outcome", outcome);
    param(&mut text, "hash", &line.hash.to_string());
    text.push(']');
    text
}

/// `"`, `\` and `]` are escaped (section 6.3.3); what controls a terminal is left out, the message has it.
fn param(text: &mut String, name: &str, value: &str) {
    text.push_str(&format!(" {name}=\""));
    for letter in value.chars().filter(|letter| !letter.is_control()) {
        if matches!(letter, '"' | '\\' | ']') {
            text.push('\\');
        }
        text.push(letter);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn a_message_has_the_parts_of_the_standard() {
        let kept = sample("Trực ban \"A\" ]\\\n");
        let text = String::from_utf8(message(&kept)).expect("UTF-8");
        let session = kept.line.session;
        let start = format!("<108>1 2027-01-15T08:00:00.123Z box-a.ql10-nut-01 edge-agent {session} verdict [");
        assert!(text.starts_with(&start), "{text}");
        assert!(text.contains("[timeQuality tzKnown=\"1\" isSynced=\"1\" syncAccuracy=\"3000\"]"), "{text}");
        assert!(text.contains(r#" name="Trực ban \"A\" \]\\" "#), "{text}");
        let (_, message) = text.split_once("] \u{feff}").expect("a byte order mark before the message");
        assert_eq!(AuditLine::proved(message.as_bytes()), Some(kept.line.clone()));
        let framed = String::from_utf8(framed(&kept)).expect("UTF-8");
        let (length, rest) = framed.split_once(' ').expect("a length");
        assert_eq!((length.parse(), rest), (Ok(text.len()), text.as_str()));
    }
}
