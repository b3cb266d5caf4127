//! Logging: fields first, to stderr, so that stdout stays for what a command prints.
//!
//! Levels: ERROR = data lost or a human is needed; WARN = recovered; INFO = rare and about the operator's action;
//! nothing per frame above TRACE. Every line goes through the redactor, whoever wrote it, and so does what a panic says.
//! `NGATU_LOG` takes `tracing` filters, such as `debug` or `edge_agent::source=debug`.

use std::io::{IsTerminal, Stderr, Write};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::secret::{redact, redact_json};

/// Replaces the filter of the installed subscriber.
type Replace = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// What it takes to log otherwise for a while.
struct Installed {
    /// The filter as it was asked for at the start.
    usual: String,
    replace: Replace,
}

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// Installs the subscriber; `json` for machines, text for people.
pub fn init(json: bool, default_filter: &str) {
    let asked = std::env::var("NGATU_LOG").ok().filter(|filter| EnvFilter::try_new(filter).is_ok());
    let usual = asked.unwrap_or_else(|| default_filter.to_owned());
    let filter = EnvFilter::new(&usual);
    let writer = move || Redacting { out: std::io::stderr(), json };
    let builder = tracing_subscriber::fmt().with_writer(writer);
    let replace: Replace = if json {
        let builder = builder.json().flatten_event(true).with_env_filter(filter).with_filter_reloading();
        let handle = builder.reload_handle();
        builder.init();
        Box::new(move |filter| drop(handle.reload(filter)))
    } else {
        let builder = builder.with_ansi(std::io::stderr().is_terminal()).with_target(false);
        let builder = builder.with_env_filter(filter).with_filter_reloading();
        let handle = builder.reload_handle();
        builder.init();
        Box::new(move |filter| drop(handle.reload(filter)))
    };
    let _ = INSTALLED.set(Installed { usual, replace });
}

/// Logs what `level` says, from this program alone, its libraries from warnings on; `None`: as at the start. Nothing, where
/// no subscriber was installed.
pub fn log_at(level: Option<&str>) {
    let Some(Installed { usual, replace }) = INSTALLED.get() else { return };
    replace(level.map_or_else(|| EnvFilter::new(usual), |level| EnvFilter::new(format!("warn,edge_agent={level}"))));
}

/// Makes panics say what they say without secrets: to the log where it is on, else to stderr.
pub fn redact_panics() {
    std::panic::set_hook(Box::new(|info| {
        let said = panic_words(info);
        if tracing::enabled!(tracing::Level::ERROR) {
            tracing::error!("{said}");
        } else {
            eprintln!("{said}");
        }
    }));
}

fn panic_words(info: &PanicHookInfo<'_>) -> String {
    let said = redact(info.payload_as_str().unwrap_or("without words"));
    let thread = std::thread::current();
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    format!("thread {:?} panicked at {place}: {said}", thread.name().unwrap_or("without name"))
}

/// Stderr, line by line without secrets. A formatter gives each line in one piece.
struct Redacting {
    out: Stderr,
    json: bool,
}

impl Write for Redacting {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let clean = if self.json {
            let (text, end) = text.strip_suffix('\n').map_or((&*text, ""), |text| (text, "\n"));
            redact_json(text) + end
        } else {
            redact(&text)
        };
        self.out.write_all(clean.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_panic_says_where_and_why_and_no_secret() {
        let heard = Arc::new(Mutex::new(String::new()));
        let hears = Arc::clone(&heard);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let said = panic_words(info);
            // Other tests panic too.
            if said.contains("cam/1") {
                *hears.lock().unwrap() = said;
            }
        }));
        let panicked = std::panic::catch_unwind(|| panic!("no stream at rtsp://admin:c4n4ry@cam/1, password=c4n4ry"));
        std::panic::set_hook(before);
        assert!(panicked.is_err());
        let said = heard.lock().unwrap().clone();
        assert!(said.contains("telemetry.rs:") && said.ends_with("rtsp://***@cam/1, password=***"), "{said}");
    }
}
