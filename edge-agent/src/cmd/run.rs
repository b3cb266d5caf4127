//! `run`: the service.

use std::path::PathBuf;
use std::process::ExitCode;

use edge_agent::app::{App, GRACE, Summary};
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

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    let site = super::trusted_site(&args.site, home)?;
    for notice in &site.notices {
        tracing::warn!("{notice}");
    }
    let runtime = super::tokio_runtime()?;
    let summary = runtime.block_on(async {
        let stop = shutdown::on_signals()?;
        let app = App::start(&site, home).await?;
        stop.cancelled().await;
        anyhow::Ok(app.drain(GRACE).await)
    })?;
    // Threads that hang in a frozen camera must not hold up the end.
    runtime.shutdown_background();
    report(&summary);
    Ok(ExitCode::SUCCESS)
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
