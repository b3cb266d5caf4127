//! `run`: the service.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use edge_agent::app::{App, GRACE, Start, Summary};
use edge_agent::apply::Desk;
use edge_agent::config::Home;
use edge_agent::shutdown;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
SIGTERM and Ctrl-C end it in order: what is under way is judged, committed and, where the broker answers, delivered.
A second signal ends it at once; what was committed is delivered at the next start.")]
pub(crate) struct Args {
    /// The site file.
    site: PathBuf,
}

/// How a run ended.
enum Ended {
    /// A person or the service manager wanted it.
    Asked(Summary),
    /// Another configuration is to be in force.
    ToBeginAnew,
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    let runtime = super::tokio_runtime()?;
    let stop = runtime.block_on(async { shutdown::on_signals() })?;
    let (desk, lock) = Desk::open(&args.site, home)?;
    for notice in &desk.site().notices {
        tracing::warn!("{notice}");
    }
    let mut trial = desk.clone();
    let ended = runtime.block_on(async {
        let app = match App::start_as(trial.site(), home, Start { desk: Some(desk), lock }).await {
            Ok(app) => app,
            Err(error) if trial.give_up(&error.to_string()) => return Ok(Ended::ToBeginAnew),
            Err(error) => return Err(error.into()),
        };
        let anew = tokio::select! {
            () = stop.cancelled() => false,
            () = app.to_begin_anew() => true,
        };
        let summary = app.drain(GRACE).await;
        anyhow::Ok(if anew && !stop.is_cancelled() { Ended::ToBeginAnew } else { Ended::Asked(summary) })
    })?;
    // Threads that hang in a frozen camera must not hold up the end.
    runtime.shutdown_background();
    match ended {
        Ended::Asked(summary) => report(&summary),
        Ended::ToBeginAnew => return begin_anew(),
    }
    Ok(ExitCode::SUCCESS)
}

/// The same process, from its beginning: nothing of this run is left. Returns only where the system refuses; whoever
/// supervises the program then starts it again.
fn begin_anew() -> anyhow::Result<ExitCode> {
    tracing::info!("beginning anew with another configuration");
    let program = std::env::current_exe().context("the program cannot find itself to begin anew")?;
    let refused = Command::new(&program).args(std::env::args_os().skip(1)).exec();
    Err(refused).with_context(|| format!("{} cannot begin anew", program.display()))
}

pub(super) fn report(summary: &Summary) {
    let totals = summary.totals;
    println!(
        "{} frames, {} analysed, {} detections, {} tracks, {} incidents, {} events delivered, {} waiting",
        summary.frames,
        totals.analysed,
        totals.detections,
        totals.tracks,
        totals.incidents,
        summary.delivered,
        summary.pending
    );
}
