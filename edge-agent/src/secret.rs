//! Secrets, and the redactor for texts that others wrote.
//!
//! # Invariants
//! - A [`Secret`] shows its content to [`Secret::expose`] alone: no `Display`, no `Serialize`, a `Debug` without content.
//!   Its memory is overwritten when it is dropped; the copy that a library takes (GStreamer, the MQTT client) is that
//!   library's.
//! - Every text that a library wrote (an error, a log line) goes through [`redact`] before it is logged, stored or sent.
//!   When in doubt [`redact`] takes out too much rather than too little.

use std::fmt;

use zeroize::Zeroizing;

/// What stands where a secret stood.
const MASK: &str = "***";

/// A password or a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the secret in.
    #[must_use]
    pub fn new(content: impl Into<String>) -> Self {
        Self(Zeroizing::new(content.into()))
    }

    /// The secret itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` [redacted](redact), and without this secret wherever else it stands.
    #[must_use]
    pub fn redact_from(&self, text: &str) -> String {
        let text = redact(text);
        if self.0.is_empty() { text } else { text.replace(self.0.as_str(), MASK) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Keys whose values are secrets, in the spellings libraries use (`user-pw=`, `"password": "…"`).
const KEYS: [&str; 8] = ["password", "passwd", "passphrase", "pass", "pwd", "pw", "secret", "token"];

/// Headers that carry a secret up to the end of their line.
const HEADERS: [&str; 2] = ["authorization", "cookie"];

/// What stands before and after a private key in PEM.
const PEM: (&str, &str) = ("PRIVATE KEY-----", "-----END");

/// Hexadecimal digits of the shortest answer to a Digest challenge (MD5): a password can be guessed from it.
const DIGEST: usize = 32;

/// `text` without the secrets that can be told by their surroundings: the user part of a URL, `Authorization` headers,
/// the values of password-like keys, answers to a Digest challenge, private keys.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if let Some((kept, skipped)) = secret_at(rest, clean.chars().next_back()) {
            clean.push_str(&rest[..kept]);
            clean.push_str(MASK);
            rest = &rest[kept + skipped..];
        } else {
            let next = rest.chars().next().map_or(0, char::len_utf8);
            clean.push_str(&rest[..next]);
            rest = &rest[next..];
        }
    }
    clean
}

/// The same on one line of at most so many characters: for words that repeat what others sent.
pub(crate) fn redacted_line(text: &str, most_chars: usize) -> String {
    redact(text).chars().map(|c| if c.is_control() { ' ' } else { c }).take(most_chars).collect()
}

/// A secret announced at the start of `text`: bytes of the announcement, then bytes of the secret.
fn secret_at(text: &str, previous: Option<char>) -> Option<(usize, usize)> {
    user_info(text)
        .or_else(|| private_key(text))
        .or_else(|| digest_response(text, previous))
        .or_else(|| HEADERS.iter().find_map(|header| header_value(text, header)))
        .or_else(|| KEYS.iter().find_map(|key| key_value(text, key, previous)))
}

/// `://user:password@`; a password may itself hold `/`, `?` and `@`, so the last `@` of the word ends it.
fn user_info(text: &str) -> Option<(usize, usize)> {
    let after = text.strip_prefix("://")?;
    let word = &after[..after.find(|c: char| c.is_whitespace() || "\"'<>".contains(c)).unwrap_or(after.len())];
    let end = word.rfind('@')?;
    (&word[..end] != MASK).then_some((3, end))
}

/// What stands between the lines of a PEM private key, whole or cut off.
fn private_key(text: &str) -> Option<(usize, usize)> {
    let key = text.strip_prefix(PEM.0)?;
    let end = key.find(PEM.1).unwrap_or(key.len());
    (!key[..end].is_empty() && &key[..end] != MASK).then_some((PEM.0.len(), end))
}

/// `response="0123…"` of RFC 7616, and not any other response.
fn digest_response(text: &str, previous: Option<char>) -> Option<(usize, usize)> {
    if previous.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let value = separator(strip_word(text, "response")?)?;
    let value = value.strip_prefix(['"', '\\']).unwrap_or(value).trim_start_matches('"');
    let end = value.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(value.len());
    (end >= DIGEST).then_some((text.len() - value.len(), end))
}

/// One line of JSON without the secrets in its texts, and still JSON: each text by itself, password-like keys with all
/// that they hold.
#[must_use]
pub fn redact_json(line: &str) -> String {
    if redact(line) == line {
        return line.to_owned();
    }
    match serde_json::from_str(line) {
        Ok(value) => redacted(value).to_string(),
        Err(_) => redact(line),
    }
}

fn redacted(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    let is_secret = |key: &str| {
        let key = key.to_ascii_lowercase();
        KEYS.iter().chain(&HEADERS).any(|known| key.ends_with(known))
    };
    match value {
        Value::String(text) => Value::String(redact(&text)),
        Value::Array(all) => all.into_iter().map(redacted).collect(),
        Value::Object(all) => all
            .into_iter()
            .map(|(key, value)| {
                let value = if is_secret(&key) && !value.is_null() { MASK.into() } else { redacted(value) };
                (key, value)
            })
            .collect(),
        other => other,
    }
}

fn header_value(text: &str, header: &str) -> Option<(usize, usize)> {
    let value = separator(strip_word(text, header)?)?;
    let end = value.find(['\r', '\n']).unwrap_or(value.len());
    (!value[..end].is_empty() && &value[..end] != MASK).then_some((text.len() - value.len(), end))
}

fn key_value(text: &str, key: &str, previous: Option<char>) -> Option<(usize, usize)> {
    if previous.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let mut value = separator(strip_word(text, key)?)?;
    // GStreamer writes a property's type before its value.
    if let Some(typed) = value.strip_prefix("(string)") {
        value = typed;
    }
    let end = match value.chars().next()? {
        quote @ ('"' | '\'') => {
            value = &value[1..];
            value.find(quote).unwrap_or(value.len())
        }
        _ => value.find(|c: char| c.is_whitespace() || "&,;".contains(c)).unwrap_or(value.len()),
    };
    (end > 0 && &value[..end] != MASK).then_some((text.len() - value.len(), end))
}

/// What follows `word`, compared without case.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.get(..word.len())?.eq_ignore_ascii_case(word).then(|| &text[word.len()..])
}

/// What follows `=` or `:`, with blanks and a closing quote around it (`"password": `).
fn separator(text: &str) -> Option<&str> {
    let text = text.strip_prefix(['"', '\'']).unwrap_or(text).trim_start_matches(' ');
    Some(text.strip_prefix(['=', ':'])?.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_leaks_are_closed() {
        // Shapes seen in other projects' issue trackers: stream URLs in errors, headers in debug logs, properties.
        for (leak, clean) in [
            ("Did you mean file:rtsp://admin:hunter2@10.0.0.2/sub", "Did you mean file:rtsp://***@10.0.0.2/sub"),
            ("rtsp://admin:hu/nt?er@2@cam:554/ch1 failed", "rtsp://***@cam:554/ch1 failed"),
            ("Authorization: Basic YWRtaW46aHVudGVyMg==\r\nCSeq: 3", "Authorization: ***\r\nCSeq: 3"),
            ("proxy-authorization=Digest username=\"a\"", "proxy-authorization=***"),
            (
                "rtspsrc user-id=admin user-pw=(string)hunter2; latency=200",
                "rtspsrc user-id=admin user-pw=(string)***; latency=200",
            ),
            (r#"{"password": "hunter 2", "user": "a"}"#, r#"{"password": "***", "user": "a"}"#),
            ("http://cam/cgi?user=a&pwd=hunter2&ch=1", "http://cam/cgi?user=a&pwd=***&ch=1"),
            (
                r#"Digest username="a", response="0123456789abcdef0123456789abcdef", qop=auth"#,
                r#"Digest username="a", response="***", qop=auth"#,
            ),
            ("Cookie: session=c4n4ry\nHost: a", "Cookie: ***\nHost: a"),
            (
                "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----",
                "-----BEGIN EC PRIVATE KEY-----***-----END EC PRIVATE KEY-----",
            ),
        ] {
            assert_eq!(redact(leak), clean);
        }
    }

    #[test]
    fn harmless_text_stays_as_it_is() {
        for text in [
            "Không tìm thấy camera",
            "rtsp://10.0.0.2:554/sub",
            "bypass = 3",
            "compass: north",
            "a@b.c",
            "",
            "response: 200 OK",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn json_stays_json_without_its_secrets() {
        let line = serde_json::json!({
            "message": "sent Authorization: Digest username=\"a\", nonce=\"b\"\r\nCSeq: 3",
            "url": "rtsp://u:c4n4ry@h/p",
            "password": "c4n4ry\"",
            "nested": [{ "user_pw": ["c4n4ry"], "kept": 7 }],
        })
        .to_string();
        let clean = redact_json(&line);
        assert!(!clean.contains("c4n4ry") && !clean.contains("nonce"), "{clean}");
        let clean: serde_json::Value = serde_json::from_str(&clean).expect("still JSON");
        assert_eq!((&clean["url"], &clean["nested"][0]["kept"]), (&"rtsp://***@h/p".into(), &7.into()));
        assert_eq!(redact_json(r#"{"message":"all is well"}"#), r#"{"message":"all is well"}"#);
    }

    /// Answers by which of two functions of a name there are: the inherent one needs the bound, the trait's needs none.
    struct Has<T>(std::marker::PhantomData<T>);
    trait Otherwise {
        const DISPLAY: bool = false;
        const SERIALIZE: bool = false;
    }
    impl<T> Otherwise for Has<T> {}
    impl<T: fmt::Display> Has<T> {
        const DISPLAY: bool = true;
    }
    struct HasSerialize<T>(std::marker::PhantomData<T>);
    impl<T> Otherwise for HasSerialize<T> {}
    impl<T: serde::Serialize> HasSerialize<T> {
        const SERIALIZE: bool = true;
    }

    #[test]
    fn a_secret_cannot_be_written_by_accident() {
        const { assert!(Has::<String>::DISPLAY && HasSerialize::<String>::SERIALIZE, "they can tell") };
        const { assert!(!Has::<Secret>::DISPLAY && !HasSerialize::<Secret>::SERIALIZE) };
        assert!(std::mem::needs_drop::<Zeroizing<String>>());
    }

    #[test]
    fn a_secret_shows_no_content() {
        let secret = Secret::new("c4n4ry");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.redact_from("log-in with c4n4ry refused"), "log-in with *** refused");
        assert_eq!(Secret::new("").redact_from("unchanged"), "unchanged");
    }

    proptest! {
        #[test]
        fn no_secret_outlives_redaction(
            secret in "[A-Za-z0-9!@#$%/:?*+.]{6,20}",
            before in "[ -~àđệ\n]{0,20}",
            shape in prop::sample::select(vec![
                "rtsp://u:{}@h/p", "Authorization: Basic {}\n", "password={} x", "PASSWORD: \"{}\"", "user-pw=(string){}",
            ]),
        ) {
            let text = format!("{before} {}", shape.replace("{}", &secret));
            prop_assert!(!redact(&text).contains(&secret), "{}", redact(&text));
        }

        #[test]
        fn redaction_is_idempotent(text in "(rtsp|://|@|password|=|:|Authorization| |\"|\n|[a-z]{1,4}|\\PC){0,12}") {
            let once = redact(&text);
            prop_assert_eq!(redact(&once), once);
        }
    }
}
