//! Logging: fields first, to stderr, so that stdout stays for what a command prints.
//!
//! Levels: ERROR = data lost or a human is needed; WARN = recovered; INFO = rare and about the operator's action;
//! nothing per frame above TRACE. Every line goes through the redactor, whoever wrote it, and so does what a panic says.
//! A storm of lines is [bounded](bound), and how many were left out is said.
//! `NGATU_LOG` takes `tracing` filters, such as `debug` or `edge_agent::source=debug`; below INFO nothing is left out of what
//! it asks for.

mod bound;

use std::io::{IsTerminal, Stderr, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use tracing::callsite::Identifier;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use self::bound::{Bound, Suppressed};
use crate::publish::wire::UtcMillis;
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

/// What the MQTT client says of answers that the program judges itself, at every connection: refusals, and that there is nothing to
/// unsubscribe from.
const OF_MQTT: &str = "rumqttc::state=error";

/// Installs the subscriber; `json` for machines, text for people.
pub fn init(json: bool, default_filter: &str) {
    let asked = std::env::var("NGATU_LOG").ok().filter(|filter| EnvFilter::try_new(filter).is_ok());
    HAS_ASKED.store(asked.is_some(), Ordering::Relaxed);
    let usual = asked.unwrap_or_else(|| format!("{default_filter},{OF_MQTT}"));
    let filter = EnvFilter::new(&usual);
    let writer = Output { json };
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
    replace(
        level.map_or_else(
            || EnvFilter::new(usual),
            |level| EnvFilter::new(format!("warn,{OF_MQTT},edge_agent={level}")),
        ),
    );
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

/// By place in the program; what comes through the crate `log` has one a level.
static BOUND: OnceLock<Mutex<Bound<Identifier>>> = OnceLock::new();

/// Whether somebody at the machine asked for lines by name: below INFO they then get every one.
static HAS_ASKED: AtomicBool = AtomicBool::new(false);

/// Lines that were too many of their kind, and not written, since start.
#[must_use]
pub fn lines_suppressed() -> u64 {
    BOUND.get().map_or(0, |bound| bound.lock().unwrap_or_else(PoisonError::into_inner).total())
}

/// Where lines go, one after the other.
struct Output {
    json: bool,
}

impl MakeWriter<'_> for Output {
    type Writer = Redacting;

    fn make_writer(&self) -> Redacting {
        Redacting { out: std::io::stderr(), json: self.json, is_written: true }
    }

    fn make_writer_for(&self, metadata: &Metadata<'_>) -> Redacting {
        if *metadata.level() > Level::INFO && HAS_ASKED.load(Ordering::Relaxed) {
            return self.make_writer();
        }
        let bound = BOUND.get_or_init(Mutex::default);
        let admitted = bound.lock().unwrap_or_else(PoisonError::into_inner).admit(&metadata.callsite(), Instant::now());
        let mut writer = Redacting { is_written: admitted.is_some(), ..self.make_writer() };
        for suppressed in admitted.unwrap_or_default() {
            // Whoever reads stderr is gone, or not: the line itself will tell.
            let _ = writer.write_all(suppressed_line(&suppressed, self.json).as_bytes());
        }
        writer
    }
}

fn suppressed_line(Suppressed { of, lines }: &Suppressed<Identifier>, json: bool) -> String {
    let metadata = of.0.metadata();
    let place = format!("{}:{}", metadata.file().unwrap_or(metadata.target()), metadata.line().unwrap_or_default());
    let now = UtcMillis::now();
    if json {
        let line = serde_json::json!({
            "timestamp": now, "level": "WARN", "message": "lines suppressed", "lines": lines, "place": place,
            "target": metadata.target(),
        });
        format!("{line}\n")
    } else {
        format!("{now}  WARN {lines} lines suppressed place={place}\n")
    }
}

/// Stderr, line by line without secrets. A formatter gives each line in one piece.
struct Redacting {
    out: Stderr,
    json: bool,
    is_written: bool,
}

impl Write for Redacting {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if !self.is_written {
            return Ok(line.len());
        }
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

    /// Set in the process that floods its log; the value is the format.
    const CHILD: &str = "NGATU_TEST_FLOOD_CHILD";

    /// Not a test of its own: the process whose log the next one reads.
    #[test]
    fn child_that_floods_its_log() {
        let Ok(format) = std::env::var(CHILD) else { return };
        init(format == "json", "info");
        for line in 0..100 {
            tracing::debug!(line, "fine print");
        }
        tracing::info!("begun");
        // Until some time has passed, so that one more is let through.
        for line in (0_u64..).take_while(|_| lines_suppressed() < 10_000) {
            tracing::warn!(line, "storm");
        }
        let begun = Instant::now();
        while begun.elapsed().as_millis() < 1100 {
            storm_of_another_kind();
        }
        storm_of_another_kind();
        tracing::info!("ended");
    }

    fn storm_of_another_kind() {
        tracing::error!("storm at rtsp://admin:c4n4ry@cam/1");
    }

    #[test]
    fn who_asks_for_debug_lines_at_the_machine_gets_every_one_and_other_storms_are_bounded_still() {
        let log = flooded("text", Some("debug"));
        assert_eq!(log.matches("fine print").count(), 100, "{log}");
        assert!(log.matches("storm").count() < 100, "{log}");
    }

    /// What the child logs.
    fn flooded(format: &str, filter: Option<&str>) -> String {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this test binary"));
        child.args(["telemetry::tests::child_that_floods_its_log", "--exact", "--test-threads=1"]).env(CHILD, format);
        match filter {
            Some(filter) => child.env("NGATU_LOG", filter),
            None => child.env_remove("NGATU_LOG"),
        };
        String::from_utf8(child.output().expect("starts").stderr).expect("text")
    }

    #[test]
    fn a_flooded_log_holds_few_lines_and_says_how_many_it_does_not() {
        for format in ["json", "text"] {
            let log = flooded(format, None);
            let with = |words: &str| log.lines().filter(|line| line.contains(words)).count();
            assert_eq!((with("begun"), with("ended")), (1, 1), "others are heard: {log}");
            assert!((40..60).contains(&with("storm")), "{} lines\n{log}", with("storm"));
            assert!(with("lines suppressed") >= 1 && with("telemetry.rs") >= 1, "{log}");
            assert!(!log.contains("c4n4ry"), "{log}");
            if format == "json" {
                let is_json = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
                assert!(log.lines().all(is_json), "{log}");
            }
        }
    }
}
