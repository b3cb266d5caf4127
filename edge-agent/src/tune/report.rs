//! What was found, for people and programs: tables, the sentence that says what the box carries, the profile.

use std::fmt::Write as _;

use serde::Serialize;

use super::plan::{Contention, DecodeCost, InferCost, Limit, Objective, Plan};
use super::usage::load;
use super::whole::Whole;
use super::{Params, profile};
use crate::config::HwProfile;
use crate::decode::VideoCodec;
use crate::detect::ort::{Need, ProviderOptions};
use crate::text::Lang;

/// Share of the cores from which other work disturbs.
const BUSY: f64 = 0.25;

/// What was measured, and what follows.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The processor, in its maker's words.
    pub processor: String,
    /// Its cores, as far as this program may use them.
    pub cores: f64,
    /// The day, in UTC.
    pub day: String,
    /// Short windows: a look, not a measurement.
    pub quick: bool,
    /// Processes that wanted a core when it began: what else the box does is partly measured with it.
    pub load_before: f64,
    /// What was wanted.
    pub objective: Objective,
    /// The stream that is planned for is the first.
    pub decode: Vec<DecodeCost>,
    /// Every setting that works here.
    pub infer: Vec<InferCost>,
    /// What the stages take together.
    pub contention: Contention,
    /// Whether that was measured.
    pub contention_measured: bool,
    /// The best setting; null: no model reaches the floor.
    pub plan: Option<Plan>,
    /// The service as planned, for a while.
    pub whole: Option<Whole>,
    /// Cores that were predicted for it.
    pub predicted_cores: Option<f64>,
    #[serde(skip)]
    base: HwProfile,
}

impl Report {
    pub(super) fn new(params: &Params, cores: f64) -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            processor: name.map_or("a processor", |(_, name)| name.trim()).to_owned(),
            cores,
            day: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            quick: params.quick,
            load_before: load(),
            objective: params.objective,
            decode: Vec::new(),
            infer: Vec::new(),
            contention: Contention::UNKNOWN,
            contention_measured: false,
            plan: None,
            whole: None,
            predicted_cores: None,
            base: params.base.clone(),
        }
    }

    /// The stream that is planned for, with the decoder that is cheapest.
    pub(super) fn stream(&self) -> Option<&DecodeCost> {
        let first = self.decode.first()?;
        let alike = self.decode.iter().filter(|cost| (&cost.codec, cost.size) == (&first.codec, first.size));
        alike.min_by(|one, other| one.cpu_ms.total_cmp(&other.cpu_ms))
    }

    /// The measurements, as a person reads them.
    #[must_use]
    pub fn tables(&self) -> String {
        let mut text = format!("{}, {} cores\n", self.processor, self.cores);
        if self.load_before > BUSY * self.cores {
            let load = self.load_before;
            let _ =
                writeln!(text, "this box was busy with something else (load {load:.1}): end that, and measure again");
        }
        text.push('\n');
        let _ = writeln!(
            text,
            "{:<28} {:>12} {:>10} {:>14}",
            "receive and decode", "CPU ms/frame", "frames/s", "cores/stream"
        );
        for cost in &self.decode {
            let what = format!("{} {}x{} {}", cost.codec, cost.size.0, cost.size.1, cost.decoder);
            let cores = cost.cpu_ms * cost.fps / 1000.0;
            let _ = writeln!(text, "{what:<28} {:>12.2} {:>10.1} {cores:>14.3}", cost.cpu_ms, cost.fps);
        }
        let _ = writeln!(
            text,
            "\n{:<24} {:<24} {:>7} {:>7} {:>12} {:>8} {:>9} {:>8}",
            "analyse (flat out)", "provider", "workers", "threads", "CPU ms/frame", "of prep", "frames/s", "AP50"
        );
        for cost in &self.infer {
            let accuracy = cost.accuracy.map_or_else(|| "unknown".to_owned(), |accuracy| format!("{accuracy:.3}"));
            let joules = cost.joules.map(|joules| format!("  {joules:.2} J/frame")).unwrap_or_default();
            let _ = writeln!(
                text,
                "{:<24} {:<24} {:>7} {:>7} {:>12.1} {:>8.2} {:>9.1} {accuracy:>8}{joules}",
                cost.model,
                cost.provider.words(),
                cost.workers,
                cost.threads,
                cost.cpu_ms,
                cost.prep_ms,
                cost.fps
            );
        }
        if self.infer.iter().all(|cost| cost.joules.is_none()) {
            text.push_str("energy: this box does not tell (no readable counter below /sys/class/powercap)\n");
        }
        let Contention { decode, infer, rest_ms } = self.contention;
        if self.contention_measured {
            let _ = writeln!(
                text,
                "\nall at once: decoding × {decode:.2}, inference × {infer:.2}, everything else {rest_ms:.1} ms an analysed frame"
            );
        } else {
            text.push_str("\nall at once: not measured, for want of cameras; the stages' costs are added up\n");
        }
        if let (Some(whole), Some(predicted)) = (&self.whole, self.predicted_cores) {
            let _ = writeln!(
                text,
                "put to the test: {} took {:.2} cores, predicted {predicted:.2} ({:+.0} %); {:.1} frames a second analysed of each",
                super::counted(whole.cameras),
                whole.cores,
                (predicted / whole.cores - 1.0) * 100.0,
                whole.analysed_fps
            );
        }
        text
    }

    /// What the box carries, in one sentence.
    #[must_use]
    pub fn sentence(&self, lang: Lang) -> String {
        let floor = lang.number(self.objective.min_accuracy);
        let Some(plan) = &self.plan else {
            return match lang {
                Lang::Vi => format!("hộp này: không có mô hình nào đạt độ chính xác tối thiểu {floor}"),
                Lang::En => format!("this box: no model reaches the accuracy of {floor} that is asked for"),
            };
        };
        let (cameras, reserve, height) = (plan.cameras, plan.reserve, plan.decode.size.1);
        let (fps, model) = (lang.number(self.objective.analyse_fps), &plan.infer.model);
        let limit = match (plan.limit, lang) {
            (Limit::Cores, Lang::Vi) => "giới hạn là CPU",
            (Limit::Cores, Lang::En) => "the processor is the limit",
            (Limit::Workers, Lang::Vi) => "giới hạn là luồng suy luận",
            (Limit::Workers, Lang::En) => "inference is the limit",
        };
        let asked = self.objective.cameras.map(|asked| match (asked <= cameras, lang) {
            (true, Lang::Vi) => format!("; đủ cho {asked} camera yêu cầu"),
            (true, Lang::En) => format!("; enough for the {asked} asked for"),
            (false, Lang::Vi) => format!("; KHÔNG đủ cho {asked} camera yêu cầu"),
            (false, Lang::En) => format!("; NOT enough for the {asked} asked for"),
        });
        let asked = asked.unwrap_or_default();
        match lang {
            Lang::Vi => format!(
                "hộp này: {cameras} camera {height}p, mỗi camera phân tích {fps} khung hình một giây bằng {model}, còn dự phòng \
                 {reserve} camera ({limit}){asked}"
            ),
            Lang::En => format!(
                "this box: {cameras} cameras of {height}p at {fps} analysed frames a second with {model}, {reserve} in reserve \
                 ({limit}){asked}"
            ),
        }
    }

    /// The profile as a file; `None`: there is no plan.
    #[must_use]
    pub fn profile(&self) -> Option<String> {
        let plan = self.plan.as_ref()?;
        let profile = profile(&self.base, &plan.infer);
        let measured = format!("{} cores of {}, {}; {}", self.cores, self.processor, self.day, self.sentence(Lang::En));
        let text = |value: &str| toml::Value::from(value).to_string();
        let mut file = format!(
            "# Written by edge-agent tune. What each key means: hw-profiles/README.md.\ndescription = {}\nmeasured = {}\n\n[decode]\n",
            text(&format!("This box, as measured on {}", self.day)),
            text(&measured)
        );
        for (key, codec) in [("h264", VideoCodec::H264), ("h265", VideoCodec::H265)] {
            let names: Vec<String> = self.decoders(codec).iter().map(|name| text(name)).collect();
            let _ = writeln!(file, "{key} = [{}]", names.join(", "));
        }
        let _ = write!(file, "\n[inference]\nworkers = {}\nthreads = {}\n", profile.workers, profile.threads);
        for choice in &profile.providers {
            let ProviderOptions { device, precision, memory_bytes } = choice.options;
            let _ = write!(file, "\n[[inference.provider]]\nname = {}\n", text(choice.provider.label()));
            if choice.need == Need::Required {
                file.push_str("required = true\n");
            }
            file.extend(device.map(|device| format!("device = {}\n", text(device.label()))));
            file.extend(precision.map(|precision| format!("precision = {}\n", text(precision.label()))));
            file.extend(memory_bytes.map(|bytes| format!("memory = \"{} MiB\"\n", bytes >> 20)));
        }
        let service = &profile.service;
        if *service != crate::config::Sandbox::default() {
            let list = |names: &[String]| names.iter().map(|name| text(name)).collect::<Vec<_>>().join(", ");
            let _ = write!(file, "\n[service]\ndevices = [{}]\n", list(&service.devices));
            let _ = writeln!(file, "groups = [{}]", list(&service.groups));
            file.extend(service.memory_bytes.map(|bytes| format!("memory = \"{} MiB\"\n", bytes >> 20)));
        }
        Some(file)
    }

    /// Those that work, the cheapest first as far as they were measured; all that are named where none works.
    fn decoders(&self, codec: VideoCodec) -> Vec<String> {
        let mut works = super::decoders(&self.base, codec);
        let cost = |element: &String| {
            let alike = |cost: &&DecodeCost| cost.decoder == *element && cost.size == self.decode[0].size;
            self.decode.iter().find(alike).map_or(f64::INFINITY, |cost| cost.cpu_ms)
        };
        works.sort_by(|one, other| cost(one).total_cmp(&cost(other)));
        match (works.is_empty(), codec) {
            (false, _) => works,
            (true, VideoCodec::H264) => self.base.h264.clone(),
            (true, VideoCodec::H265) => self.base.h265.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Home, hw_profiles};
    use crate::detect::ort::{OpenVinoDevice, Precision, Provider, ProviderChoice};
    use crate::tune::plan;

    fn report(provider: ProviderChoice) -> Report {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project");
        let base = hw_profiles(&Home::at(root)).into_iter().find(|profile| profile.name == "intel-openvino");
        let objective = Objective { cameras: None, analyse_fps: 2.5, min_accuracy: 0.5, least_energy: false };
        let params = Params {
            objective,
            codec: VideoCodec::H264,
            size: (1280, 720),
            clip: None,
            quick: false,
            base: base.expect("it is shipped"),
        };
        let mut report = Report::new(&params, 4.0);
        let cost = |decoder: &str, cpu_ms| DecodeCost {
            codec: "H264".into(),
            decoder: decoder.into(),
            size: (1280, 720),
            fps: 25.0,
            cpu_ms,
        };
        report.decode = vec![cost("avdec_h264", 6.0), cost("openh264dec", 3.0)];
        let infer = InferCost {
            model: "yolox-nano".into(),
            accuracy: Some(0.9),
            provider,
            workers: 3,
            threads: 2,
            cpu_ms: 15.0,
            prep_ms: 1.0,
            fps: 190.0,
            joules: None,
        };
        let stream = report.stream().expect("measured").clone();
        report.plan = plan::best(4.0, &stream, std::slice::from_ref(&infer), report.contention, &report.objective);
        report.infer = vec![infer];
        report
    }

    #[test]
    fn the_profile_that_is_written_is_read_again_as_what_was_found() {
        crate::decode::init().expect("GStreamer is installed");
        let options = ProviderOptions {
            device: Some(OpenVinoDevice::Gpu),
            precision: Some(Precision::Fp16),
            ..ProviderOptions::default()
        };
        let found = ProviderChoice { provider: Provider::OpenVino, need: Need::Required, options };
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join("hw-profiles")).expect("a folder");
        let text = report(found).profile().expect("there is a plan");
        std::fs::write(home.path().join("hw-profiles/this-box.toml"), &text).expect("writes");
        let read = hw_profiles(&Home::at(home.path())).pop().unwrap_or_else(|| panic!("it has errors:\n{text}"));
        assert_eq!((read.workers, read.threads), (3, 2));
        assert_eq!(read.providers[0], ProviderChoice { need: Need::Preferred, ..found });
        assert_eq!(read.providers[1].provider, Provider::Cpu, "what it falls back to is said");
        assert_eq!(read.h264, ["openh264dec", "avdec_h264"], "the cheapest first, what does not work left out");
        assert_eq!(read.service, report(found).base.service);
    }

    #[test]
    fn the_sentence_says_the_cameras_the_size_the_rate_and_the_reserve_in_both_languages() {
        let mut report = report(ProviderChoice::new(Provider::Cpu, Need::Required));
        let plan = report.plan.clone().expect("there is a plan");
        let (cameras, reserve) = (plan.cameras, plan.reserve);
        let (vi, en) = (report.sentence(Lang::Vi), report.sentence(Lang::En));
        assert!(vi.starts_with(&format!("hộp này: {cameras} camera 720p")) && vi.contains("2,5 khung hình"), "{vi}");
        assert!(vi.contains(&format!("dự phòng {reserve} camera")), "{vi}");
        assert!(
            en.starts_with(&format!("this box: {cameras} cameras of 720p at 2.5 analysed frames a second")),
            "{en}"
        );
        assert!(en.contains(&format!("{reserve} in reserve")), "{en}");
        report.objective.cameras = Some(cameras + 1);
        assert!(report.sentence(Lang::En).contains("NOT enough"));
        report.plan = None;
        assert!(report.sentence(Lang::Vi).contains("không có mô hình"));
    }
}
