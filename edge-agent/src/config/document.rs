//! A TOML file read so that *every* error is found, not only the first.
//!
//! Serde stops at the first value it cannot take. Here that value is noted with its key and line, taken out of the
//! document, and reading starts again; what remains is read as if it had not been written. Raw types therefore have
//! only optional fields: a missing one is found when they are resolved.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::error::{ConfigError, ConfigErrors};
use super::explain::{explain, explain_syntax, spreads};

/// More errors than this in one file are not looked for: nobody reads them, and finding the line of each costs a look at the
/// whole file.
pub(super) const MAX_ERRORS: usize = 100;

/// Larger files, in bytes, are not read: it is a clip or a log whose path was given by mistake.
const LARGEST: u64 = 1 << 20;

/// A file's text and where its keys are.
#[derive(Debug)]
pub struct Document {
    file: PathBuf,
    text: String,
}

impl Document {
    /// Reads the file.
    ///
    /// # Errors
    /// One, when it is no text file of a size that people write.
    pub fn read(file: &Path) -> Result<Self, ConfigErrors> {
        let wrong = |what: String, cure: &str| ConfigErrors::whole_file(file, what, cure);
        let unreadable = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => wrong("is not there".to_owned(), "give the path of an existing file"),
            _ => wrong(format!("cannot be read: {error}"), "make the file readable for this user"),
        };
        let metadata = std::fs::metadata(file).map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(wrong("is a folder".to_owned(), "give the path of a file"));
        }
        if !metadata.is_file() {
            return Err(wrong("is not a file".to_owned(), "give the path of a file"));
        }
        if metadata.len() > LARGEST {
            let what = format!("has {} bytes: nobody wrote that by hand", metadata.len());
            return Err(wrong(what, "give the path of a TOML file, of at most 1 MiB"));
        }
        let text = String::from_utf8(std::fs::read(file).map_err(unreadable)?).map_err(|error| {
            let read = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let mut errors = wrong("is not UTF-8 text".to_owned(), "save the file as UTF-8");
            errors.0[0].line = Some(lines(read));
            errors
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
        if self.text.trim().is_empty() {
            errors.0.extend(ConfigErrors::whole_file(&self.file, "is empty", "copy an example and edit it").0);
            return None;
        }
        let (mut table, syntax) = DeTable::parse_recoverable(&self.text);
        if !syntax.is_empty() {
            self.report_syntax(syntax, errors);
            return None;
        }
        for _ in 0..MAX_ERRORS {
            let error = match T::deserialize(Deserializer::from(table.clone())) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            let mut path = error.span().map(|span| steps_to(table.get_ref(), &span)).unwrap_or_default();
            if let Some(field) = quoted_after(error.message(), "missing field ") {
                path.push(Step::Name(field.to_owned()));
                self.report_missing_field(&path, errors);
                return None;
            }
            // Within an enum that is told apart by a key of its own, serde knows the place of the whole only.
            if let Some(field) = quoted_after(error.message(), "unknown field ") {
                let step = Step::Name(field.to_owned());
                // The span of a section covers the keys of its header.
                let known = path.iter().rposition(|known| *known == step);
                path.truncate(known.unwrap_or(path.len()));
                path.push(step);
            }
            let removed = remove(table.get_mut(), &path);
            let (what, cure) = explain(error.message());
            let key = written(&path);
            let line = self.line_of(&key).or_else(|| error.span().map(|span| self.line_at(span.start)));
            errors.0.push(ConfigError { file: self.file.clone(), line, key, what, cure });
            if !removed {
                return None;
            }
        }
        None
    }

    /// For types whose keys are not all optional; nothing can be read without it.
    fn report_missing_field(&self, path: &[Step], errors: &mut ConfigErrors) {
        let key = written(path);
        let known = |error: &ConfigError| error.what == "is missing" || error.key == key;
        if !errors.0.iter().any(known) {
            let (file, line, what) = (self.file.clone(), self.line_of(&key), "is missing".to_owned());
            let cure = "write it; the schema says what it is".to_owned();
            errors.0.push(ConfigError { file, line, key, what, cure });
        }
    }

    /// What the parser stumbles over again because of one slip is said once.
    fn report_syntax(&self, mut syntax: Vec<toml::de::Error>, errors: &mut ConfigErrors) {
        syntax.sort_by_key(|error| error.span().map(|span| span.start));
        let mut before: Option<(usize, &str)> = None;
        for error in &syntax {
            let (line, message) = (error.span().map_or(1, |span| self.line_at(span.start)), error.message());
            let is_echo = |(last, said)| line == last || (line == last + 1 && message == said);
            if !before.is_some_and(is_echo) {
                let (what, cure) = explain_syntax(message);
                let file = self.file.clone();
                errors.0.push(ConfigError { file, line: Some(line), key: String::new(), what, cure });
            }
            if spreads(message) {
                return;
            }
            before = Some((line, message));
        }
    }

    /// The line (from 1) where `key` (as in [`ConfigError::key`]) stands, or the nearest table around it.
    #[must_use]
    pub fn line_of(&self, key: &str) -> Option<usize> {
        let table = DeTable::parse(&self.text).ok()?;
        let mut place = None;
        let mut value: Option<&DeValue<'_>> = None;
        for step in steps(key) {
            let here = match (value, &step) {
                (None, Step::Name(name)) => entry(table.get_ref(), name),
                (Some(DeValue::Table(inner)), Step::Name(name)) => entry(inner, name),
                (Some(DeValue::Array(array)), Step::Index(index)) => {
                    array.get(*index).map(|element| (element.span(), element.get_ref()))
                }
                _ => None,
            };
            let Some((span, inner)) = here else { break };
            (place, value) = (Some(span.start), Some(inner));
        }
        place.map(|offset| self.line_at(offset))
    }

    fn line_at(&self, offset: usize) -> usize {
        lines(&self.text.as_bytes()[..offset.min(self.text.len())])
    }
}

/// The number, from 1, of the line on which `text` ends.
fn lines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count() + 1
}

fn entry<'t, 'd>(table: &'t DeTable<'d>, name: &str) -> Option<(Range<usize>, &'t DeValue<'d>)> {
    table.iter().find(|(known, _)| known.get_ref() == name).map(|(known, inner)| (known.span(), inner.get_ref()))
}

/// A name as TOML writes it in a dotted key.
pub(super) fn bare_or_quoted(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(is_bare) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// One step of a key.
#[derive(Debug, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

/// The steps of a key such as `camera[0].zone."a.b".kind`.
fn steps(key: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = key.chars().peekable();
    while let Some(first) = rest.next() {
        match first {
            '.' => {}
            '[' => {
                let digits: String = rest.by_ref().take_while(|c| *c != ']').collect();
                steps.extend(digits.parse().ok().map(Step::Index));
            }
            '"' => {
                let mut name = String::new();
                while let Some(c) = rest.next().filter(|c| *c != '"') {
                    name.extend(if c == '\\' { rest.next() } else { Some(c) });
                }
                steps.push(Step::Name(name));
            }
            _ => {
                let mut name = String::from(first);
                while let Some(c) = rest.next_if(|c| !matches!(c, '.' | '[')) {
                    name.push(c);
                }
                steps.push(Step::Name(name));
            }
        }
    }
    steps
}

/// A key, from its steps.
fn written(path: &[Step]) -> String {
    let mut key = String::new();
    for step in path {
        match step {
            Step::Index(index) => key += &format!("[{index}]"),
            Step::Name(name) if key.is_empty() => key += &bare_or_quoted(name),
            Step::Name(name) => key += &format!(".{}", bare_or_quoted(name)),
        }
    }
    key
}

/// The name in backticks that follows `words` at the beginning of serde's message.
fn quoted_after<'m>(message: &'m str, words: &str) -> Option<&'m str> {
    message.strip_prefix(words)?.strip_prefix('`')?.split('`').next()
}

/// The way to the innermost entry that covers `span`; empty when there is none.
fn steps_to(table: &DeTable<'_>, span: &Range<usize>) -> Vec<Step> {
    let covers = |place: Range<usize>| place.start <= span.start && span.end <= place.end;
    for (key, value) in table {
        let inside = match value.get_ref() {
            DeValue::Table(inner) => steps_to(inner, span),
            DeValue::Array(array) => steps_to_element(array, span),
            _ => Vec::new(),
        };
        if !inside.is_empty() || covers(key.span()) || covers(value.span()) {
            return std::iter::once(Step::Name(key.get_ref().to_string())).chain(inside).collect();
        }
    }
    Vec::new()
}

/// Only within tables: an element that is a plain value is a part of its list.
fn steps_to_element(array: &DeArray<'_>, span: &Range<usize>) -> Vec<Step> {
    let tables = array.iter().enumerate().filter_map(|(index, value)| match value.get_ref() {
        DeValue::Table(table) => Some((index, table)),
        _ => None,
    });
    for (index, table) in tables {
        let inside = steps_to(table, span);
        if !inside.is_empty() {
            return std::iter::once(Step::Index(index)).chain(inside).collect();
        }
    }
    Vec::new()
}

/// Takes an entry out; false when there is none.
fn remove(table: &mut DeTable<'_>, path: &[Step]) -> bool {
    let (Some(Step::Name(last)), Some((Step::Name(first), rest))) = (path.last(), path.split_first()) else {
        return false;
    };
    if rest.is_empty() {
        return table.remove(last.as_str()).is_some();
    }
    let Some((_, value)) = table.iter_mut().find(|(key, _)| key.get_ref() == first) else { return false };
    match (value.get_mut(), rest.split_first()) {
        (DeValue::Table(inner), _) => remove(inner, rest),
        (DeValue::Array(array), Some((Step::Index(index), rest))) => {
            match array.get_mut(*index).map(Spanned::get_mut) {
                Some(DeValue::Table(inner)) => remove(inner, rest),
                _ => false,
            }
        }
        _ => false,
    }
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
    fn lines_are_found_by_key() {
        let text = "name = \"a\"\n[[item]]\nsize = 3\n[[item]]\nsize = 4\n";
        let document = Document::from_text(Path::new("t.toml"), text);
        assert_eq!(document.line_of("item[1].size"), Some(5));
        assert_eq!(document.line_of("item[1].points"), Some(4));
        assert_eq!(document.line_of("name"), Some(1));
    }

    #[test]
    fn keys_that_toml_quotes_are_found_too() {
        let text = "[zone]\n\"a.b\".kind = 1\n\"say \\\"hi\\\" \\\\\" = 2\n\"\" = 3\n";
        let document = Document::from_text(Path::new("t.toml"), text);
        for (line, name) in [(2, "a.b"), (3, "say \"hi\" \\"), (4, "")] {
            assert_eq!(document.line_of(&format!("zone.{}", bare_or_quoted(name))), Some(line), "{name}");
        }
    }
}
