//! `site init`: asks for the junction, the broker and the cameras, tries the cameras, and writes a first site file.
//!
//! # Invariants
//! - The file is one that `check` accepts; an existing one is replaced only with `--force`.
//! - A password is written to `credentials/` with mode 0600 and nowhere else.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use analytics::{BoxId, CameraId, SiteId};
use anyhow::{Context, bail};
use edge_agent::config::{self, BrokerDraft, CameraDraft, Home, Site, SiteDraft};
use edge_agent::doctor;
use edge_agent::secret::Secret;
use jiff::tz::TimeZone;
use url::Url;

use super::ask::{Asker, Question};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Asks for what no flag says. Passwords are written to credentials/ beside the site file, which only names them.

Examples:
  edge-agent site init                     asks, and writes site.toml here
  edge-agent site init /etc/ngatu
  edge-agent site init --yes --site-id ql10-nut-01 --broker mqtt://127.0.0.1:1883 \\
      --camera nam=rtsp://192.0.2.11/sub --credential nam=/root/nam.txt --camera bac=rtsp://192.0.2.12/sub")]
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
    camera: Vec<String>,

    /// A file that holds a camera's user:password (may be repeated).
    #[arg(long, value_name = "ID=FILE")]
    credential: Vec<String>,

    /// What is watched for, on all cameras given by --camera: a file of pipelines/.
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,

    /// Ask nothing: what no flag says is the default.
    #[arg(long, short)]
    yes: bool,

    /// Do not try the cameras.
    #[arg(long)]
    no_probe: bool,

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
    if !args.no_probe {
        try_cameras(&site)?;
    }
    next(&file, &draft, &secrets);
    Ok(ExitCode::SUCCESS)
}

/// What is asked, and the secrets that were answered.
struct Init<'a> {
    asker: Asker,
    home: &'a Home,
    file: &'a Path,
    args: &'a Args,
    /// By the name of their credential.
    secrets: BTreeMap<String, Secret>,
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

    fn text(
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
    fn choice(
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
    fn is_kept(&self, credential: &str) -> bool {
        let path = credentials_dir(self.file).join(credential);
        let kept = path.exists() && !self.args.force;
        if kept {
            println!("    {} is there and is used", path.display());
        }
        kept
    }

    fn given_cameras(&mut self) -> anyhow::Result<Vec<CameraDraft>> {
        let mut logins = BTreeMap::new();
        for given in &self.args.credential {
            let (id, path) = given.split_once('=').with_context(|| format!("--credential {given}: write ID=FILE"))?;
            logins.insert(id, Path::new(path));
        }
        let pipelines = self.home.pipeline_names();
        let pipeline = self.args.pipeline.clone().or_else(|| self.default_pipeline());
        let pipeline = self.choice("--pipeline", "what is watched for", "traffic-junction", &pipeline, &pipelines)?;
        let mut cameras = Vec::new();
        for given in &self.args.camera {
            // Nothing of it is repeated before it is clear that no password is in it.
            let (id, url) = given.split_once('=').context("--camera: write ID=rtsp://host/path")?;
            let id = id_of(CameraId::new)(id).map_err(|reason| anyhow::anyhow!("--camera: {reason}"))?;
            let url = without_log_in(url, &["rtsp"]).map_err(|reason| anyhow::anyhow!("--camera {id}: {reason}"))?;
            let credential = self.given_credential(&id, logins.remove(id.as_str()))?;
            let name = (format!("Camera {id}"), format!("Camera {id}"));
            cameras.push(CameraDraft { id, name, url: plain(&url), credential, pipeline: pipeline.clone() });
        }
        if let Some(id) = logins.keys().next() {
            bail!("--credential {id}: there is no --camera {id}");
        }
        Ok(cameras)
    }

    /// The credential from a file, or one that is beside the site file already.
    fn given_credential(&mut self, id: &str, from: Option<&Path>) -> anyhow::Result<Option<String>> {
        let credential = format!("cam-{id}");
        let Some(path) = from else {
            return Ok(credentials_dir(self.file).join(&credential).exists().then_some(credential));
        };
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let line = text.lines().next().unwrap_or_default();
        if !line.contains(':') {
            bail!("{}: write user:password on one line", path.display());
        }
        self.secrets.insert(credential.clone(), Secret::new(line));
        Ok(Some(credential))
    }

    fn default_pipeline(&self) -> Option<String> {
        self.home.pipeline_names().into_iter().find(|name| name == "traffic-junction")
    }

    fn asked_cameras(&mut self) -> anyhow::Result<Vec<CameraDraft>> {
        if !self.asker.asks() {
            bail!("--camera is missing, and --yes asks nothing\n    → --camera ID=rtsp://host/path");
        }
        println!("  Use the sub-stream: 640x360 is enough to detect. An empty address ends the list.");
        let mut cameras: Vec<CameraDraft> = Vec::new();
        loop {
            let number = cameras.len() + 1;
            let words = format!("address of camera {number}, rtsp://host/path");
            let question = Question { flag: "--camera", words: &words, default: Some("") };
            let is_first = cameras.is_empty();
            let url = self.asker.ask(&question, None, &|text| match text {
                "" if is_first => Err("a site has at least one camera".to_owned()),
                "" => Ok(None),
                text => stream_url(text).map(Some),
            })?;
            let Some(url) = url else { return Ok(cameras) };
            let taken: Vec<String> = cameras.iter().map(|camera| camera.id.clone()).collect();
            cameras.push(self.asked_camera(number, url, &taken)?);
        }
    }

    fn asked_camera(&mut self, number: usize, mut url: Url, taken: &[String]) -> anyhow::Result<CameraDraft> {
        let default = format!("cam-{number}");
        let id = self.text("--camera", "its id, such as huong-nam", Some(&default), &None, &|text| {
            let id = id_of(CameraId::new)(text)?;
            if taken.contains(&id) { Err(format!("there is a camera \"{id}\" already")) } else { Ok(id) }
        })?;
        let vi = self.text("--camera", "its name in Vietnamese", Some(&id), &None, &not_empty)?;
        let en = self.text("--camera", "its name in English", Some(&vi), &None, &not_empty)?;
        let credential = self.asked_log_in(&id, &url)?;
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let known = self.home.pipeline_names();
        let pipeline = self.choice("--pipeline", "what is watched for", "traffic-junction", &None, &known)?;
        Ok(CameraDraft { id, name: (vi, en), url: plain(&url), credential, pipeline })
    }

    /// User and password, from the address or asked for; the name of their credential.
    fn asked_log_in(&mut self, id: &str, url: &Url) -> anyhow::Result<Option<String>> {
        let credential = format!("cam-{id}");
        if self.is_kept(&credential) {
            return Ok(Some(credential));
        }
        let (user, password) = if url.username().is_empty() {
            let words = "user name, empty where it asks for none";
            let user = self.text("--credential", words, Some(""), &None, &|user| match user.contains(':') {
                true => Err("a user name has no colon; the password is asked for next".to_owned()),
                false => Ok(user.to_owned()),
            })?;
            if user.is_empty() {
                return Ok(None);
            }
            (user, self.asker.secret("password, not shown")?)
        } else {
            println!("    user and password are taken out of the address");
            (decoded(url.username()), decoded(url.password().unwrap_or_default()))
        };
        self.secrets.insert(credential.clone(), Secret::new(format!("{user}:{password}")));
        Ok(Some(credential))
    }
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("write something".to_owned()) } else { Ok(text.to_owned()) }
}

fn id_of<T>(parse: fn(&str) -> Result<T, analytics::id::InvalidId>) -> impl Fn(&str) -> Result<String, String> {
    move |text| parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn stream_url(text: &str) -> Result<Url, String> {
    url(text, &["rtsp"])
}

fn url(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let example = format!("write it like {}://192.0.2.11/…", schemes.join(":// or "));
    let url = Url::parse(text).map_err(|_| format!("that is no address: {example}"))?;
    if !schemes.contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
        return Err(example);
    }
    Ok(url)
}

/// Never repeats what it refuses: a password may be in it.
fn without_log_in(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let url = url(text, schemes)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "it holds a user or password, which every user of a machine can see in a command line: leave them \
                    out here; a camera's go into a file for --credential, the broker's are asked for"
                .to_owned(),
        );
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// As typed: `url` writes a slash behind a host alone, which is no part of an address of a broker.
fn plain(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// `%40` of an address as the `@` that it stands for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn credentials_dir(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join("credentials")
}

/// Secrets first: a site file that names what is not there would not start.
fn write(file: &Path, text: &str, secrets: &BTreeMap<String, Secret>, force: bool) -> anyhow::Result<()> {
    let dir = credentials_dir(file);
    if !secrets.is_empty() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.with_context(|| format!("cannot make the folder {}", dir.display()))?;
    }
    for (name, secret) in secrets {
        write_file(&dir.join(name), &format!("{}\n", secret.expose()), 0o600, force)?;
    }
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    write_file(file, text, 0o644, force)
}

/// Whole or not at all, and over nothing that is there.
fn write_file(path: &Path, text: &str, mode: u32, force: bool) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if path.exists() && !force {
        bail!("{} is there already\n    → replace it with --force, or leave out what it holds", path.display());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!(".{name}.part"));
    let mut options = std::fs::File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&part).with_context(cannot)?;
    let written =
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&part, path));
    written.inspect_err(|_| drop(std::fs::remove_file(&part))).with_context(cannot)
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
    println!("\nNext:");
    println!(
        "  edge-agent site picture {name} {camera} -o {camera}.jpg   the picture with a grid: read zones off it, write them into the file"
    );
    println!("  edge-agent check {name}     every error of the file, with its cure");
    println!("  edge-agent doctor {name}    this box, the broker and the cameras, tried");
    println!("  edge-agent run {name}       the service");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_decoded_as_cameras_meant_it() {
        assert_eq!(decoded("p%40ss%3a1"), "p@ss:1");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%c3%a9"), "é");
    }

    #[test]
    fn a_refused_address_does_not_repeat_its_password() {
        for text in ["rtsp://u:c4n4ry@h/1", "mqtt://c4n4ry@h", "c4n4ry", "http://c4n4ry"] {
            let reason = without_log_in(text, &["rtsp", "mqtt"]).expect_err("refused");
            assert!(!reason.contains("c4n4ry"), "{reason}");
        }
    }
}
