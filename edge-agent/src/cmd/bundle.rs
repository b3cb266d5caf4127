//! `bundle make|show|verify|install`: models and configuration that come with a signature.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use edge_agent::audit::{Action, Actor, AuditEntry, AuditLog, Object, Outcome, Source};
use edge_agent::config::{self, Home, Site};
use edge_agent::detect::manifest::Model;
use edge_agent::detect::ort::Build;
use edge_agent::trust::{self, Bundle, Content, Contents, Demand, Installed, TrustError};
use edge_agent::{reset, setup};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a bundle of a model's folder or of a site file; minisign signs it then.
    Make(Make),
    /// Says what a bundle holds and who signed it; proves nothing else.
    Show {
        /// The bundle.
        file: PathBuf,
    },
    /// Proves a bundle's signature and every file in it; puts nothing in place.
    Verify {
        /// The bundle.
        file: PathBuf,
    },
    /// Proves a bundle and puts its model, or its configuration, in place.
    Install(Install),
}

#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true).args(["model", "site"]),
    after_help = "\
Examples:
  edge-agent bundle make --model models/yolox-nano --version 3
  minisign -S -s province.key -m yolox-nano-3.bundle
  edge-agent bundle make --site site.toml --version 7

A bundle holds what is in its folder at this moment; sign it as it is. The version must rise from bundle to bundle."
)]
struct Make {
    /// The folder of a model, with its weights, or with those in a --models-dir.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

    /// A site file.
    #[arg(long, value_name = "FILE")]
    site: Option<PathBuf>,

    /// Above that of the bundle before: a count, or a date such as 20261123.
    #[arg(long = "version", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    number: u32,

    /// The bundle; default: NAME-VERSION.bundle in this folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sudo edge-agent bundle install /media/stick/yolox-nano-3.bundle --by \"Trần Thị B\"
  sudo edge-agent bundle install /media/stick/ql10-nut-01-7.bundle --by \"Trần Thị B\"

The signature lies beside the bundle, as FILE.minisig. What was in place is kept: a model in .former beside it, a site file
as site.toml.former. Restart the service to have it used. Every install, also a refused one, is a line of the audit log.")]
struct Install {
    /// The bundle.
    file: PathBuf,

    /// The box's site file: a configuration takes its place, and it says where the audit log is.
    #[arg(long, value_name = "SITE", default_value = "/etc/ngatu/site.toml")]
    site: PathBuf,

    /// Who installs it.
    #[arg(long, value_name = "NAME")]
    by: String,

    /// Take a version that is not above the one in place; the audit log says so.
    #[arg(long)]
    allow_older: bool,

    /// Take a bundle that nobody signed, on a box without keys; the audit log says so.
    #[arg(long)]
    allow_unsigned: bool,
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    let done = match args.command {
        Command::Make(args) => make(&args, home),
        Command::Show { file } => show(&file, home),
        Command::Verify { file } => verify(&file, home),
        Command::Install(args) => install(&args, home),
    };
    // A refused bundle is no wrong configuration of this box.
    Ok(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", super::explain(&error));
            ExitCode::FAILURE
        }
    })
}

fn make(args: &Make, home: &Home) -> anyhow::Result<()> {
    let out = |name: &str| {
        let default = || PathBuf::from(format!("{name}-{}.bundle", args.number));
        args.out.clone().unwrap_or_else(default)
    };
    let (contents, out) = match (&args.model, &args.site) {
        (Some(folder), _) => {
            let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
            let out = out(&folder.file_name().unwrap_or_default().to_string_lossy());
            (trust::model_bundle(&folder, home, args.number, &out)?, out)
        }
        (None, Some(file)) => {
            let out = out(config::load_site(file, home)?.id.to_string().as_str());
            (trust::configuration_bundle(file, home, args.number, &out)?, out)
        }
        (None, None) => bail!("name what to make a bundle of: --model DIR or --site FILE"),
    };
    println!("{}: {}", out.display(), contents.what());
    println!("    → sign it: minisign -S -s SECRET.key -m {}", out.display());
    Ok(())
}

fn show(file: &Path, home: &Home) -> anyhow::Result<()> {
    let mut bundle = Bundle::open(file)?;
    let (text, _) = bundle.contents()?;
    print!("{}", text.replace(|c: char| c.is_control() && c != '\n', " "));
    match bundle.signer(&home.keys()?) {
        Ok((signer, _)) => println!("# signed by {}: {}", signer.key, signer.comment),
        Err(why) => println!("# NOT PROVED: {}", why.to_string().replace('\n', "\n# ")),
    }
    Ok(())
}

fn verify(file: &Path, home: &Home) -> anyhow::Result<()> {
    let mut bundle = Bundle::open(file)?;
    let keys = home.keys()?;
    if keys.is_empty() {
        return Err(TrustError::NoKeys.into());
    }
    let (signer, _) = bundle.signer(&keys)?;
    let contents = bundle.prove()?;
    println!("{}: ok, signed by {} ({})", contents.what(), signer.key, signer.comment);
    Ok(())
}

fn install(args: &Install, home: &Home) -> anyhow::Result<()> {
    let keys = home.keys()?;
    let demand = Demand { keys: &keys, allow_older: args.allow_older, allow_unsigned: args.allow_unsigned };
    let mut bundle = Bundle::open(&args.file)?;
    // As it was before: where a refusal is told.
    let site = site_of(&args.site, home)?;
    let done = put_in_place(&mut bundle, args, home, demand);
    let (site, told) = match &done {
        Ok((installed, new)) => (new.as_ref().or(site.as_ref()), entry(args, Ok(installed))),
        Err(why) => (site.as_ref(), entry(args, Err(why))),
    };
    let written = match site {
        Some(site) => append(site, told),
        None => {
            println!("note: there is no {} yet, so no audit log to write to", args.site.display());
            Ok(())
        }
    };
    let (installed, _) = done?;
    say(&installed, args);
    written.context("it is in place, and the audit log has no line of it")
}

/// What there is of the site file; its models may be those that are to be installed.
fn site_of(file: &Path, home: &Home) -> anyhow::Result<Option<Site>> {
    if !file.exists() {
        return Ok(None);
    }
    let site = config::load_site_partly(file, home).ok().and_then(|(site, _)| site);
    if let Some(site) = &site {
        let storage = &site.storage.path;
        if !reset::is_owner(storage) && !is_root() {
            bail!("{} belongs to another user\n    → run this as root or as that user", storage.display());
        }
    }
    Ok(site)
}

fn put_in_place(
    bundle: &mut Bundle,
    args: &Install,
    home: &Home,
    demand: Demand<'_>,
) -> Result<(Installed, Option<Site>), TrustError> {
    // Not proved yet: whichever it says, it is proved there.
    let (_, contents) = bundle.contents()?;
    match contents.content {
        Content::Model { .. } => {
            let opens = |model: &Model| opens(model, home);
            trust::install_model(bundle, home.installed_models(), demand, opens).map(|installed| (installed, None))
        }
        Content::Configuration { .. } => trust::install_configuration(bundle, &args.site, home, demand)
            .map(|(installed, site)| (installed, Some(site))),
    }
}

/// That the network runs; without ONNX Runtime, which the service needs too, that is seen at its start.
fn opens(model: &Model, home: &Home) -> Result<(), TrustError> {
    let Ok(runtime) = setup::onnx_runtime(home, Build::Cpu) else { return Ok(()) };
    setup::open_model(&runtime, model).map_err(|error| TrustError::NotUsable(Box::new(error)))
}

fn entry(args: &Install, done: Result<&Installed, &TrustError>) -> AuditEntry {
    let entry = AuditEntry::new(Actor::person(&args.by), Source::command_line(), Action::BundleInstalled)
        .with("file", args.file.display().to_string())
        .with("allow_older", args.allow_older)
        .with("allow_unsigned", args.allow_unsigned);
    match done {
        Ok(Installed { contents, signer, former }) => entry
            .on(object(contents))
            .with("version", contents.version)
            .with("former_version", *former)
            .with("signer", signer.as_ref().map(|signer| signer.key.clone()))
            .with("comment", signer.as_ref().map(|signer| signer.comment.clone())),
        Err(why) => entry.outcome(Outcome::refused(why.to_string())),
    }
}

fn object(contents: &Contents) -> Object {
    match &contents.content {
        Content::Model { .. } => Object::model(&contents.name),
        Content::Configuration { .. } => Object::configuration(),
    }
}

fn say(installed: &Installed, args: &Install) {
    let Installed { contents, signer, former } = installed;
    let by = signer.as_ref().map_or("NOT SIGNED".to_owned(), |signer| format!("signed by {}", signer.key));
    let before = former.map(|former| format!("; before: version {former}")).unwrap_or_default();
    println!("{}: in place, {by}{before}", contents.what());
    if let Content::Configuration { .. } = contents.content {
        println!("    {} as it was is kept as {}.former", args.site.display(), args.site.display());
    }
    println!("    → have it used: systemctl restart ngatu-edge-agent");
}

/// Appends to the site's audit log, whose files must stay the service's own: root writes them as the folder's owner.
fn append(site: &Site, entry: AuditEntry) -> anyhow::Result<()> {
    let storage = &site.storage.path;
    let log = AuditLog::at(storage, &setup::topics(site)?, None);
    as_owner(storage, || log.append(entry))??;
    Ok(())
}

fn is_root() -> bool {
    // SAFETY: a plain system call that cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Does something as the owner of a folder, where that is another user than root and this is root.
fn as_owner<T>(folder: &Path, act: impl FnOnce() -> T) -> io::Result<T> {
    let Ok(owner) = folder.metadata() else { return Ok(act()) };
    if !is_root() || owner.uid() == 0 {
        return Ok(act());
    }
    // SAFETY: plain system calls on numbers.
    let become_user = |uid: u32, gid: u32| unsafe { libc::setegid(gid) == 0 && libc::seteuid(uid) == 0 };
    // SAFETY: the same, in the order in which root is had back.
    let become_root = || unsafe { libc::seteuid(0) == 0 && libc::setegid(0) == 0 };
    if !become_user(owner.uid(), owner.gid()) {
        return Err(io::Error::last_os_error());
    }
    let done = act();
    if become_root() { Ok(done) } else { Err(io::Error::last_os_error()) }
}
