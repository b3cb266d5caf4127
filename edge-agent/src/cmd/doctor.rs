//! `doctor`: what is here, one line each, with the cure.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edge_agent::config::{self, ConfigErrors, Home, HomeError, Site};
use edge_agent::detect::ort::Build;
use edge_agent::doctor::{self, Check, Needs, Verdict};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Words:
  ok    works: it was tried
  info  not here, and nobody asks for it
  warn  works, and you should know
  fail  does not work, and is needed

Examples:
  edge-agent doctor                        what can this box do?
  edge-agent doctor site.toml              and what this site asks of it? tries broker and cameras
  edge-agent doctor --json site.toml | jq -r '.checks[] | select(.verdict == \"fail\") | .found'

Ends with 0 unless something fails (1). Nothing is changed, and no password is shown.")]
pub(crate) struct Args {
    /// The site file; without it, the box alone.
    site: Option<PathBuf>,

    /// Print one JSON object instead.
    #[arg(long)]
    json: bool,

    /// Try the providers of this build of ONNX Runtime alone, for another process that cannot load it.
    #[arg(long, hide = true, value_parser = |label: &str| Build::from_label(label).ok_or("no such build"))]
    try_build: Option<Build>,
}

pub(crate) fn run(args: Args, home: Result<Home, HomeError>) -> anyhow::Result<ExitCode> {
    if let (Some(build), Ok(home)) = (args.try_build, &home) {
        println!("{}", serde_json::to_string(&doctor::try_build(home, build))?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report { checks: Vec::new(), lines: (!args.json).then(Lines::new) };
    match &args.site {
        None => doctor::check_box(&home, &Needs::nothing(), &mut |check| report.take(check)),
        Some(path) => with_site(path, &home, &mut report)?,
    }
    report.finish()
}

/// What is found of a site, and said nowhere.
pub(super) fn checks(site: &Path, home: &Result<Home, HomeError>) -> anyhow::Result<Vec<Check>> {
    let mut report = Report { checks: Vec::new(), lines: None };
    with_site(site, home, &mut report)?;
    Ok(report.checks)
}

fn with_site(path: &Path, home: &Result<Home, HomeError>, report: &mut Report) -> anyhow::Result<()> {
    let Ok(found) = home else {
        doctor::check_box(home, &Needs::nothing(), &mut |check| report.take(check));
        return Ok(());
    };
    doctor::check_site_file(path, found).into_iter().for_each(|check| report.take(check));
    match config::load_site(path, found) {
        Ok(site) => {
            doctor::check_box(home, &needs(&site, &models(&site)), &mut |check| report.take(check));
            let runtime = super::tokio_runtime()?;
            runtime.block_on(doctor::check_site(&site, &mut |check| report.take(check)));
            // A frozen camera may hold its threads.
            runtime.shutdown_background();
        }
        Err(errors) => {
            doctor::check_box(home, &Needs::nothing(), &mut |check| report.take(check));
            config_errors(&errors, report);
        }
    }
    Ok(())
}

fn config_errors(errors: &ConfigErrors, report: &mut Report) {
    doctor::of_config(errors).into_iter().for_each(|check| report.take(check));
}

fn models(site: &Site) -> Vec<&str> {
    site.cameras.iter().map(|camera| camera.model.as_str()).collect()
}

fn needs<'a>(site: &'a Site, models: &'a [&'a str]) -> Needs<'a> {
    Needs {
        profile: Some(&site.hw_profile),
        models,
        cameras: site.cameras.len(),
        storage: &site.storage.path,
        storage_bytes: site.storage.outbox_bytes + site.storage.evidence.max_bytes,
    }
}

/// Collects the checks; prints them as they come where a person reads.
struct Report {
    checks: Vec<Check>,
    lines: Option<Lines>,
}

impl Report {
    fn take(&mut self, check: Check) {
        if let Some(lines) = &self.lines {
            lines.print(&check);
        }
        self.checks.push(check);
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }

    fn finish(self) -> anyhow::Result<ExitCode> {
        let (fail, warn) = (self.count(Verdict::Fail), self.count(Verdict::Warn));
        match self.lines {
            Some(_) => println!("\n{}", summary(fail, warn)),
            None => {
                let report = serde_json::json!({ "checks": self.checks, "fail": fail, "warn": warn });
                println!("{}", serde_json::to_string_pretty(&report)?);
            }
        }
        Ok(if fail > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn summary(fail: usize, warn: usize) -> String {
    let warnings = match warn {
        0 => String::new(),
        1 => "; 1 warning".to_owned(),
        n => format!("; {n} warnings"),
    };
    match fail {
        0 => format!("nothing fails{warnings}"),
        1 => format!("1 thing fails{warnings}"),
        n => format!("{n} things fail{warnings}"),
    }
}

/// Aligned lines, in colour where a terminal shows them.
pub(crate) struct Lines {
    colour: bool,
}

impl Lines {
    pub(crate) fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && std::io::stdout().is_terminal() }
    }

    pub(crate) fn print(&self, check: &Check) {
        let colour = match check.verdict {
            Verdict::Ok => "32",
            Verdict::Info => "2",
            Verdict::Warn => "33",
            Verdict::Fail => "1;31",
        };
        let word = format!("{:<4}", check.verdict.label());
        let word = if self.colour { format!("\x1b[{colour}m{word}\x1b[0m") } else { word };
        println!("{word}  {:<11}  {}", check.topic, check.found);
        if let Some(cure) = &check.cure {
            println!("{:19}→ {cure}", "");
        }
        // Slow checks follow.
        let _ = std::io::stdout().flush();
    }
}
