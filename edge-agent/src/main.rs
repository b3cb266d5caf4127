//! The program: read the command line, do one command, say how it ended.

#![allow(clippy::print_stdout, reason = "commands print their results to stdout")]

mod cmd;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cmd::Cli::parse();
    match cmd::run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", cmd::explain(&error));
            cmd::exit_code(&error)
        }
    }
}
