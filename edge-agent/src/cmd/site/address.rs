//! Addresses as people type them: judged, and never repeated where a password may be in them.

use url::Url;

/// A camera's, with or without a log-in.
pub(super) fn stream_url(text: &str) -> Result<Url, String> {
    url(text, &["rtsp"])
}

fn url(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let example = format!("write it like {}://192.0.2.11/…", schemes.join(":// or "));
    let url = Url::parse(text).map_err(|_| format!("that is no address: {example}"))?;
    if !schemes.contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
        return Err(example);
    }
    Ok(url)
}

/// Without a log-in. Never repeats what it refuses: a password may be in it.
pub(super) fn without_log_in(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let url = url(text, schemes)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "it holds a user or password, which every user of a machine can see in a command line: leave them \
                    out here; a camera's go into a file for --credential, the broker's are asked for"
                .to_owned(),
        );
    }
    Ok(url)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// As typed: `url` writes a slash behind a host alone, which is no part of an address of a broker.
pub(super) fn plain(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// `%40` of an address as the `@` that it stands for.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_decoded_as_cameras_meant_it() {
        assert_eq!(decoded("p%40ss%3a1"), "p@ss:1");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%c3%a9"), "é");
    }

    #[test]
    fn a_refused_address_does_not_repeat_its_password() {
        for text in ["rtsp://u:c4n4ry@h/1", "mqtt://c4n4ry@h", "c4n4ry", "http://c4n4ry"] {
            let reason = without_log_in(text, &["rtsp", "mqtt"]).expect_err("refused");
            assert!(!reason.contains("c4n4ry"), "{reason}");
        }
    }
}
