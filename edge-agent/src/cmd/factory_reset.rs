//! `factory-reset`: what the box keeps of a junction and its people is removed.

use std::path::PathBuf;
use std::process::ExitCode;

use edge_agent::audit::Source;
use edge_agent::config::{self, Home};
use edge_agent::reset::{self, Piece, ResetError, StateLock};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Removes what this program made: events that wait, pictures, clips, tracks, the audit log, compiled models, and the
credentials and keys beside the site file. The site file itself, models and whatever else lies there stay. A new audit log
begins with a line about the reset, and the number and hash of the last line before it.")]
pub(crate) struct Args {
    /// The site file.
    #[arg(long, value_name = "SITE")]
    site: PathBuf,

    /// Does it; without, only says what would be removed.
    #[arg(long)]
    yes: bool,

    /// Also removes the evidence of incidents on legal hold.
    #[arg(long)]
    including_holds: bool,

    /// Who asks for it, for the line about it.
    #[arg(long, value_name = "NAME", default_value = "?")]
    by: String,
}

pub(crate) fn run(args: &Args, home: &Home) -> anyhow::Result<ExitCode> {
    let site = config::load_site(&args.site, home)?;
    let plan = reset::plan(&site, &args.site)?;
    for (path, why) in &plan.left {
        println!("stays    {}: {why}", path.display());
    }
    if !args.yes {
        plan.pieces.iter().for_each(|piece| print("would go", piece));
        for hold in &plan.holds {
            println!("on hold  incident {} by {}: {}", hold.incident, hold.by, hold.reason);
        }
        println!("nothing was removed; add --yes to remove what would go");
        return Ok(ExitCode::SUCCESS);
    }
    let log = super::audit_log(&site)?;
    let lock = StateLock::take(&site.storage.path)?.ok_or(ResetError::Running(site.storage.path.clone()))?;
    let links = plan.left.iter().any(|(_, why)| why.starts_with("is a link"));
    let done = plan.carry_out(&log, lock, reset::entry(&args.by, Source::command_line()), args.including_holds)?;
    let mut complete = !links;
    for done in &done {
        match &done.failed {
            None => print("gone    ", &done.piece),
            Some(why) => {
                complete = false;
                println!("LEFT     {}: {why}", done.piece.path.display());
            }
        }
    }
    if complete {
        println!("ok: all of it is gone");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("NOT COMPLETE: remove by hand what is left");
        Ok(ExitCode::FAILURE)
    }
}

fn print(word: &str, piece: &Piece) {
    println!("{word} {} ({}; {} files, {} bytes)", piece.path.display(), piece.what, piece.files, piece.bytes);
}
