//! `man`: the manual pages: the program's own, and one for each command.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge-agent man | man -l -
  edge-agent man --dir /usr/local/share/man/man1")]
pub(crate) struct Args {
    /// Write every page into this folder, as edge-agent.1, edge-agent-run.1, …; without it the main page is printed.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What the program reads and writes.
const FILES: [(&str, &str); 9] = [
    (
        "/etc/ngatu/site.toml",
        "The site file: cameras, zones, rules, broker. `edge-agent site init` writes a first one.",
    ),
    ("credentials/NAME", "Beside the site file: a secret that the site file names, on one line, mode 0600."),
    ("/var/lib/ngatu", "What waits to be delivered, evidence, fetched models; `storage.path` of the site file."),
    ("/var/lib/ngatu/models", "Where `models pull` puts weights when the installed folder of models is read-only."),
    ("PREFIX/share/ngatu/models/NAME/model.toml", "A model: what the network is."),
    ("PREFIX/share/ngatu/pipelines/NAME.toml", "A pipeline: what is watched for."),
    ("PREFIX/share/ngatu/hw-profiles/NAME.toml", "A hardware profile: how a box runs it."),
    ("PREFIX/lib/ngatu/libonnxruntime.so", "ONNX Runtime."),
    ("$CREDENTIALS_DIRECTORY/NAME", "A secret that systemd hands over (LoadCredential=)."),
];

const EXIT_STATUS: [(&str, &str); 4] = [
    ("0", "Done."),
    ("1", "Failed; what and why is on stderr."),
    ("2", "Wrong command line."),
    ("64", "Wrong configuration; every error is on stderr, with file, line, key and cure."),
];

const ENVIRONMENT: [(&str, &str); 6] = [
    ("NGATU_LOG", "What is logged, such as `debug` or `edge_agent::source=debug`."),
    ("NGATU_HOME", "The folder that holds models/, pipelines/ and hw-profiles/, where it is not found by itself."),
    ("NGATU_MODELS_DIR", "A folder in which model weights are looked for, as --models-dir."),
    ("ORT_DYLIB_PATH", "The ONNX Runtime library, where another than the installed one is wanted."),
    ("CREDENTIALS_DIRECTORY", "Set by systemd: the folder of the service's credentials."),
    ("NO_COLOR", "Set to anything: no colours, on a terminal either."),
];

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut program = super::Cli::command().disable_help_subcommand(true);
    program.build();
    match args.dir {
        None => std::io::stdout().write_all(&page(&program, true)?)?,
        Some(dir) => {
            std::fs::create_dir_all(&dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
            write_pages(&program, true, &dir)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write_pages(command: &Command, is_program: bool, dir: &Path) -> anyhow::Result<()> {
    let path = dir.join(format!("{}.1", page_name(command)));
    std::fs::write(&path, page(command, is_program)?).with_context(|| format!("cannot write {}", path.display()))?;
    command.get_subcommands().try_for_each(|command| write_pages(command, false, dir))
}

/// `edge-agent`, `edge-agent-models-pull`.
fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, is_program: bool) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = Man::new(command.clone()).source(format!("edge-agent {}", env!("CARGO_PKG_VERSION"))).manual("Ngã Tư");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        let mut roff = Roff::new();
        commands(&mut roff, command);
        roff.to_writer(&mut page)?;
    }
    let mut roff = Roff::new();
    if is_program {
        definitions(&mut roff, "FILES", &FILES, italic);
    }
    definitions(&mut roff, "EXIT STATUS", &EXIT_STATUS, bold);
    if is_program {
        definitions(&mut roff, "ENVIRONMENT", &ENVIRONMENT, bold);
    }
    after_help(&mut roff, command, is_program);
    see_also(&mut roff, command, is_program);
    roff.to_writer(&mut page)?;
    Ok(page)
}

fn commands(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["COMMANDS"]);
    for command in command.get_subcommands() {
        roff.control("TP", []);
        roff.text([bold(format!("{}(1)", page_name(command)))]);
        roff.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
    }
}

fn definitions(roff: &mut Roff, title: &str, entries: &[(&str, &str)], style: fn(String) -> Inline) {
    roff.control("SH", [title]);
    for (name, text) in entries {
        roff.control("TP", []);
        roff.text([style((*name).to_owned())]);
        roff.text([roman(*text)]);
    }
}

/// What stands below a command's options: paragraphs, and blocks with a heading (`Examples:`) that are kept as they are.
fn after_help(roff: &mut Roff, command: &Command, is_program: bool) {
    let Some(text) = command.get_after_help().map(ToString::to_string) else { return };
    for block in text.split("\n\n") {
        match block.split_once(":\n") {
            Some((heading, lines)) if lines.starts_with("  ") => {
                // The program's first block says where to start: its examples.
                let title = if heading == "Start here" { "EXAMPLES".to_owned() } else { heading.to_uppercase() };
                roff.control("SH", [title.as_str()]);
                roff.control("EX", []);
                for line in lines.lines() {
                    roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
                }
                roff.control("EE", []);
            }
            // The program's own paragraphs are the sections above, in brief.
            _ if is_program => {}
            _ => {
                roff.control("SH", ["NOTES"]);
                roff.text([roman(block.replace('\n', " "))]);
            }
        }
    }
}

fn see_also(roff: &mut Roff, command: &Command, is_program: bool) {
    roff.control("SH", ["SEE ALSO"]);
    let mut pages: Vec<String> = Vec::new();
    if !is_program {
        pages.push("edge-agent(1)".to_owned());
    }
    pages.extend(command.get_subcommands().map(|command| format!("{}(1)", page_name(command))));
    if is_program {
        pages.extend(["mosquitto_sub(1)", "systemd.exec(5)", "chronyc(1)"].map(str::to_owned));
    }
    roff.text([roman(pages.join(", "))]);
}
