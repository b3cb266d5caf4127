//! `account add|remove|list|password`: who may log in to the status page from another machine.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use edge_agent::access::{
    Account, AccountName, Accounts, AccountsError, LEAST_CHARS, MOST_ACCOUNTS, PasswordHash, Role,
};
use edge_agent::secret::Secret;

use super::site::Hidden;

/// Characters of a line on the standard input.
const MOST_TYPED: u64 = 1024;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge-agent account add /var/lib/ngatu/accounts an.nguyen --role operator
  edge-agent account password /var/lib/ngatu/accounts an.nguyen
  edge-agent account remove /var/lib/ngatu/accounts an.nguyen

A password is asked for at the terminal, or read as one line from the standard input; never from the command line, which
every user of the machine can read. The service uses the file within seconds and ends the sessions of changed accounts.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes an account, and the file where there is none.
    Add {
        /// The accounts file: status.remote.accounts of the site file.
        file: PathBuf,
        /// 1 to 32 of a-z, 0-9, . - _
        name: String,
        /// What it is for: docs/status-page.md tells what each sees.
        #[arg(long)]
        role: Role,
    },
    /// Takes an account away; its sessions end.
    Remove {
        /// The accounts file.
        file: PathBuf,
        /// The account.
        name: String,
    },
    /// Lists names and roles.
    List {
        /// The accounts file.
        file: PathBuf,
    },
    /// Gives an account another password; its sessions end.
    Password {
        /// The accounts file.
        file: PathBuf,
        /// The account.
        name: String,
    },
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Add { file, name, role } => add(&file, &name, role)?,
        Command::Remove { file, name } => {
            let (mut accounts, name) = (Accounts::read(&file)?, self::name(&name)?);
            if !accounts.remove(&name) {
                bail!("there is no account {name}\n    → edge-agent account list {}", file.display());
            }
            accounts.write(&file)?;
            println!("{name}: removed");
        }
        Command::List { file } => {
            for account in Accounts::read(&file)?.iter() {
                println!("{}  {}", account.name, account.role.label());
            }
        }
        Command::Password { file, name } => password(&file, &name)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(file: &Path, text: &str, role: Role) -> anyhow::Result<()> {
    let name = name(text)?;
    let mut accounts = match Accounts::read(file) {
        Err(AccountsError::Unreadable { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {
            Accounts::default()
        }
        read => read?,
    };
    if accounts.find(name.as_str()).is_some() {
        bail!(
            "there is an account {name} already\n    → edge-agent account password {} {name}; for another role, remove it first",
            file.display()
        );
    }
    if accounts.is_full() {
        bail!("there are {MOST_ACCOUNTS} accounts already\n    → remove those that nobody uses");
    }
    let hash = PasswordHash::of(name.as_str(), &new_password(&name)?)?;
    accounts.put(Account { name: name.clone(), role, hash });
    accounts.write(file)?;
    println!("{name}: added as {}", role.label());
    Ok(())
}

fn password(file: &Path, text: &str) -> anyhow::Result<()> {
    let (mut accounts, name) = (Accounts::read(file)?, name(text)?);
    let Some(account) = accounts.find(name.as_str()).cloned() else {
        bail!("there is no account {name}\n    → edge-agent account add {} {name} --role …", file.display());
    };
    let hash = PasswordHash::of(name.as_str(), &new_password(&name)?)?;
    accounts.put(Account { hash, ..account });
    accounts.write(file)?;
    println!("{name}: has a new password");
    Ok(())
}

fn name(text: &str) -> anyhow::Result<AccountName> {
    AccountName::new(text).with_context(|| format!("\"{text}\" is no account's name: write 1 to 32 of a-z, 0-9, . - _"))
}

/// Asked for twice at a terminal; else the one line that comes.
fn new_password(name: &AccountName) -> anyhow::Result<Secret> {
    if !std::io::stdin().is_terminal() {
        return line();
    }
    let ask = |words: String| {
        eprint!("{words}: ");
        std::io::stderr().flush()?;
        let hidden = Hidden::start();
        let typed = line();
        drop(hidden);
        eprintln!();
        typed
    };
    let first = ask(format!("New password of {name}, {LEAST_CHARS} characters at least"))?;
    if first != ask("The same again".to_owned())? {
        bail!("the two are not the same; nothing was changed");
    }
    Ok(first)
}

/// A line without its end; blanks belong to a password.
fn line() -> anyhow::Result<Secret> {
    let mut typed = String::new();
    let read = std::io::Read::take(std::io::stdin().lock(), MOST_TYPED).read_line(&mut typed);
    if read.context("the password cannot be read")? == 0 {
        bail!("no password came on the standard input; nothing was changed");
    }
    Ok(Secret::new(typed.trim_end_matches(['\r', '\n'])))
}
