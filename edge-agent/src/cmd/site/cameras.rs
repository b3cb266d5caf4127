//! The cameras of a first site: from flags, or typed and tried.

use std::collections::BTreeMap;
use std::path::Path;

use analytics::CameraId;
use anyhow::{Context, bail};
use edge_agent::config::CameraDraft;
use edge_agent::doctor::{self, Verdict};
use edge_agent::secret::Secret;
use edge_agent::source::{Credentials, RtspParams};
use url::Url;

use super::address::{decoded, plain, stream_url, without_log_in};
use super::ask::Question;
use super::files::credentials_dir;
use super::init::{Init, id_of, not_empty};
use crate::cmd::doctor::Lines;

impl Init<'_> {
    /// Those of the flags.
    pub(super) fn given_cameras(&mut self) -> anyhow::Result<Vec<CameraDraft>> {
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

    /// Those that are typed, each tried at once.
    pub(super) fn asked_cameras(&mut self) -> anyhow::Result<Vec<CameraDraft>> {
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
            let camera = self.asked_camera(number, url, &taken)?;
            if self.args.no_probe || self.is_worth_keeping(&camera)? {
                cameras.push(camera);
            }
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

    /// Tries it; one that does not answer may be kept: it may not be mounted yet.
    fn is_worth_keeping(&mut self, camera: &CameraDraft) -> anyhow::Result<bool> {
        let mut params = RtspParams::new(camera.url.parse()?);
        let secret = camera.credential.as_ref().map(|credential| match self.secrets.get(credential) {
            Some(secret) => secret.expose().to_owned(),
            // One that is there already; where it cannot be read the camera says so.
            None => std::fs::read_to_string(credentials_dir(self.file).join(credential)).unwrap_or_default(),
        });
        params.credentials = secret
            .as_deref()
            .and_then(|secret| secret.trim_end().split_once(':'))
            .map(|(user, password)| Credentials { user: user.to_owned(), password: Secret::new(password) });
        println!("    trying it …");
        let runtime = crate::cmd::tokio_runtime()?;
        let check = runtime.block_on(doctor::check_stream(CameraId::new(&camera.id)?, params, 0.0));
        // A frozen camera may hold its threads.
        runtime.shutdown_background();
        Lines::new().print(&check);
        let kept = check.verdict < Verdict::Fail || self.asker.confirm("keep it all the same?", true)?;
        if !kept {
            camera.credential.as_ref().and_then(|credential| self.secrets.remove(credential));
        }
        Ok(kept)
    }
}
