//! `support`: one file for a person far away who is to help.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use edge_agent::config::{self, Home, HomeError};
use edge_agent::support::Support;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
In it: the site file without comments and secrets, what doctor finds (broker and cameras are tried), versions, the running
service's status and metrics, its last log lines from the journal, names and sizes of what is stored. No password, no key,
no picture; a few MiB at most. Addresses and names of cameras are in it: give it only to whom you trust with those.

  sudo -u ngatu edge-agent support /etc/ngatu/site.toml --out support.tar
  tar -tvf support.tar")]
pub(crate) struct Args {
    /// The site file.
    site: PathBuf,

    /// The tar file to be written; not there yet.
    #[arg(long, value_name = "FILE", default_value = "support.tar")]
    out: PathBuf,

    /// The service's systemd unit, whose journal is asked for.
    #[arg(long, default_value = "ngatu-edge-agent")]
    unit: String,
}

pub(crate) fn run(args: Args, home: Result<Home, HomeError>) -> anyhow::Result<ExitCode> {
    let checks = super::doctor::checks(&args.site, &home)?;
    let site = home.as_ref().ok().and_then(|home| config::load_site(&args.site, home).ok());
    let support = Support {
        site: &args.site,
        checks: &checks,
        page: site.as_ref().and_then(|site| site.status_listen),
        storage: site.as_ref().map(|site| site.storage.path.as_path()),
        unit: &args.unit,
    };
    let written = support.write(&args.out).with_context(|| format!("{} cannot be written", args.out.display()))?;
    for (name, bytes) in written {
        println!("{bytes:>9}  {name}");
    }
    println!("written: {}", args.out.display());
    Ok(ExitCode::SUCCESS)
}
