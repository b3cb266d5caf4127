//! `check`: every error of a site file at once, and what the site amounts to when there is none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use analytics::WallTime;
use edge_agent::apply;
use edge_agent::config::{self, ConfigError, ConfigErrors, Home, SecretProblem, SecretUse, Site};
use edge_agent::doctor::{self, Verdict};
use edge_agent::secret::redact;
use edge_agent::setup::{self, SetupError};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The site file.
    site: PathBuf,
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    let (_, site) = apply::signed_site(&args.site, home)?;
    let (wrong_secrets, absent_secrets) = secrets(&site);
    if !wrong_secrets.0.is_empty() {
        return Err(wrong_secrets.into());
    }
    let runtime = setup::onnx_runtime(home, site.hw_profile.build());
    let open = |model: &str| setup::try_model(runtime.as_ref().ok(), home, model);
    let failures: Vec<SetupError> = models(&site).into_iter().filter_map(|model| open(model).err()).collect();
    if !failures.is_empty() {
        failures.iter().for_each(|failure| eprintln!("{failure}"));
        return Ok(ExitCode::from(super::EXIT_CONFIG));
    }
    print(&site);
    print_signer(&args.site, home);
    if let Some(over) = apply::over(&args.site, &site) {
        println!("  note      {over}");
    }
    if let Err(absent) = runtime {
        println!("  note      the models were not opened: {absent}");
    }
    for check in doctor::check_certificates(&site) {
        let cure = check.cure.as_ref().map(|cure| format!("; {cure}")).unwrap_or_default();
        println!("  {:9} {}{cure}", if check.verdict == Verdict::Ok { "tls" } else { "note" }, check.found);
    }
    // Not errors: the service may have what this user has not.
    for absent in absent_secrets {
        println!("  note      {}: {}", absent.key, absent.what);
    }
    println!("ok: no errors");
    Ok(ExitCode::SUCCESS)
}

/// Whose the site file is; that it need not be signed.
fn print_signer(site: &Path, home: &Home) {
    match doctor::check_site_file(site, home) {
        Some(check) => println!("  signed    {}", check.found),
        None => println!("  note      no key is installed: models and configuration are taken unsigned"),
    }
}

/// The models that the site's cameras use, each once.
fn models(site: &Site) -> BTreeSet<&str> {
    site.cameras.iter().map(|camera| camera.model.as_str()).collect()
}

/// Secrets that are not in order, and those that this user does not find.
fn secrets(site: &Site) -> (ConfigErrors, Vec<ConfigError>) {
    let problems = site.secrets.iter().filter_map(SecretUse::problem);
    let (wrong, absent): (Vec<_>, Vec<_>) = problems.partition(|problem| problem.is_certain);
    let errors = |problems: Vec<SecretProblem>| problems.into_iter().map(|problem| problem.error).collect();
    (ConfigErrors(errors(wrong)), errors(absent))
}

fn print_holidays(site: &Site) {
    let now = jiff::Timestamp::now().as_nanosecond();
    let calendar = site.calendar();
    let next = calendar.next_holiday(WallTime::from_unix_nanos(i64::try_from(now).unwrap_or_default()));
    match next {
        Some((date, holiday)) => {
            println!("  holidays  {}, next {date}: {} – {}", site.holidays.len(), holiday.name.vi, holiday.name.en);
        }
        None => println!("  holidays  {}, none within a year", site.holidays.len()),
    }
}

fn print(site: &Site) {
    println!("{}/{}: {} – {}", site.id, site.box_id, site.name.vi, site.name.en);
    println!("  broker    {} (topics under {}/v1/{}/{})", site.mqtt.url, site.mqtt.root, site.id, site.box_id);
    println!("  profile   {} ({} inference workers)", site.hw_profile.name, site.hw_profile.workers);
    println!("  storage   {} (outbox {} MiB)", site.storage.path.display(), site.storage.outbox_bytes >> 20);
    if !site.holidays.is_empty() {
        print_holidays(site);
    }
    for camera in &site.cameras {
        // Some cameras take the password in the path or the query.
        let stream = camera.detect.as_ref().map(|stream| redact(stream.url.as_str()));
        let device = camera.device.as_ref().map(|device| device.device.display().to_string());
        let stream = stream.or(device).unwrap_or_else(|| "no detect stream: replay only".to_owned());
        println!("  camera    {}: {stream}", camera.id);
        if let Some(record) = &camera.record {
            println!("            record {}: received, not kept in this version", redact(record.url.as_str()));
        }
        println!("            {} at {} fps, pipeline {}", camera.model, camera.analyse_fps, camera.pipeline.name);
        if let Some(ground) = &camera.places.ground {
            println!("            {}", config::calibration_summary(ground, camera.places.residual));
        }
        for rule in &camera.rules {
            let armed = rule.schedule.as_ref().map(|schedule| format!(", armed {schedule}")).unwrap_or_default();
            println!("            rule {}: {} ({}){armed}", rule.id, rule.params.kind(), rule.severity.label());
        }
    }
    for camera in &site.disabled {
        println!("  camera    {camera}: disabled");
    }
    for notice in &site.notices {
        println!("  note      {notice}");
    }
}
