//! `models list|verify|pull`: which models there are, whether their files are what their manifests say, and getting
//! those that are not shipped.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use edge_agent::config::Home;
use edge_agent::detect::fetch::{Fetched, Origin, fetch};
use edge_agent::detect::manifest::ModelError;
use edge_agent::setup::{self, SetupError};
use edge_agent::trust::{self, PROOF, Proof};

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
    /// Fetches a model's weights, proves them, and puts them where models are found.
    Pull(Pull),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge-agent models pull yolox-nano
  edge-agent models pull yolox-nano --from /media/stick
  edge-agent models pull yolox-nano --to ~/weights && edge-agent --models-dir ~/weights models verify yolox-nano

A transfer that broke off goes on when it is run again. Weights count by their SHA-256, which stands in model.toml: what
is wrong is thrown away. Behind a proxy set HTTPS_PROXY; SSL_CERT_FILE names other authorities than the system's.")]
struct Pull {
    /// The model, by the name of its folder.
    name: String,

    /// A folder that holds the weights, instead of the address in the manifest.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,

    /// Where to put them; default: the model's folder, or /var/lib/ngatu/models where models came with a package.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List => list(home),
        Command::Verify { name } => verify(home, name),
        Command::Pull(args) => pull(home, &args),
    }
}

fn list(home: &Home) -> anyhow::Result<ExitCode> {
    for name in setup::model_names(home) {
        let manifest = setup::manifest(home, &name)?;
        let weights = match manifest.verify(home.extra_models()) {
            Ok(model) => model.weights().display().to_string(),
            Err(error) => format!("not usable: {error}"),
        };
        println!("{name}  {}  {}\n    {weights}", manifest.licence, manifest.description);
        if let Some(origin) = origin(home, &name) {
            println!("    {origin}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(home: &Home, name: Option<String>) -> anyhow::Result<ExitCode> {
    let asked = name.is_some();
    let names = name.map_or_else(|| setup::model_names(home), |name| vec![name]);
    let mut failed = false;
    for name in names {
        match setup::load_model(home, &name) {
            Ok(model) => {
                let origin = origin(home, &name).map(|origin| format!("; {origin}")).unwrap_or_default();
                println!("{name}: ok ({}, sha256 {}){origin}", model.manifest().licence, model.manifest().sha256);
            }
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

/// Which bundle a model came in, and who signed it; `None` for those that came with the program.
fn origin(home: &Home, name: &str) -> Option<String> {
    let folder = home.installed_model(name)?;
    let contents = Proof::read(&folder.join(PROOF)).ok().flatten().and_then(|proof| proof.contents().ok());
    let version = contents.map_or("no bundle".to_owned(), |contents| format!("bundle version {}", contents.version));
    let signer = home.keys().and_then(|keys| trust::model_signer(&folder, &keys));
    Some(match signer {
        Ok(Some(signer)) => format!("{version}, signed by {}", signer.key),
        Ok(None) => format!("{version}, signature not asked for: no key is installed"),
        Err(_) => format!("{version}, NOT PROVED"),
    })
}

fn pull(home: &Home, args: &Pull) -> anyhow::Result<ExitCode> {
    let name = &args.name;
    let manifest = setup::manifest(home, name)?;
    if let (None, Ok(model)) = (&args.to, manifest.verify(home.extra_models())) {
        println!("{name}: is here already ({})", model.weights().display());
        return Ok(ExitCode::SUCCESS);
    }
    let origin = args.from.as_deref().map_or(Origin::Address, Origin::Folder);
    let into = args.to.clone().unwrap_or_else(|| home.weights_target(name));
    let bar = super::progress::bytes(&manifest.file);
    let fetched = fetch(&manifest, origin, &into, &mut |done, total| bar.tell(done, total));
    bar.clear();
    let Fetched { path, already } = fetched?;
    let how = if already { "is here already" } else { "fetched and verified" };
    println!("{name}: {how} ({}, {})", path.display(), manifest.licence);
    let found = setup::load_model(home, name).is_ok();
    if !found {
        println!("    → start edge-agent with --models-dir {} to have it found", into.display());
    }
    Ok(ExitCode::SUCCESS)
}
