//! `schema`: the JSON Schema of a file or message, or the AsyncAPI document.

use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to print; without it, the names there are.
    name: Option<String>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let names = edge_agent::schema::names();
    let Some(name) = args.name else {
        println!("{}", names.join("\n"));
        return Ok(ExitCode::SUCCESS);
    };
    let Some(document) = edge_agent::schema::document(&name) else {
        anyhow::bail!("there is no schema \"{name}\"; choose one of: {}", names.join(", "));
    };
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}
