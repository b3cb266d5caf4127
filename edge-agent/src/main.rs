//! The program: read the command line, do one command, say how it ended.

#![allow(clippy::print_stdout, reason = "commands print their results to stdout")]

mod cmd;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // SAFETY: the first thing that the only thread does.
    unsafe {
        edge_agent::hardening::forbid_telemetry();
        edge_agent::resources::heap::bound_arenas();
    }
    edge_agent::telemetry::redact_panics();
    if let Err(error) = edge_agent::hardening::forbid_core_dumps() {
        eprintln!("edge-agent: core dumps cannot be switched off: {error}");
    }
    if let Err(error) = edge_agent::resources::descriptors::prepare() {
        eprintln!("edge-agent: the limit of file descriptors cannot be raised: {error}");
    }
    let cli = cmd::Cli::parse();
    match cmd::run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", cmd::explain(&error));
            cmd::exit_code(&error)
        }
    }
}
