//! `command`: one command to a box, as the operations centre would send it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use analytics::{BoxId, SiteId};
use anyhow::Context;
use edge_agent::apply::{self, MADE_FROM};
use edge_agent::command::send::{self, Reply, SendError, SendParams};
use edge_agent::publish::Topics;
use edge_agent::publish::wire::{
    Ack, AckState, AcknowledgeArguments, CameraArguments, ChunkHeader, CommandName, ConfigApplyArguments,
    ConfigFetchArguments, EvidenceFetchArguments, Finding, LogLevel, LogLevelArguments, NoArguments, RuleArguments,
    SnapshotArguments, UtcMillis, VerdictArguments,
};
use edge_agent::watch::Lang;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::broker::BrokerArgs;

/// `EX_TEMPFAIL` of sysexits(3): nobody answered; it may be tried again.
const EXIT_NO_ANSWER: u8 = 75;

/// A final answer takes so long at most, as a rule; one to a configuration that is tried first, so long.
const ANSWER: Duration = Duration::from_secs(30);
const TRIAL: Duration = Duration::from_secs(180);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Answers go to stdout. Exit codes: 0 done, 1 refused or failed, 2 wrong command line, 75 no answer in time.
Examples:
  edge-agent command --site ql10-nut-01 --box box-a --actor nguyen-van-a verdict 01a2… false-alarm
  edge-agent command --site ql10-nut-01 --box box-a --actor it camera huong-nam off --for 2h --reason \"bảo trì\"
  edge-agent command --site ql10-nut-01 --box box-a --actor it evidence-fetch 01a2… 1.mp4 --save clips
docs/commands.md has all commands, their answers and reasons.")]
pub(crate) struct Args {
    #[command(flatten)]
    broker: BrokerArgs,

    /// The site of the box.
    #[arg(long, value_name = "ID", value_parser = |id: &str| SiteId::new(id).map_err(|error| error.to_string()))]
    site: SiteId,

    /// The box.
    #[arg(long = "box", value_name = "ID", value_parser = |id: &str| BoxId::new(id).map_err(|error| error.to_string()))]
    box_id: BoxId,

    /// Who asks, for the record.
    #[arg(long, value_name = "NAME", env = "NGATU_ACTOR")]
    actor: String,

    /// How long the command is of use: a box that is away for longer does not do it.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = super::parse_duration)]
    valid_for: Duration,

    /// How long to wait for the final answer; default 30 seconds, 3 minutes for config-apply.
    #[arg(long, value_name = "DURATION", value_parser = super::parse_duration)]
    wait: Option<Duration>,

    /// Language of the answers.
    #[arg(long, value_enum, default_value_t = Lang::Vi)]
    lang: Lang,

    /// Print answers as they came, one JSON object a line.
    #[arg(long)]
    json: bool,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A picture of a camera, now; it comes on the evidence topic (`watch --save`).
    Snapshot {
        /// The camera.
        camera: String,
    },
    /// The whole of a picture or clip of an incident; goes on where an earlier attempt ended.
    EvidenceFetch {
        /// The incident.
        incident: Uuid,
        /// The `name` in its `evidence`.
        name: String,
        /// The folder it is written to.
        #[arg(long, value_name = "DIR", default_value = ".")]
        save: PathBuf,
    },
    /// Switches a camera off and on.
    Camera {
        /// The camera.
        camera: String,
        /// Off or on.
        #[arg(value_enum)]
        to: Switch,
        #[command(flatten)]
        how: How,
    },
    /// Disarms a rule, and arms it again.
    Rule {
        /// The camera.
        camera: String,
        /// The rule.
        rule: String,
        /// Off or on.
        #[arg(value_enum)]
        to: Switch,
        #[command(flatten)]
        how: How,
    },
    /// Says that an operator has seen an incident.
    Acknowledge {
        /// The incident.
        incident: Uuid,
    },
    /// Says what an incident was.
    Verdict {
        /// The incident.
        incident: Uuid,
        /// What it was.
        #[arg(value_enum)]
        verdict: Found,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Birth and all state once more.
    Rebirth,
    /// What the program logs, for a while.
    LogLevel {
        /// What is logged.
        #[arg(value_enum)]
        level: Level,
        /// For how long, such as 30m; at most a day.
        #[arg(long = "for", value_name = "DURATION", value_parser = super::parse_duration)]
        duration: Duration,
    },
    /// The site file in force, without secrets; its first line says which one it is, for config-apply.
    ConfigFetch,
    /// Puts another configuration in its place: checked, tried, kept when broker and cameras are there with it.
    ConfigApply {
        /// What config-fetch printed, changed.
        file: PathBuf,
        /// Which configuration it was made from, where the file's first line does not say so: the sha256 of config-fetch.
        #[arg(long, value_name = "SHA256")]
        base: Option<String>,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct How {
    /// For how long, such as 2h; without it, until it is switched on.
    #[arg(long = "for", value_name = "DURATION", value_parser = super::parse_duration)]
    duration: Option<Duration>,

    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    Off,
    On,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Found {
    Confirmed,
    FalseAlarm,
    Duplicate,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (broker, root) = args.broker.params()?;
    let topics = Topics::new(root, args.site.clone(), args.box_id.clone());
    let (actor, valid_for) = (args.actor.clone(), args.valid_for);
    let wait = args.wait.unwrap_or(if matches!(args.what, What::ConfigApply { .. }) { TRIAL } else { ANSWER });
    let params = SendParams { broker, topics, actor, valid_for, wait };
    let runtime = super::tokio_runtime()?;
    match runtime.block_on(ask(&params, &args)) {
        Ok(AckState::Done) => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::FAILURE),
        Err(error) if matches!(error.downcast_ref(), Some(SendError::NoAnswer(_))) => {
            eprintln!("{}", super::explain(&error));
            Ok(ExitCode::from(EXIT_NO_ANSWER))
        }
        Err(error) => Err(error),
    }
}

async fn ask(params: &SendParams, args: &Args) -> anyhow::Result<AckState> {
    let print = |reply: &Reply| {
        if let Reply::Ack(ack) = reply {
            say(ack, args);
        }
    };
    let ack = match &args.what {
        What::Snapshot { camera } => {
            let arguments = SnapshotArguments { camera: camera.clone() };
            send::send(params, CommandName::Snapshot, arguments, print).await?
        }
        What::EvidenceFetch { incident, name, save } => return fetch(params, args, *incident, name, save).await,
        What::Camera { camera, to, how } => {
            let (camera, enabled) = (camera.clone(), *to == Switch::On);
            let (until, reason) = (how.until(), how.reason.clone());
            send::send(params, CommandName::Camera, CameraArguments { camera, enabled, until, reason }, print).await?
        }
        What::Rule { camera, rule, to, how } => {
            let (camera, rule, armed) = (camera.clone(), rule.clone(), *to == Switch::On);
            let (until, reason) = (how.until(), how.reason.clone());
            send::send(params, CommandName::Rule, RuleArguments { camera, rule, armed, until, reason }, print).await?
        }
        What::Acknowledge { incident } => {
            let arguments = AcknowledgeArguments { incident_id: *incident };
            send::send(params, CommandName::Acknowledge, arguments, print).await?
        }
        What::Verdict { incident, verdict, reason } => {
            let verdict = match verdict {
                Found::Confirmed => Finding::Confirmed,
                Found::FalseAlarm => Finding::FalseAlarm,
                Found::Duplicate => Finding::Duplicate,
            };
            let arguments = VerdictArguments { incident_id: *incident, verdict, reason: reason.clone() };
            send::send(params, CommandName::Verdict, arguments, print).await?
        }
        What::Rebirth => send::send(params, CommandName::Rebirth, NoArguments {}, print).await?,
        What::LogLevel { level, duration } => {
            let level = match level {
                Level::Error => LogLevel::Error,
                Level::Warn => LogLevel::Warn,
                Level::Info => LogLevel::Info,
                Level::Debug => LogLevel::Debug,
            };
            let arguments = LogLevelArguments { level, until: from_now(*duration) };
            send::send(params, CommandName::LogLevel, arguments, print).await?
        }
        What::ConfigFetch => return configuration(params, args).await,
        What::ConfigApply { file, base, reason } => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            let named = apply::made_from(&text).map(str::to_owned);
            let base_sha256 = base.clone().or(named).with_context(|| {
                format!(
                    "{} does not say which configuration it was made from\n    → begin with what `config-fetch` prints, or give --base",
                    file.display()
                )
            })?;
            let signature = std::fs::read_to_string(edge_agent::trust::signature_of(file)).ok();
            let arguments = ConfigApplyArguments { text, signature, base_sha256, reason: reason.clone() };
            send::send(params, CommandName::ConfigApply, arguments, print).await?
        }
    };
    Ok(ack.state)
}

/// The whole file, however many answers it takes.
async fn configuration(params: &SendParams, args: &Args) -> anyhow::Result<AckState> {
    let mut offset = 0;
    loop {
        let ack = send::send(params, CommandName::ConfigFetch, ConfigFetchArguments { offset }, |_| {}).await?;
        let Some(file) = ack.file.as_ref().filter(|_| ack.state == AckState::Done) else {
            say(&ack, args);
            return Ok(ack.state);
        };
        if args.json {
            say(&ack, args);
        } else {
            let first = if offset == 0 { format!("{MADE_FROM}{}\n", file.sha256) } else { String::new() };
            let _ = write!(std::io::stdout(), "{first}{}", file.text.as_deref().unwrap_or_default());
        }
        offset = file.offset.unwrap_or(file.bytes);
        if offset >= file.bytes {
            return Ok(ack.state);
        }
    }
}

/// The file in parts, from where an earlier attempt ended; whole and proven, or still `.part`.
async fn fetch(
    params: &SendParams,
    args: &Args,
    incident: Uuid,
    name: &str,
    folder: &Path,
) -> anyhow::Result<AckState> {
    let evidence = edge_agent::evidence::EvidenceName::parse(name).context("NAME is no name of evidence")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let whole = folder.join(format!("{incident}_{evidence}"));
    let part = folder.join(format!("{incident}_{evidence}.part"));
    let mut bytes = std::fs::read(&part).unwrap_or_default();
    let offset = bytes.len() as u64;
    let arguments = EvidenceFetchArguments { incident_id: incident, name: name.to_owned(), offset };
    let mut broken = None;
    let take = |reply: &Reply| match reply {
        Reply::Ack(ack) => say(ack, args),
        Reply::Chunk(header, chunk) => {
            // Parts come in order; one that comes twice is not taken twice.
            let ChunkHeader { offset, .. } = **header;
            if offset == bytes.len() as u64 {
                bytes.extend_from_slice(chunk);
                broken = std::fs::write(&part, &bytes).err();
            }
        }
    };
    let ack = send::send(params, CommandName::EvidenceFetch, arguments, take).await?;
    if let Some(error) = broken {
        return Err(error).with_context(|| format!("cannot write {}", part.display()));
    }
    let Some(file) = ack.file.filter(|file| ack.state == AckState::Done && file.bytes == bytes.len() as u64) else {
        return Ok(if ack.state == AckState::Done { AckState::Failed } else { ack.state });
    };
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != file.sha256 {
        std::fs::remove_file(&part).with_context(|| format!("cannot delete {}", part.display()))?;
        anyhow::bail!("what came is not what the box has: its digest is {digest}; ask again");
    }
    std::fs::rename(&part, &whole).with_context(|| format!("cannot write {}", whole.display()))?;
    Ok(AckState::Done)
}

fn say(ack: &Ack, args: &Args) {
    let line = if args.json { serde_json::to_string(ack).unwrap_or_default() } else { send::line(ack, args.lang) };
    // A closed pipe changes nothing of the command.
    let _ = writeln!(std::io::stdout(), "{line}");
}

impl How {
    fn until(&self) -> Option<UtcMillis> {
        self.duration.map(from_now)
    }
}

fn from_now(duration: Duration) -> UtcMillis {
    let more = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    UtcMillis::from_unix_millis(UtcMillis::now().as_unix_millis().saturating_add(more))
}
