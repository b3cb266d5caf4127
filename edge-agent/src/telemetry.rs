//! Logging: fields first, to stderr, so that stdout stays for what a command prints.
//!
//! Levels: ERROR = data lost or a human is needed; WARN = recovered; INFO = rare and about the operator's action;
//! nothing per frame above TRACE. `NGATU_LOG` takes `tracing` filters, such as `debug` or `edge_agent::source=debug`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Installs the subscriber; `json` for machines, text for people.
pub fn init(json: bool, default_filter: &str) {
    let filter = EnvFilter::try_from_env("NGATU_LOG").unwrap_or_else(|_| EnvFilter::new(default_filter));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        builder.json().flatten_event(true).init();
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
    }
}
