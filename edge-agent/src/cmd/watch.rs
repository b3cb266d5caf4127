//! `watch`: the other end, as the operations centre would receive it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use edge_agent::shutdown;
use edge_agent::watch::{self, Lang, Seen, WatchParams};
use jiff::tz::TimeZone;

use super::broker::BrokerArgs;
use super::desk::Desk;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Duplicates are dropped by (source, id). Examples:
  edge-agent watch                                    the demo's broker, in Vietnamese
  edge-agent watch --broker mqtt://10.0.0.5:1883 --lang en
  edge-agent watch --broker mqtts://broker.example --ca ca.pem --certificate me.pem --key me.key
  edge-agent watch --operator nguyen-van-a            and say what each incident was
  edge-agent watch --save pictures                    with a thumbnail of each incident
  edge-agent watch --json --count 100 > events.jsonl")]
pub(crate) struct Args {
    #[command(flatten)]
    broker: BrokerArgs,

    /// Language of the alerts.
    #[arg(long, value_enum, default_value_t = Lang::Vi)]
    lang: Lang,

    /// Time zone of the alerts.
    #[arg(long, value_name = "IANA", default_value = "Asia/Ho_Chi_Minh")]
    timezone: String,

    /// Print events as they came, one JSON object a line.
    #[arg(long)]
    json: bool,

    /// Save thumbnails of incidents in this folder, as {site}_{box}_{incident}_{name}.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,

    /// Show traffic measures too, one line an interval and camera.
    #[arg(long)]
    measures: bool,

    /// End after so many events.
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// End after this long, such as 30s.
    #[arg(long = "for", value_name = "DURATION", value_parser = super::parse_duration)]
    duration: Option<Duration>,

    /// A stable name: the broker keeps what arrives while this watcher is away.
    #[arg(long, value_name = "NAME")]
    client_id: Option<String>,

    /// Judge incidents as this person: each gets a number, and lines from stdin say what it was, such as
    /// `12 ack`, `12 yes`, `12 no bóng cây`, `12 dup`.
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    operator: Option<String>,

    /// Say under this name that a centre listens: boxes with this primary host send.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let params = params(&args)?;
    let zone = TimeZone::get(&args.timezone).with_context(|| format!("there is no time zone {}", args.timezone))?;
    let (json, lang, count, folder) = (args.json, args.lang, args.count, args.save);
    let runtime = super::tokio_runtime()?;
    runtime.block_on(async {
        let stop = shutdown::on_signals()?;
        let done = stop.clone();
        let mut seen = 0;
        let (desk, console) = args.operator.map(|name| Desk::open(name, lang)).unzip();
        let at_desk = desk.clone();
        let sink = move |message: Seen| {
            let is_event = matches!(message, Seen::Incident(_) | Seen::System(_));
            let saved = save(&message, folder.as_deref(), lang);
            let number = desk.as_ref().and_then(|desk| desk.number(&message));
            let printed = if json { json_line(&message) } else { saved.or_else(|| watch::line(&message, lang, &zone)) };
            let printed = printed.map(|line| number.map_or(line.clone(), |number| format!("#{number} {line}")));
            // A closed pipe ends the watching, as it ends `head`.
            let written = printed.is_none_or(|line| writeln!(std::io::stdout(), "{line}").is_ok());
            seen += u64::from(is_event);
            if !written || count.is_some_and(|count| seen >= count) {
                done.cancel();
            }
        };
        tokio::select! {
            () = watch::run_with(params, sink, console, stop.clone()) => {}
            () = Desk::print(at_desk) => {}
            () = super::after(args.duration) => {}
        }
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn params(args: &Args) -> anyhow::Result<WatchParams> {
    let (broker, root) = args.broker.params()?;
    let mut params = WatchParams::new(broker, root);
    params.client_id.clone_from(&args.client_id);
    params.host.clone_from(&args.host);
    params.pictures = args.save.is_some();
    params.measures = args.measures;
    Ok(params)
}

/// Saves a picture; the line that says where.
fn save(message: &Seen, folder: Option<&Path>, lang: Lang) -> Option<String> {
    let (Seen::Picture(picture), Some(folder)) = (message, folder) else { return None };
    Some(watch::saved_line(picture, &picture.save(folder), lang))
}

/// The event as it came; nothing for what is no event.
fn json_line(message: &Seen) -> Option<String> {
    let payload = match message {
        Seen::Incident(arrival) => &arrival.payload,
        Seen::System(arrival) => &arrival.payload,
        Seen::Measurement(arrival) => &arrival.payload,
        Seen::Subscribed
        | Seen::Disconnected { .. }
        | Seen::Picture(_)
        | Seen::Duplicate { .. }
        | Seen::Malformed { .. } => return None,
    };
    Some(String::from_utf8_lossy(payload).into_owned())
}
