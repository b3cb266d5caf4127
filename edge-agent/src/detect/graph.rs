//! Whether a network's inputs and outputs are those of its manifest; if not, what the file has, what `model.toml` says,
//! and what to do. Pure: the same for ONNX Runtime and for a test.
//!
//! A dynamic axis (−1) fits any size here; [`OrtDetector`](super::ort::OrtDetector) then proves it by a run.

use std::fmt;

use super::head::{Head, Output};
use super::manifest::{self, Manifest};

/// An input or output as the file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlet {
    /// Its name.
    pub name: String,
    /// Its type, in ONNX Runtime's words.
    pub kind: String,
    /// Its dimensions, −1 where dynamic; `None` unless it is a tensor of f32.
    pub dims: Option<Vec<i64>>,
}

impl fmt::Display for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.dims {
            Some(dims) => write!(f, "{:?} f32 {}", self.name, dims_text(dims)),
            None => write!(f, "{:?} {}", self.name, self.kind),
        }
    }
}

/// One thing in which a file and its manifest differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The manifest's key.
    pub key: &'static str,
    /// What the file has.
    pub file: String,
    /// What the manifest says.
    pub manifest: String,
    /// What to do.
    pub cure: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, file, manifest, cure } = self;
        write!(f, "{key}: the file has {file}, model.toml says {manifest}\n    → {cure}")
    }
}

/// All of them at once; empty when the file fits.
#[must_use]
pub fn misfits(manifest: &Manifest, head: &Head, inputs: &[Outlet], outputs: &[Outlet]) -> Vec<Misfit> {
    let mut found: Vec<Misfit> = of_input(&manifest.input, inputs).into_iter().collect();
    for expected in head.outputs() {
        found.extend(match outputs.iter().find(|outlet| outlet.name == expected.name) {
            Some(outlet) => of_output(manifest, expected, outlet),
            None => Some(unnamed(expected.key, &expected.name, outputs, "[head]")),
        });
    }
    found
}

/// A name that the file does not have.
fn unnamed(key: &'static str, name: &str, outlets: &[Outlet], section: &str) -> Misfit {
    let cure = match outlets {
        [only] => format!("write {} = {:?} under {section}", key.rsplit('.').next().unwrap_or(key), only.name),
        _ => format!("write the name of the right one under {section}"),
    };
    Misfit { key, file: list(outlets), manifest: format!("{name:?}"), cure }
}

fn of_input(input: &manifest::Input, inputs: &[Outlet]) -> Option<Misfit> {
    let Some(outlet) = inputs.iter().find(|outlet| outlet.name == input.name) else {
        return Some(unnamed("input.name", &input.name, inputs, "[input]"));
    };
    let manifest::Input { width, height, .. } = *input;
    let misfit = |key, cure: String| {
        let manifest = format!("f32 [1, 3, {height}, {width}] (picture, colour, row, column)");
        Some(Misfit { key, file: format!("the input {outlet}"), manifest, cure })
    };
    if inputs.len() > 1 {
        return Some(Misfit {
            key: "input",
            file: format!("the inputs {}", list(inputs)),
            manifest: format!("that {:?} alone is fed", input.name),
            cure: "export the network without its pre- and post-processing: it must take the picture alone".to_owned(),
        });
    }
    let Some(dims) = &outlet.dims else {
        return misfit("input.name", FLOATS.to_owned());
    };
    let is = |dim: i64, size: usize| dim == -1 || usize::try_from(dim) == Ok(size);
    match dims[..] {
        [_, rows, columns, 3] if is(rows, height) && is(columns, width) => {
            misfit("input.layout", "export it with the colours before rows and columns (NCHW)".to_owned())
        }
        [batch, ..] if dims.len() == 4 && !is(batch, 1) => {
            misfit("input", "export it for one picture at a time (batch 1), or with a dynamic batch".to_owned())
        }
        [_, colors, _, _] if !is(colors, 3) => {
            misfit("input", "choose a network that takes colour pictures (three planes)".to_owned())
        }
        [_, _, rows, columns] if is(rows, height) && is(columns, width) => None,
        [_, _, rows, columns] => {
            let own = |dim: i64, size: usize| usize::try_from(dim).unwrap_or(size);
            let (rows, columns) = (own(rows, height), own(columns, width));
            let cure =
                format!("write width = {columns} and height = {rows} under [input], or export it for {width}x{height}");
            misfit("input.width, input.height", cure)
        }
        _ => misfit("input", "export it with four axes: picture, colour, row, column".to_owned()),
    }
}

/// A network with dynamic rows and columns that does not run at the manifest's size.
#[must_use]
pub fn refused_size(manifest: &Manifest, input: &Outlet) -> Misfit {
    let manifest::Input { width, height, .. } = manifest.input;
    Misfit {
        key: "input.width, input.height",
        file: format!("the input {input}, and does not run at every size"),
        manifest: format!("{width}x{height}"),
        cure: "write the width and height that it was exported for".to_owned(),
    }
}

const FLOATS: &str = "export it with inputs and outputs in 32-bit floats (its inside may be int8 or half precision)";

/// What is wrong with one output; also for the dimensions that a run gave.
#[must_use]
pub fn of_output(manifest: &Manifest, expected: &Output, outlet: &Outlet) -> Option<Misfit> {
    let misfit = |key, manifest: String, cure: String| {
        Some(Misfit { key, file: format!("the output {outlet}"), manifest, cure })
    };
    let asked = format!("kind = \"{}\", which reads {}", manifest.head.kind(), expected.shape_text());
    let Some(dims) = &outlet.dims else { return misfit(expected.key, asked, FLOATS.to_owned()) };
    if expected.fits(dims) {
        return None;
    }
    if let Some(kind) = other_kind(manifest, expected, dims) {
        return misfit("head.kind", asked, kind.to_owned());
    }
    let [first, ..] = dims[..] else { return misfit(expected.key, asked, AXES.to_owned()) };
    if dims.len() != expected.shape.len() {
        return misfit(expected.key, asked, AXES.to_owned());
    }
    if first != 1 && first != -1 {
        return misfit(expected.key, asked, "export it for one picture at a time (batch 1)".to_owned());
    }
    let labels = expected.labels.and_then(|(axis, before)| {
        let there = usize::try_from(dims[axis]).ok()?.checked_sub(before)?;
        (Some(there + before) != expected.shape[axis]).then_some((there, expected.shape[axis]? - before))
    });
    if let Some((there, written)) = labels {
        let says = format!("labels = {:?}, which has {written} lines", manifest.labels);
        let cure = format!(
            "give the labels file the {there} lines of the network's own classes, in its order, - where there is none"
        );
        let file = format!("{there} classes in the output {outlet}");
        return Some(Misfit { key: "labels", file, manifest: says, cure });
    }
    let cure = match &manifest.head {
        manifest::Head::Yolox { .. } => "write the width, height and strides that it was exported with",
        _ => "name the output that has the boxes, as centre or corners, four values each",
    };
    misfit(expected.key, asked, cure.to_owned())
}

const AXES: &str = "name the network's plain output, or export it without its post-processing (no NMS in the graph)";

/// What to write when the output looks like another head's.
fn other_kind(manifest: &Manifest, expected: &Output, dims: &[i64]) -> Option<&'static str> {
    let labels = expected.labels.and_then(|(axis, before)| expected.shape[axis]?.checked_sub(before))?;
    let is = |dim: i64, size: usize| usize::try_from(dim) == Ok(size);
    match (&manifest.head, dims) {
        (manifest::Head::Yolox { .. }, &[_, values, _]) if is(values, 4 + labels) => Some("write kind = \"yolo\""),
        (manifest::Head::Yolo { .. }, &[_, _, values]) if is(values, 5 + labels) => Some("write kind = \"yolox\""),
        (manifest::Head::Yolo { .. }, &[_, _, values]) if is(values, 4 + labels) => {
            Some("export it with the values before the anchors: [1, 4 + classes, anchors]")
        }
        _ => None,
    }
}

fn list(outlets: &[Outlet]) -> String {
    outlets.iter().map(Outlet::to_string).collect::<Vec<_>>().join(", ")
}

fn dims_text(dims: &[i64]) -> String {
    let sizes: Vec<String> = dims.iter().map(|&d| if d < 0 { "any".to_owned() } else { d.to_string() }).collect();
    format!("[{}]", sizes.join(", "))
}

#[cfg(test)]
mod tests;
