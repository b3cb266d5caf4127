//! What serde and toml say, in the words of one who writes the file: what is wrong, and the cure.
//!
//! Values are not echoed here, but for a word where one of a few is expected: a password may stand where it should not.

/// Turns serde's words into what is wrong and the cure.
pub(super) fn explain(message: &str) -> (String, String) {
    let message = message.trim();
    if let Some((what, cure)) = message.split_once(" → ") {
        return (what.to_owned(), cure.to_owned());
    }
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (name, known) = named(rest);
        let cure = match nearest(name, known.iter().copied()) {
            Some(near) => did_you_mean(near),
            None if known.is_empty() => "remove it".to_owned(),
            None => format!("remove it; known here: {}", known.join(", ")),
        };
        return ("is not a known key".to_owned(), cure);
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let (word, known) = named(rest);
        let cure = match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("choose one of: {}", known.join(", ")),
        };
        return (format!("\"{word}\" is none of its values"), cure);
    }
    if message == "wanted string or table" {
        return ("is not text".to_owned(), "write one of its values in double quotes".to_owned());
    }
    if message == "invalid type: map, expected a sequence" {
        let cure = "write two brackets, as in [[camera]]: there can be many";
        return ("is one section where a list of them belongs".to_owned(), cure.to_owned());
    }
    if let Some((found, expected)) = message.split_once(", expected ") {
        return (found_instead(found, expected), write_instead(expected));
    }
    (message.to_owned(), "write a value of the expected kind".to_owned())
}

/// The cure for a key with a slip.
pub(super) fn did_you_mean(key: &str) -> String {
    format!("did you mean {key}?")
}

/// A name that serde quotes, and those that it would have known.
fn named(rest: &str) -> (&str, Vec<&str>) {
    let (name, expected) = rest.split_once('`').unwrap_or((rest, ""));
    (name, expected.split('`').skip(1).step_by(2).collect())
}

/// What serde calls a whole number.
const NUMBERS: [&str; 5] = ["u8", "u16", "u32", "u64", "usize"];

/// What was found where something else belongs, by its kind alone.
fn found_instead(found: &str, expected: &str) -> String {
    let of_kind = |prefix: &str| found.strip_prefix(prefix);
    if let Some(length) = of_kind("invalid length ") {
        return format!("has {}", counted(length.parse().unwrap_or_default(), "number"));
    }
    let kind = of_kind("invalid type: ").or_else(|| of_kind("invalid value: ")).unwrap_or(found);
    match kind.split([' ', ':']).next().unwrap_or_default() {
        "string" => "is text".to_owned(),
        "integer" | "floating" if NUMBERS.contains(&expected) => "is a number that does not fit".to_owned(),
        "integer" | "floating" => "is a number".to_owned(),
        "boolean" => "is true or false".to_owned(),
        "sequence" => "is a list".to_owned(),
        "map" => "is a table, or a date without quotes".to_owned(),
        _ => "is of another kind".to_owned(),
    }
}

/// What belongs there.
fn write_instead(expected: &str) -> String {
    let cure = match expected {
        "a string" | "path string" => "write text in double quotes",
        "a boolean" => "write true or false, without quotes",
        "f32" | "f64" => "write a number, without quotes",
        whole if NUMBERS.contains(&whole) => "write a whole number, 0 or more, without quotes",
        "a sequence" => "write a list in square brackets",
        "a map" => "write sections such as [camera.zone.lan-1]",
        "one or a list" => "write one value, or a list of them in square brackets",
        "struct RawSecret" => "write { credential = \"…\" }, a reference: never the secret itself",
        "struct RawName" => "write { vi = \"…\", en = \"…\" }",
        "struct RawPosition" => "write { lon = …, lat = … } in degrees, WGS 84",
        "struct RawStream" => "write { url = \"rtsp://…\", credential = \"…\" }",
        "struct RawRetention" => "write { snapshots = \"30d\", clips = \"3d\" }",
        "struct RawWindow" => "write { days = \"weekdays\", hours = [\"22:00-06:00\"] }",
        _ => return other_instead(expected),
    };
    cure.to_owned()
}

fn other_instead(expected: &str) -> String {
    if let Some(length) = expected.strip_prefix("an array of length ") {
        return format!("write {length} numbers in square brackets");
    }
    if expected.starts_with("struct ") {
        return "write a table: a section of its own, or { key = value, … }".to_owned();
    }
    format!("write {expected}")
}

/// Turns the parser's words into what is wrong and the cure.
pub(super) fn explain_syntax(message: &str) -> (String, String) {
    const CURES: [(&str, &str); 9] = [
        ("duplicate key", "remove one of the two, or give the section a name of its own"),
        ("cannot extend", "remove the line that gives this key a plain value"),
        ("array", "close the list with ], and put a comma between its elements"),
        ("must be quoted", "write text in double quotes"),
        ("invalid float", "write text in double quotes, numbers with a point"),
        ("string", "close the text with the quote that opened it"),
        ("unclosed table", "close the section's name with ]"),
        ("with no value", "write key = value"),
        ("unquoted key", "write key = value, the key of a-z, 0-9, '-' and '_'"),
    ];
    let cure = CURES.iter().find(|(words, _)| message.contains(words)).map(|(_, cure)| *cure);
    let message = message.split(", expected").next().unwrap_or(message).trim();
    let message = if message == "invalid float" { "neither a number nor text in quotes" } else { message };
    (format!("is not valid TOML: {message}"), cure.unwrap_or("write key = value, one a line").to_owned())
}

/// Whether the parser misunderstands all that follows.
pub(super) fn spreads(message: &str) -> bool {
    message.contains("array") || message.contains("cannot extend")
}

/// `1 point`, `2 points`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// The most alike of `known`, when it is alike enough to be a slip.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3 && *distance < word.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, in bytes; of words too unlike in length to be slips, their difference in length.
fn edit_distance(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > b.len() {
        return a.len().abs_diff(b.len());
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_gets_its_likely_meaning() {
        assert_eq!(explain("unknown field `nam`, expected one of `name`, `rate`, `item`").1, "did you mean name?");
        assert_eq!(explain("unknown field `nam`, expected `name` or `rate`").1, "did you mean name?");
    }

    #[test]
    fn what_stands_in_the_wrong_place_is_not_shown() {
        let (what, cure) = explain("invalid type: string \"canary\", expected struct RawSecret");
        assert_eq!(what, "is text");
        assert!(cure.contains("never the secret itself"), "{cure}");
        assert!(!format!("{:?}", explain("invalid value: integer `4711`, expected u32")).contains("4711"));
    }
}
