//! `profiles`: the hardware profiles there are, and what one asks of the service.

use std::process::ExitCode;

use edge_agent::config::{Home, hw_profiles};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge-agent profiles                       which kinds of box are described?
  edge-agent profiles intel-openvino --unit | sudo tee \\
    /etc/systemd/system/ngatu-edge-agent.service.d/profile.conf
                                            lets the service at the devices that the profile needs

Which of them this box can be run with: edge-agent doctor. The best setting for it: edge-agent tune.")]
pub(crate) struct Args {
    /// One of them; without it, all.
    name: Option<String>,

    /// Print the drop-in for the package's systemd unit.
    #[arg(long, requires = "name")]
    unit: bool,
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    let profiles = hw_profiles(home);
    let mut shown = profiles.iter().filter(|profile| args.name.as_ref().is_none_or(|name| *name == profile.name));
    if args.unit {
        print!("{}", shown.next().map(edge_agent::config::HwProfile::unit).unwrap_or_default());
    } else {
        for profile in shown.by_ref() {
            println!("{}\n  {}\n  measured: {}", profile.name, profile.description, profile.measured);
        }
    }
    match &args.name {
        Some(name) if !profiles.iter().any(|profile| profile.name == *name) => {
            let known: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
            eprintln!(
                "edge-agent: there is no good hardware profile \"{name}\"\n    → choose one of: {}",
                known.join(", ")
            );
            Ok(ExitCode::from(super::EXIT_CONFIG))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
