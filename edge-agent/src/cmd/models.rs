//! `models list|verify`: which models there are, and whether their files are what their manifests say.

use std::process::ExitCode;

use clap::Subcommand;
use edge_agent::config::Home;
use edge_agent::detect::manifest::{Manifest, ModelError};
use edge_agent::setup::{self, SetupError};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the models: name, licence, what they are, whether the weights are there.
    List,
    /// Proves the models' weights by their SHA-256; fails when one differs, or a named one is missing.
    Verify {
        /// Only this one.
        name: Option<String>,
    },
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List => list(home),
        Command::Verify { name } => verify(home, name),
    }
}

fn list(home: &Home) -> anyhow::Result<ExitCode> {
    for name in setup::model_names(home) {
        let manifest = Manifest::load(&home.models().join(&name))?;
        let weights = match manifest.verify(home.extra_models()) {
            Ok(model) => model.weights().display().to_string(),
            Err(error) => format!("not usable: {error}"),
        };
        println!("{name}  {}  {}\n    {weights}", manifest.licence, manifest.description);
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(home: &Home, name: Option<String>) -> anyhow::Result<ExitCode> {
    let asked = name.is_some();
    let names = name.map_or_else(|| setup::model_names(home), |name| vec![name]);
    let mut failed = false;
    for name in names {
        match setup::load_model(home, &name) {
            Ok(model) => println!("{name}: ok ({}, sha256 {})", model.manifest().licence, model.manifest().sha256),
            // Weights that were never fetched are no fault unless they are asked for.
            Err(SetupError::Model(error @ ModelError::WeightsMissing { .. })) if !asked => println!("{name}: {error}"),
            Err(error) => {
                failed = true;
                println!("{name}: {error}");
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
