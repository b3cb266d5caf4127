//! `check`: every error of a site file at once, and what the site amounts to when there is none.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use edge_agent::config::{self, Home, Site};
use edge_agent::secret::redact;
use edge_agent::setup::{self, SetupError};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The site file.
    site: PathBuf,
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    let site = config::load_site(&args.site, home)?;
    let runtime = setup::onnx_runtime(home);
    let open = |model: &str| setup::try_model(runtime.as_ref().ok(), home, model);
    let failures: Vec<SetupError> = models(&site).into_iter().filter_map(|model| open(model).err()).collect();
    if !failures.is_empty() {
        failures.iter().for_each(|failure| eprintln!("{}: {failure}", args.site.display()));
        return Ok(ExitCode::from(super::EXIT_CONFIG));
    }
    print(&site);
    if let Err(absent) = runtime {
        println!("  note      the models were not opened: {absent}");
    }
    println!("ok: no errors");
    Ok(ExitCode::SUCCESS)
}

/// The models that the site's cameras use, each once.
fn models(site: &Site) -> BTreeSet<&str> {
    site.cameras.iter().map(|camera| camera.model.as_str()).collect()
}

fn print(site: &Site) {
    println!("{}/{}: {} – {}", site.id, site.box_id, site.name.vi, site.name.en);
    println!("  broker    {} (topics under {}/v1/{}/{})", site.mqtt.url, site.mqtt.root, site.id, site.box_id);
    println!("  profile   {} ({} inference workers)", site.hw_profile.name, site.hw_profile.workers);
    println!("  storage   {} (outbox {} MiB)", site.storage.path.display(), site.storage.outbox_bytes >> 20);
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
        for rule in &camera.rules {
            println!("            rule {}: {} ({})", rule.id, rule.params.kind(), rule.severity.label());
        }
    }
    for camera in &site.disabled {
        println!("  camera    {camera}: disabled");
    }
    for notice in &site.notices {
        println!("  note      {notice}");
    }
}
