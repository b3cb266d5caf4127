//! `hold set|lift|list`: evidence that is kept until further notice.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use edge_agent::audit::Source;
use edge_agent::config::{self, Home};
use edge_agent::evidence::Hold;
use edge_agent::publish::wire::UtcMillis;
use uuid::Uuid;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
While an incident is on hold its pictures and clips are not deleted, whatever age and budget say. The service need not be
stopped. Setting and lifting are lines of the audit log.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keeps an incident's pictures and clips until the hold is lifted.
    Set(Change),
    /// Lets them go with age and budget again.
    Lift(Change),
    /// Lists the holds.
    List {
        /// The site file.
        #[arg(long, value_name = "SITE")]
        site: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Change {
    /// The incident's id, as its events have it.
    incident: Uuid,

    /// The site file.
    #[arg(long, value_name = "SITE")]
    site: PathBuf,

    /// Why: a case's number, an order.
    #[arg(long)]
    reason: String,

    /// Who asks for it.
    #[arg(long, value_name = "NAME")]
    by: String,
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Set(change) => {
            let site = config::load_site(&change.site, home)?;
            let log = super::audit_log(&site)?;
            let store = site.storage.pictures();
            let Change { incident, reason, by, .. } = change;
            let hold = Hold { incident, by, reason, since: UtcMillis::now() };
            store.holds().set(&log, hold, Source::command_line())?;
            println!("{incident}: on hold; {} piece(s) of its evidence are here", store.pieces(incident));
        }
        Command::Lift(change) => {
            let site = config::load_site(&change.site, home)?;
            let log = super::audit_log(&site)?;
            let Change { incident, reason, by, .. } = change;
            site.storage.pictures().holds().lift(&log, incident, &by, &reason, Source::command_line())?;
            println!("{incident}: the hold is lifted");
        }
        Command::List { site } => {
            let store = config::load_site(&site, home)?.storage.pictures();
            for hold in store.holds().list()? {
                let pieces = store.pieces(hold.incident);
                println!("{}  since {} by {}: {} ({pieces} pieces)", hold.incident, hold.since, hold.by, hold.reason);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
