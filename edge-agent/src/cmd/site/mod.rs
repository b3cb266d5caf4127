//! `site init|picture|guess`: a first site file, a camera's picture to read zones off, and what traffic tells of how it hangs.

mod address;
mod ask;
mod cameras;
mod files;
mod guess;
mod init;
mod picture;

pub(super) use ask::Hidden;

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use edge_agent::config::{Camera, Home, Site};

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
    /// Guesses from recorded tracks how a camera hangs: horizon, height, pixels a metre.
    Guess(guess::Args),
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Init(args) => init::run(*args, home),
        Command::Picture(args) => picture::run(&args, home),
        Command::Guess(args) => guess::run(&args, home),
    }
}

/// The camera named, or the only one.
fn camera<'a>(site: &'a Site, name: Option<&str>) -> anyhow::Result<&'a Camera> {
    let known: Vec<&str> = site.cameras.iter().map(|camera| camera.id.as_str()).collect();
    match (name, site.cameras.as_slice()) {
        (Some(name), _) => {
            if site.disabled.iter().any(|camera| camera.as_str() == name) {
                bail!("camera \"{name}\" is disabled\n    → take enabled = false out of the site file");
            }
            site.camera(name).with_context(|| {
                format!("the site has no camera \"{name}\"\n    → choose one of: {}", known.join(", "))
            })
        }
        (None, [only]) => Ok(only),
        (None, _) => bail!("say which camera\n    → one of: {}", known.join(", ")),
    }
}
