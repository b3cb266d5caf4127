//! What needs no site: help, schemas, models; and the demonstration.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use edge_agent::publish::wire::Incident;
use serde_json::Value;

use crate::agent::{Agent, edge_agent, finished, root};
use crate::clip::vtest;

#[test]
fn every_command_has_help() {
    for command in [
        "demo",
        "run",
        "check",
        "replay",
        "eval",
        "watch",
        "models",
        "schema",
        "completions",
        "man",
        "doctor",
        "site",
        "audit",
        "hold",
        "factory-reset",
    ] {
        let help = finished([command, "--help"]).succeeded().stdout;
        assert!(help.contains("Usage: edge-agent") && help.contains(command), "{help}");
        assert!(finished(["--help"]).succeeded().stdout.contains(&format!("\n  {command} ")));
    }
    assert!(finished(["--version"]).succeeded().stdout.starts_with("edge-agent 0."));
    let usage = finished(["fly"]).failed(2);
    assert!(usage.contains("fly"), "{usage}");
}

#[test]
fn every_shell_takes_its_completions() {
    for (shell, check) in [("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")] {
        let script = finished(["completions", shell]).succeeded().stdout;
        assert!(script.contains("doctor") && script.contains("models-dir"), "{shell}");
        // Of the shells only bash is sure to be here.
        let Ok(mut child) = Command::new(check).arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn() else {
            assert_ne!(shell, "bash");
            continue;
        };
        child.stdin.take().expect("piped").write_all(script.as_bytes()).expect("reads");
        let done = child.wait_with_output().expect("ends");
        assert!(done.status.success(), "{shell}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn every_command_has_a_manual_page_without_warnings() {
    let folder = tempfile::tempdir().expect("a folder");
    finished(["man".as_ref(), "--dir".as_ref(), folder.path().as_os_str()]).succeeded();
    let main = std::fs::read_to_string(folder.path().join("edge-agent.1")).expect("written");
    for section in ["NAME", "SYNOPSIS", "OPTIONS", "COMMANDS", "FILES", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES"] {
        let heading = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
        assert!(heading.iter().any(|heading| main.contains(heading)), "{section}\n{main}");
    }
    assert_eq!(finished(["man"]).succeeded().stdout, main);
    for page in ["run", "doctor", "site-init", "site-picture", "models-pull", "replay", "eval-tracks", "eval-incidents"]
    {
        let path = folder.path().join(format!("edge-agent-{page}.1"));
        let text = std::fs::read_to_string(&path).expect(page);
        assert!(text.contains(".SH EXAMPLES") || page == "run", "{text}");
        // groff, where it is here, reads what man would show.
        let groff = Command::new("groff").args(["-man", "-ww", "-Kutf8", "-Tutf8", "-z"]).arg(&path).output();
        if let Ok(done) = groff {
            assert!(
                done.status.success() && done.stderr.is_empty(),
                "{page}: {}",
                String::from_utf8_lossy(&done.stderr)
            );
        }
    }
}

#[test]
fn every_schema_is_printed_and_is_one() {
    let names = finished(["schema"]).succeeded().stdout;
    for name in names.lines() {
        let text = finished(["schema", name]).succeeded().stdout;
        let document: Value = serde_json::from_str(&text).expect("JSON");
        if name == "asyncapi" {
            assert_eq!(document["asyncapi"], "3.0.0");
        } else {
            jsonschema::meta::validate(&document).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    assert!(["site", "model", "incident", "health", "asyncapi"].iter().all(|name| names.contains(name)), "{names}");
    let unknown = finished(["schema", "incidents"]).failed(1);
    assert!(unknown.contains("no schema \"incidents\"") && unknown.contains("camera_status"), "{unknown}");
}

#[test]
fn the_bundled_model_is_listed_and_proven() {
    let listed = finished(["models", "list"]).succeeded().stdout;
    assert!(listed.contains("ssdlite-mobilenet-v2") && listed.contains("yolox-nano"), "{listed}");
    let proven = finished(["models", "verify", "ssdlite-mobilenet-v2"]).succeeded().stdout;
    assert!(proven.contains("ssdlite-mobilenet-v2: ok"), "{proven}");
    let unknown = finished(["models", "verify", "yolo-v99"]);
    assert!(unknown.stdout.contains("no model \"yolo-v99\""), "{}", unknown.stdout);
    unknown.failed(1);
}

/// An installation whose demonstration stores what it stores in a folder of its own.
fn home_in(folder: &Path) {
    for part in ["models", "pipelines", "hw-profiles", ".cache"] {
        std::os::unix::fs::symlink(root().join(part), folder.join(part)).expect("links");
    }
    let (site, deploy) = ("edge-agent/deploy/demo-site.toml", folder.join("edge-agent/deploy"));
    std::fs::create_dir_all(&deploy).expect("makes the folder");
    std::fs::copy(root().join(site), folder.join(site)).expect("copies");
}

#[test]
fn the_demonstration_shows_alerts_here_and_to_a_watcher_and_ends() {
    vtest();
    let folder = tempfile::tempdir().expect("a folder");
    home_in(folder.path());
    // Taken, here or by somebody else: the demonstration must find other ports.
    let _taken = [1883, 8554].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    let demo = Agent::start(edge_agent(["demo", "--for", "15s"]).env("NGATU_HOME", folder.path()));
    let broker = demo.stdout.line_with("broker  mqtt://").split_off("broker  ".len());
    let watched = finished(["watch", "--broker", &broker, "--json", "--count", "2"]).succeeded().stdout;
    let watched: Vec<Incident> =
        watched.lines().map(|line| serde_json::from_str(line).expect("an event a line")).collect();
    assert_eq!(watched.len(), 2);
    assert!(!broker.ends_with(":1883"), "{broker}");

    let done = demo.finish().succeeded();
    let alerts: Vec<&str> = done.stdout.lines().filter(|line| line.contains(" · Nghi vấn ")).collect();
    assert!(alerts.len() >= 2, "{}", done.stdout);
    assert!(alerts.iter().all(|alert| alert.contains("Lối đi bộ")), "{alerts:?}");
    let summary = done.stdout.lines().last().expect("a summary");
    let counted = |what: &str| {
        let part = summary.split(", ").find_map(|part| part.strip_suffix(what));
        part.and_then(|number| number.trim().parse::<usize>().ok()).unwrap_or_else(|| panic!("{what}: {summary}"))
    };
    assert!(counted("analysed") > 0 && counted("events delivered") >= alerts.len().min(2), "{summary}");
    assert_eq!(counted("waiting"), 0, "{summary}");
}
