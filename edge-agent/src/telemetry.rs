//! Logging: fields first, to stderr, so that stdout stays for what a command prints.
//!
//! Levels: ERROR = data lost or a human is needed; WARN = recovered; INFO = rare and about the operator's action;
//! nothing per frame above TRACE. `NGATU_LOG` takes `tracing` filters, such as `debug` or `edge_agent::source=debug`.

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

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
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr);
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
