//! `site init`: asks for the junction, the broker and the cameras, tries the cameras, and writes a first site file.
//!
//! # Invariants
//! - The file is one that `check` accepts; an existing one is replaced only with `--force`.
//! - A password is written to `credentials/` with mode 0600 and nowhere else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use analytics::{BoxId, SiteId};
use anyhow::bail;
use edge_agent::config::{self, BrokerDraft, Home, Site, SiteDraft};
use edge_agent::doctor;
use edge_agent::secret::Secret;
use jiff::tz::TimeZone;

use super::address::{is_loopback, plain, without_log_in};
use super::ask::{Asker, Question};
use super::files::{credentials_dir, write};

/// The folder of the packaged service, which runs as a user of its own.
const PACKAGED: &str = "/etc/ngatu";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Asks for what no flag says. Passwords are written to credentials/ beside the site file, which only names them.

Examples:
  edge-agent site init                     asks, and writes site.toml here
  edge-agent site init /etc/ngatu
  edge-agent site init --yes --site-id ql10-nut-01 --camera nam=rtsp://192.0.2.11/sub \\
      --credential nam=nam.txt --camera bac=rtsp://192.0.2.12/sub")]
pub(crate) struct Args {
    /// The site file to write, or the folder for it.
    #[arg(value_name = "DIR|FILE", default_value = "site.toml")]
    path: PathBuf,

    /// Id of the junction: a-z, 0-9, '-'.
    #[arg(long, value_name = "ID")]
    site_id: Option<String>,

    /// Its name in Vietnamese.
    #[arg(long, value_name = "TEXT")]
    name_vi: Option<String>,

    /// Its name in English.
    #[arg(long, value_name = "TEXT")]
    name_en: Option<String>,

    /// IANA time zone.
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,

    /// Id of this box.
    #[arg(long, value_name = "ID")]
    box_id: Option<String>,

    /// How this box runs it: a file of hw-profiles/.
    #[arg(long, value_name = "NAME")]
    hw_profile: Option<String>,

    /// The broker, without user and password.
    #[arg(long, value_name = "URL")]
    broker: Option<String>,

    /// PEM file of the authority that signed the broker's certificate (mqtts).
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Accept mqtt:// beyond loopback: anyone on the way can read and forge events.
    #[arg(long)]
    allow_plaintext: bool,

    /// Where events wait.
    #[arg(long, value_name = "DIR")]
    storage: Option<PathBuf>,

    /// A camera (may be repeated), without user and password.
    #[arg(long, value_name = "ID=URL")]
    pub(super) camera: Vec<String>,

    /// A file that holds a camera's user:password (may be repeated).
    #[arg(long, value_name = "ID=FILE")]
    pub(super) credential: Vec<String>,

    /// What is watched for, on all cameras given by --camera: a file of pipelines/.
    #[arg(long, value_name = "NAME")]
    pub(super) pipeline: Option<String>,

    /// Ask nothing: what no flag says is the default.
    #[arg(long, short)]
    yes: bool,

    /// Do not try the cameras.
    #[arg(long)]
    pub(super) no_probe: bool,

    /// Replace a site file and credentials that are there.
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    let file = if args.path.is_dir() { args.path.join("site.toml") } else { args.path.clone() };
    if file.exists() && !args.force {
        bail!("{} is there already\n    → name another file, or replace it with --force", file.display());
    }
    let mut init = Init { asker: Asker::new(args.yes), home, file: &file, args: &args, secrets: BTreeMap::new() };
    let draft = init.draft()?;
    let secrets = init.secrets;
    let text = draft.to_toml();
    let site = config::load_site_text(&file, &text, home)?;
    write(&file, &text, &secrets, args.force)?;
    // What was typed was tried then.
    if !args.no_probe && !args.camera.is_empty() {
        try_cameras(&site)?;
    }
    next(&file, &draft, &secrets);
    Ok(ExitCode::SUCCESS)
}

/// What is asked, and the secrets that were answered.
pub(super) struct Init<'a> {
    pub(super) asker: Asker,
    pub(super) home: &'a Home,
    pub(super) file: &'a Path,
    pub(super) args: &'a Args,
    /// By the name of their credential.
    pub(super) secrets: BTreeMap<String, Secret>,
}

impl Init<'_> {
    fn draft(&mut self) -> anyhow::Result<SiteDraft> {
        let args = self.args;
        if self.asker.asks() {
            println!("A first site file: {}. Enter takes what stands in brackets.", self.file.display());
        }
        self.heading("Junction");
        let id = self.text(
            "--site-id",
            "id, part of every topic, such as ql10-nut-01",
            None,
            &args.site_id,
            &id_of(SiteId::new),
        )?;
        let vi = self.text("--name-vi", "name in Vietnamese", Some(&id), &args.name_vi, &not_empty)?;
        let en = self.text("--name-en", "name in English", Some(&vi), &args.name_en, &not_empty)?;
        let timezone =
            self.text(
                "--timezone",
                "time zone",
                Some("Asia/Ho_Chi_Minh"),
                &args.timezone,
                &|name| match TimeZone::get(name) {
                    Ok(_) => Ok(name.to_owned()),
                    Err(_) => Err(format!("there is no time zone \"{name}\": write one such as Asia/Ho_Chi_Minh")),
                },
            )?;
        self.heading("Box");
        let box_id = self.text("--box-id", "id of this box", Some("box-a"), &args.box_id, &id_of(BoxId::new))?;
        let hw_profile =
            self.choice("--hw-profile", "how it runs", "cpu-x86_64", &args.hw_profile, &self.home.hw_profile_names())?;
        self.heading("Broker");
        let broker = self.broker()?;
        self.heading("Cameras");
        let cameras = if args.camera.is_empty() { self.asked_cameras()? } else { self.given_cameras()? };
        Ok(SiteDraft {
            id,
            name: (vi, en),
            timezone,
            box_id,
            hw_profile,
            broker,
            storage: args.storage.clone(),
            cameras,
        })
    }

    fn heading(&self, words: &str) {
        if self.asker.asks() {
            println!("\n{words}");
        }
    }

    pub(super) fn text(
        &mut self,
        flag: &str,
        words: &str,
        default: Option<&str>,
        given: &Option<String>,
        judge: &dyn Fn(&str) -> Result<String, String>,
    ) -> anyhow::Result<String> {
        self.asker.ask(&Question { flag, words, default }, given.as_deref(), judge)
    }

    /// One of a few names.
    pub(super) fn choice(
        &mut self,
        flag: &str,
        words: &str,
        preferred: &str,
        given: &Option<String>,
        known: &[String],
    ) -> anyhow::Result<String> {
        let default = known.iter().find(|name| *name == preferred).or(known.first()).map(String::as_str);
        let words = format!("{words} ({})", known.join(", "));
        self.text(flag, &words, default, given, &|name| {
            let there = known.iter().any(|known| known == name);
            if there {
                Ok(name.to_owned())
            } else {
                Err(format!("there is no \"{name}\"; choose one of: {}", known.join(", ")))
            }
        })
    }

    fn broker(&mut self) -> anyhow::Result<BrokerDraft> {
        let args = self.args;
        let question = Question {
            flag: "--broker",
            words: "address, mqtts://host:8883 (mqtt:// on this machine alone)",
            default: Some("mqtt://127.0.0.1:1883"),
        };
        let url =
            self.asker.ask(&question, args.broker.as_deref(), &|text| without_log_in(text, &["mqtt", "mqtts"]))?;
        let secure = url.scheme() == "mqtts";
        let mut allow_plaintext = false;
        if !secure && !is_loopback(&url) {
            let words = "anyone between this box and the broker can read and forge events; accept that?";
            allow_plaintext = args.allow_plaintext || self.asker.confirm(words, false)?;
            if !allow_plaintext {
                bail!(
                    "mqtt:// beyond this machine\n    → give an mqtts:// address, or accept it with --allow-plaintext"
                );
            }
        }
        let mut ca = args.ca.clone();
        if secure && ca.is_none() {
            let question = Question {
                flag: "--ca",
                words: "PEM file of the authority that signed its certificate",
                default: Some("/etc/ngatu/ca.pem"),
            };
            ca = Some(self.asker.ask(&question, None, &|text| not_empty(text).map(PathBuf::from))?);
        }
        let user = if self.asker.asks() {
            self.text("--broker", "user name, empty for none", Some(""), &None, &|user| Ok(user.to_owned()))?
        } else {
            String::new()
        };
        let mut login = None;
        if !user.is_empty() {
            let credential = "mqtt-password".to_owned();
            if !self.is_kept(&credential) {
                let password = self.asker.secret("password")?;
                self.secrets.insert(credential.clone(), Secret::new(password));
            }
            login = Some((user, credential));
        }
        Ok(BrokerDraft { url: plain(&url), allow_plaintext, ca, login })
    }

    /// Whether a credential is there that is to be used as it is.
    pub(super) fn is_kept(&self, credential: &str) -> bool {
        let path = credentials_dir(self.file).join(credential);
        let kept = path.exists() && !self.args.force;
        if kept {
            println!("    {} is there and is used", path.display());
        }
        kept
    }
}

pub(super) fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("write something".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn id_of<T>(
    parse: fn(&str) -> Result<T, analytics::id::InvalidId>,
) -> impl Fn(&str) -> Result<String, String> {
    move |text| parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Says what each camera sends; one that does not answer now is no error.
fn try_cameras(site: &Site) -> anyhow::Result<()> {
    println!("\nTrying the cameras …");
    let runtime = crate::cmd::tokio_runtime()?;
    runtime.block_on(doctor::check_cameras(site, &mut |check| crate::cmd::doctor::Lines::new().print(&check)));
    runtime.shutdown_background();
    Ok(())
}

fn next(file: &Path, draft: &SiteDraft, secrets: &BTreeMap<String, Secret>) {
    let name = file.display();
    println!("\nWritten: {name}");
    for secret in secrets.keys() {
        println!("         {} (0600)", credentials_dir(file).join(secret).display());
    }
    let camera = draft.cameras.first().map_or("", |camera| camera.id.as_str());
    let mut steps = vec![
        (
            format!("edge-agent site picture {name} {camera}"),
            "a picture with a grid: read zones off it, write them into the file",
        ),
        (format!("edge-agent check {name}"), "every error of the file, with its cure"),
        (format!("edge-agent doctor {name}"), "this box, the broker and the cameras, tried"),
    ];
    let packaged = file.canonicalize().is_ok_and(|file| file.parent() == Some(Path::new(PACKAGED)));
    if packaged && !secrets.is_empty() {
        steps.push((
            "systemctl edit ngatu-edge-agent".to_owned(),
            "add the lines below: the service cannot read root's files",
        ));
    }
    steps.push(match packaged {
        true => ("systemctl restart ngatu-edge-agent".to_owned(), "the service"),
        false => (format!("edge-agent run {name}"), "the service"),
    });
    let width = steps.iter().map(|(step, _)| step.chars().count()).max().unwrap_or_default();
    println!("\nNext:");
    for (step, what) in steps {
        println!("  {step:<width$}   {what}");
    }
    if packaged && !secrets.is_empty() {
        println!("\n  [Service]");
        for secret in secrets.keys() {
            println!("  LoadCredential={secret}:{PACKAGED}/credentials/{secret}");
        }
    }
}
