//! A TOML file read so that *every* error is found, not only the first.
//!
//! Serde stops at the first value it cannot take. Here that value is noted with its key and line, taken out of the
//! document, and reading starts again; what remains is read as if it had not been written. Raw types therefore have
//! only optional fields: a missing one is found when they are resolved.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::error::{ConfigError, ConfigErrors};

/// More errors than this in one file are not looked for.
const MAX_ERRORS: usize = 100;

/// A file's text and where its keys are.
#[derive(Debug)]
pub struct Document {
    file: PathBuf,
    text: String,
}

impl Document {
    /// Reads the file.
    pub fn read(file: &Path) -> Result<Self, ConfigErrors> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            let cure = match error.kind() {
                std::io::ErrorKind::NotFound => "give the path of an existing file",
                std::io::ErrorKind::InvalidData => "save the file as UTF-8",
                _ => "make the file readable for this user",
            };
            ConfigErrors::whole_file(file, format!("cannot be read: {error}"), cure)
        })?;
        Ok(Self { file: file.to_owned(), text })
    }

    /// Text that is not in a file of its own.
    #[must_use]
    pub fn from_text(file: &Path, text: &str) -> Self {
        Self { file: file.to_owned(), text: text.to_owned() }
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads what can be read and adds an error for each part that cannot; `None` only when nothing can.
    pub fn deserialize<T: DeserializeOwned>(&self, errors: &mut ConfigErrors) -> Option<T> {
        let (mut table, syntax) = DeTable::parse_recoverable(&self.text);
        if !syntax.is_empty() {
            for error in syntax {
                let line = error.span().map(|span| self.line_at(span.start));
                let what = format!("is not valid TOML: {}", error.message());
                let cure = "correct the line; text stands in double quotes, lists in square brackets".to_owned();
                errors.0.push(ConfigError { file: self.file.clone(), line, key: String::new(), what, cure });
            }
            return None;
        }
        for _ in 0..MAX_ERRORS {
            let error = match T::deserialize(Deserializer::from(table.clone())) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            let removed = error.span().and_then(|span| remove_at(table.get_mut(), &span, ""));
            let (what, cure) = explain(error.message());
            errors.0.push(ConfigError {
                file: self.file.clone(),
                line: error.span().map(|span| self.line_at(span.start)),
                key: removed.clone().unwrap_or_default(),
                what,
                cure,
            });
            removed?;
        }
        None
    }

    /// The line (from 1) where `key` (as in [`ConfigError::key`]) stands, or the nearest table around it.
    #[must_use]
    pub fn line_of(&self, key: &str) -> Option<usize> {
        let table = DeTable::parse(&self.text).ok()?;
        let mut place = None;
        let mut value: Option<&DeValue<'_>> = None;
        for step in key.split('.') {
            let (name, indices) = match step.split_once('[') {
                Some((name, rest)) => (name, rest),
                None => (step, ""),
            };
            let here = match value {
                None => table.get_ref(),
                Some(DeValue::Table(inner)) => inner,
                Some(_) => break,
            };
            let Some((found, inner)) = here.iter().find(|(known, _)| known.get_ref() == name) else { break };
            place = Some(found.span().start);
            value = Some(inner.get_ref());
            for index in indices.split('[').filter_map(|part| part.trim_end_matches(']').parse::<usize>().ok()) {
                let Some(element) = value.and_then(DeValue::as_array).and_then(|array| array.get(index)) else {
                    break;
                };
                place = Some(element.span().start);
                value = Some(element.get_ref());
            }
        }
        place.map(|offset| self.line_at(offset))
    }

    fn line_at(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// Takes out the innermost entry that covers `span`; returns its key.
fn remove_at(table: &mut DeTable<'_>, span: &Range<usize>, prefix: &str) -> Option<String> {
    let covers = |place: Range<usize>| place.start <= span.start && span.end <= place.end;
    let path = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    let names: Vec<String> = table.keys().map(|key| key.get_ref().to_string()).collect();
    for name in names {
        let (key_span, value) = {
            let (key, value) = table.iter_mut().find(|(key, _)| *key.get_ref() == *name)?;
            (key.span(), value)
        };
        let inside = match value.get_mut() {
            DeValue::Table(inner) => remove_at(inner, span, &path(&name)),
            DeValue::Array(array) => array
                .iter_mut()
                .enumerate()
                .find_map(|(index, element)| remove_in_element(element, span, &format!("{}[{index}]", path(&name)))),
            _ => None,
        };
        if inside.is_some() {
            return inside;
        }
        if covers(key_span) || covers(value.span()) {
            table.remove(name.as_str());
            return Some(path(&name));
        }
    }
    None
}

fn remove_in_element(element: &mut Spanned<DeValue<'_>>, span: &Range<usize>, prefix: &str) -> Option<String> {
    match element.get_mut() {
        DeValue::Table(table) => remove_at(table, span, prefix),
        _ => None,
    }
}

/// Turns serde's words into what is wrong and the cure.
fn explain(message: &str) -> (String, String) {
    let message = message.trim();
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (name, expected) = rest.split_once('`').unwrap_or((rest, ""));
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let cure = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "remove it".to_owned(),
            None => format!("remove it; known here: {}", known.join(", ")),
        };
        return ("is not a known key".to_owned(), cure);
    }
    match message.split_once(" → ") {
        Some((what, cure)) => (what.to_owned(), cure.to_owned()),
        None => (message.to_owned(), "write a value of the expected kind".to_owned()),
    }
}

/// The most alike of `known`, when it is alike enough to be a slip.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, in bytes.
fn edit_distance(a: &str, b: &str) -> usize {
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
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Outer {
        name: Option<String>,
        rate: Option<u32>,
        item: Vec<Inner>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        size: Option<u32>,
        points: Option<Vec<[f64; 2]>>,
    }

    fn read(text: &str) -> (Option<Outer>, Vec<(Option<usize>, String)>) {
        let mut errors = ConfigErrors::default();
        let value = Document::from_text(Path::new("t.toml"), text).deserialize(&mut errors);
        (value, errors.0.into_iter().map(|error| (error.line, error.key)).collect())
    }

    #[test]
    fn every_bad_value_is_found_and_the_rest_is_read() {
        let text = "nam = 1\nrate = \"x\"\n\n[[item]]\nsize = 3\n[[item]]\nsize = -1\ncolour = 2\npoints = [[1.0, 2.0], [\"a\", 1.0]]\n";
        let (value, mut errors) = read(text);
        errors.sort();
        assert_eq!(
            errors,
            [
                (Some(1), "nam".to_owned()),
                (Some(2), "rate".to_owned()),
                (Some(7), "item[1].size".to_owned()),
                (Some(8), "item[1].colour".to_owned()),
                (Some(9), "item[1].points".to_owned()),
            ]
        );
        let value = value.expect("the rest is read");
        assert_eq!(value.item[0].size, Some(3));
        assert_eq!(value.item[1], Inner::default());
    }

    #[test]
    fn broken_syntax_names_its_line() {
        let (value, errors) = read("name = \"a\"\nrate = = 3\n");
        assert_eq!(value, None);
        assert_eq!(errors[0].0, Some(2));
    }

    #[test]
    fn an_unknown_key_gets_its_likely_meaning() {
        assert_eq!(explain("unknown field `nam`, expected one of `name`, `rate`, `item`").1, "did you mean `name`?");
        assert_eq!(explain("unknown field `nam`, expected `name` or `rate`").1, "did you mean `name`?");
    }

    #[test]
    fn lines_are_found_by_key() {
        let text = "name = \"a\"\n[[item]]\nsize = 3\n[[item]]\nsize = 4\n";
        let document = Document::from_text(Path::new("t.toml"), text);
        assert_eq!(document.line_of("item[1].size"), Some(5));
        assert_eq!(document.line_of("item[1].points"), Some(4));
        assert_eq!(document.line_of("name"), Some(1));
    }
}
