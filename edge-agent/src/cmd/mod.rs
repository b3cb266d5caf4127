//! The commands, one file each, and how they end.

mod account;
mod audit;
mod broker;
mod bundle;
mod check;
mod command;
mod completions;
#[cfg(feature = "demo")]
mod demo;
mod desk;
mod doctor;
mod eval;
mod factory_reset;
mod hold;
mod man;
mod models;
mod profiles;
mod progress;
mod replay;
mod run;
mod schema;
mod site;
mod support;
mod tune;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, Subcommand};
use edge_agent::app::AppError;
use edge_agent::apply::ApplyError;
use edge_agent::audit::AuditLog;
use edge_agent::config::{ConfigErrors, Home, HomeError, Site};
use edge_agent::trust::TrustError;
use edge_agent::{reset, setup};

/// `EX_USAGE` of sysexits(3): the configuration is wrong.
const EXIT_CONFIG: u8 = 64;

/// Ngã Tư's edge agent: decodes a junction's cameras, detects, tracks, judges incidents and delivers them over MQTT.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "\
Start here:
  edge-agent demo                          the whole thing, no hardware needed
  edge-agent doctor                        what can this box do, and what is missing?
  edge-agent site init                     asks for broker and cameras, writes a first site.toml
  edge-agent site picture site.toml        a camera's picture with a grid: read zones off it
  edge-agent check site.toml               every error of a site file, with its cure
  edge-agent replay clip.mp4 --site site.toml
                                           what would last night's footage have reported?
  edge-agent eval incidents --truth truth.toml --events events.jsonl
                                           and how much of it was right?
  edge-agent doctor site.toml              broker and cameras, tried
  edge-agent run site.toml                 the service
  edge-agent tune                          how many cameras does this box carry, and with which setting?
  edge-agent watch                         the other end: incidents as an operator reads them
  edge-agent command --help                a command to a box: verdict, snapshot, camera off, …

Exit codes: 0 done, 1 failed, 2 wrong command line, 64 wrong configuration (all errors are printed).
Logs go to stderr; NGATU_LOG sets what is logged, such as NGATU_LOG=debug."
)]
pub(crate) struct Cli {
    /// A folder in which model weights are looked for, besides models/ (may be repeated).
    #[arg(long, global = true, value_name = "DIR", env = "NGATU_MODELS_DIR")]
    models_dir: Vec<PathBuf>,

    /// The folder of the public keys that models and configuration must be signed with; default: /etc/ngatu/trusted-keys.
    #[arg(long, global = true, value_name = "DIR", env = "NGATU_TRUSTED_KEYS")]
    trusted_keys: Option<PathBuf>,

    /// Log as JSON lines.
    #[arg(long, global = true)]
    log_json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the whole thing: a real clip as an RTSP camera, the bundled model, an embedded broker, events printed.
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Runs the service described by a site file.
    Run(run::Args),
    /// Reports every error of a site file, with file, line, key and cure.
    Check(check::Args),
    /// Writes a first site file; takes a camera's picture to read zones off.
    Site(site::Args),
    /// Says what is here and what of it works, with the cure: decoders, providers, models, clock, disk; broker, cameras.
    Doctor(doctor::Args),
    /// Writes one file for a person far away who is to help: configuration, findings, status, log; no secrets, no pictures.
    Support(support::Args),
    /// Judges recorded clips: files in, events out, the same bytes every time.
    Replay(replay::Args),
    /// Measures against ground truth: detections, tracks and incidents, each figure with its denominator.
    Eval(eval::Args),
    /// Shows incidents as the operations centre receives them.
    Watch(watch::Args),
    /// Sends one command to a box and waits for its answer.
    #[command(name = "command")]
    Send(command::Args),
    /// Lists, verifies or fetches the models.
    Models(models::Args),
    /// Makes, shows, proves or installs a signed bundle of a model or a configuration.
    Bundle(bundle::Args),
    /// Makes, lists and removes the accounts that may log in to the status page from another machine.
    Account(account::Args),
    /// Measures what this box carries, finds the best setting, writes its hardware profile.
    Tune(tune::Args),
    /// Proves the audit log, or exports it.
    Audit(audit::Args),
    /// Keeps an incident's evidence until further notice, or lists what is kept.
    Hold(hold::Args),
    /// Removes everything that the box keeps of a junction and its people.
    FactoryReset(factory_reset::Args),
    /// Lists the hardware profiles; prints what one asks of the systemd unit.
    Profiles(profiles::Args),
    /// Prints the JSON Schema of a file or message, or the AsyncAPI document.
    Schema(schema::Args),
    /// Prints what a shell needs to complete the command line.
    Completions(completions::Args),
    /// Prints the manual page, or writes those of all commands.
    Man(man::Args),
}

/// Does what the command line asks for.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let home = || {
        let home = Home::find(cli.models_dir.clone())?;
        Ok(match cli.trusted_keys.clone() {
            Some(folder) => home.with_trusted_keys(folder),
            None => home,
        })
    };
    let filter = match cli.command {
        #[cfg(feature = "demo")]
        // The embedded broker logs every client that leaves as an error.
        Command::Demo(_) => "warn,rumqttd=off,ort=warn",
        Command::Run(_) => "info,ort=warn",
        // What fails is a line of the report.
        Command::Doctor(_) | Command::Site(_) | Command::Support(_) => "off",
        // The service that it runs has no broker; a provider that does not work is left out.
        Command::Tune(_) => "off",
        Command::Check(_)
        | Command::Replay(_)
        | Command::Eval(_)
        | Command::Watch(_)
        | Command::Send(_)
        | Command::Models(_)
        | Command::Bundle(_)
        | Command::Account(_)
        | Command::Audit(_)
        | Command::Hold(_)
        | Command::FactoryReset(_)
        | Command::Profiles(_)
        | Command::Schema(_)
        | Command::Completions(_)
        | Command::Man(_) => "warn",
    };
    edge_agent::telemetry::init(cli.log_json, filter);
    match cli.command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(args, &home()?),
        Command::Run(args) => run::run(args, &home()?),
        Command::Check(args) => check::run(args, &home()?),
        Command::Site(args) => site::run(args, &home()?),
        Command::Doctor(args) => doctor::run(args, home()),
        Command::Support(args) => support::run(args, home()),
        Command::Replay(args) => replay::run(args, &home()?),
        Command::Eval(args) => eval::run(args, home),
        Command::Watch(args) => watch::run(args),
        Command::Send(args) => command::run(args),
        Command::Models(args) => models::run(args, &home()?),
        Command::Bundle(args) => bundle::run(args, &home()?),
        Command::Account(args) => account::run(args),
        Command::Tune(args) => tune::run(args, &home()?),
        Command::Audit(args) => audit::run(args, &home()?),
        Command::Hold(args) => hold::run(args, &home()?),
        Command::FactoryReset(args) => factory_reset::run(&args, &home()?),
        Command::Profiles(args) => profiles::run(args, &home()?),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// The error as a person reads it: what failed, then each cause.
pub(crate) fn explain(error: &anyhow::Error) -> String {
    let of_site = match error.downcast_ref::<ApplyError>() {
        Some(ApplyError::Config(errors)) => Some(errors),
        _ => error.downcast_ref::<ConfigErrors>(),
    };
    if let Some(errors) = of_site {
        return errors.to_string();
    }
    let mut text = format!("edge-agent: {error}");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("\n  because: {cause}"));
    }
    text
}

/// 64 when the configuration is to blame.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let is_configuration = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<ConfigErrors>()
            || cause.is::<HomeError>()
            || cause.is::<TrustError>()
            || cause.downcast_ref::<ApplyError>().is_some_and(ApplyError::is_configuration)
            || cause.downcast_ref::<AppError>().is_some_and(AppError::is_configuration)
    };
    if error.chain().any(is_configuration) { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
}

/// The audit log of a site, to write to beside the service.
fn audit_log(site: &Site) -> anyhow::Result<AuditLog> {
    let storage = &site.storage.path;
    if !reset::is_owner(storage) {
        bail!("{} belongs to another user\n    → run this as that user: sudo -u ngatu edge-agent …", storage.display());
    }
    Ok(AuditLog::at(storage, &setup::topics(site)?, None))
}

/// A runtime for everything that is not pixels.
fn tokio_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("async").enable_all().build()
}

/// A duration on the command line.
fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    edge_agent::config::parse_duration(text)
}

/// Completes after `duration`; never, without one.
async fn after(duration: Option<std::time::Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
