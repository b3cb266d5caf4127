//! `completions`: what a shell needs to complete this program's command line.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge-agent completions bash > /usr/share/bash-completion/completions/edge-agent
  edge-agent completions zsh > \"${fpath[1]}/_edge-agent\"
  edge-agent completions fish > ~/.config/fish/completions/edge-agent.fish")]
pub(crate) struct Args {
    /// Which shell.
    shell: Shell,
}

/// The shells that Debian packages have a place for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    // Into memory first: the generator panics when a pipe closes.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::Cli::command(), "edge-agent", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
