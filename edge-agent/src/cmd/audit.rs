//! `audit verify|export`: the log proved, and taken out of the box.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};
use edge_agent::audit::{
    Action, Actor, AuditEntry, Head, Kept, LineHash, Object, Outcome, Report, Source, lines, rfc5424, verify,
    verify_text,
};
use edge_agent::config::{self, Home};
use edge_agent::outbox;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Proves the log: every line's hash, the chain, its beginning and its end. Exit code 1 with the first wrong line.
    Verify(Verify),
    /// Writes the log's lines as they are, or as syslog messages; the export is a line itself.
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// Verifies the log of this site.
    #[arg(long, value_name = "SITE", required_unless_present = "file", conflicts_with = "file")]
    site: Option<PathBuf>,

    /// Verifies an export, lines of JSON, instead.
    file: Option<PathBuf>,

    /// A line as the centre knows it (`last_number:last_hash` of its last health message): shows a log whose end was cut
    /// off or that was written anew.
    #[arg(long, value_name = "NUMBER:HASH", value_parser = head)]
    head: Option<Head>,
}

#[derive(Debug, clap::Args)]
struct Export {
    /// The log of this site.
    #[arg(long, value_name = "SITE")]
    site: PathBuf,

    /// Only lines from this time on, such as 2026-11-22T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<jiff::Timestamp>,

    /// How.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,

    /// A new file; default: stdout.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,

    /// Who exports, for the line about it.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The lines themselves, which `audit verify` and any SHA-256 can verify.
    Jsonl,
    /// RFC 5424 messages, one a line.
    Rfc5424,
}

fn head(text: &str) -> Result<Head, String> {
    let parsed = text
        .split_once(':')
        .and_then(|(number, hash)| Some(Head { number: number.parse().ok()?, hash: LineHash::parse(hash)? }));
    parsed.ok_or_else(|| "write the number, a colon and the 64 digits of the hash".to_owned())
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Verify(args) => verify_log(&args, home),
        Command::Export(args) => export(&args, home),
    }
}

fn verify_log(args: &Verify, home: &Home) -> anyhow::Result<ExitCode> {
    let mut known: Vec<Head> = args.head.into_iter().collect();
    let report = match (&args.site, &args.file) {
        (Some(site), _) => {
            let storage = config::load_site(site, home)?.storage;
            match outbox::stored_audit_head(&storage.outbox_file()) {
                Ok(stored) => known.extend(stored),
                Err(error) => {
                    println!("note: not compared with the outbox ({error}); give --head as the centre has it")
                }
            }
            verify(&storage.path.join(edge_agent::audit::FOLDER), &known)?
        }
        (None, Some(file)) => verify_text(&file.display().to_string(), &std::fs::read(file)?, &known),
        (None, None) => bail!("name a site or a file"),
    };
    Ok(tell(&report, &known))
}

fn tell(report: &Report, known: &[Head]) -> ExitCode {
    let Report { first, last, lines, pruned, lost, wrong } = report;
    match lines {
        0 => println!("no line is in order"),
        _ => println!("{lines} lines in order, {first} to {}; last hash {}", last.number, last.hash),
    }
    if *pruned > 0 {
        println!("{pruned} lines before them were deleted by retention");
    }
    if *lost > 0 {
        println!("{lost} lines could not be written, as the log itself says");
    }
    if let Some(wrong) = wrong {
        let place = if wrong.line > 0 { format!(" ({}:{})", wrong.file, wrong.line) } else { String::new() };
        println!("WRONG: line {}{place}: {}", wrong.number, wrong.wrong);
        return ExitCode::FAILURE;
    }
    let reaches = known.iter().map(|known| known.number).max();
    println!(
        "ok: {}",
        match reaches {
            Some(number) => format!("agrees with what is known elsewhere, up to line {number}"),
            None => "in itself; compared with nothing elsewhere, so a cut end would not be seen".to_owned(),
        }
    );
    ExitCode::SUCCESS
}

fn export(args: &Export, home: &Home) -> anyhow::Result<ExitCode> {
    let site = config::load_site(&args.site, home)?;
    let log = super::audit_log(&site)?;
    let out: Box<dyn Write> = match &args.to {
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            Box::new(file.with_context(|| format!("cannot write {}", path.display()))?)
        }
        None => Box::new(io::stdout()),
    };
    let mut out = BufWriter::new(out);
    let mut count = 0_u64;
    let written = lines::<io::Error>(log.folder(), 1, |kept| {
        if args.since.is_none_or(|since| kept.line.time.timestamp() >= since) {
            count += 1;
            write(&mut out, &kept, args.format)?;
        }
        Ok(true)
    });
    let written = written.and_then(|()| out.flush());
    let outcome = written.as_ref().err().map_or(Outcome::Done, |error| Outcome::failed(error.to_string()));
    let by = args.by.as_deref().map_or(Actor::System, Actor::person);
    let entry = AuditEntry::new(by, Source::command_line(), Action::Export).on(Object::audit()).outcome(outcome);
    let entry = entry.with("lines", count).with("since", args.since.map(|since| since.to_string()));
    log.append(entry)?;
    written?;
    Ok(ExitCode::SUCCESS)
}

fn write(out: &mut impl Write, kept: &Kept, format: Format) -> io::Result<()> {
    match format {
        Format::Jsonl => out.write_all(&kept.bytes)?,
        Format::Rfc5424 => out.write_all(&rfc5424::message(kept))?,
    }
    out.write_all(b"\n")
}
