//! `site init|picture`: a first site file, and a camera's picture to read zones off.

mod address;
mod ask;
mod cameras;
mod files;
mod init;
mod picture;

use std::process::ExitCode;

use clap::Subcommand;
use edge_agent::config::Home;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Asks for junction, broker and cameras, tries the cameras, and writes a first site file.
    Init(Box<init::Args>),
    /// Takes a camera's picture with a grid of fractions and the zones drawn in, to read points off.
    Picture(picture::Args),
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Init(args) => init::run(*args, home),
        Command::Picture(args) => picture::run(&args, home),
    }
}
