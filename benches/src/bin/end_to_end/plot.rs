//! Series over time as one SVG: a row each, from nought to its largest value.

use std::fmt::Write;

/// Of a row, in pixels.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 70.0;
/// Between rows, and for the words at the left.
const GAP: f64 = 26.0;
const LEFT: f64 = 130.0;

/// The picture.
pub(crate) fn svg(minutes: &[f64], series: &[(&str, &[f64])]) -> String {
    let (width, height) = (LEFT + WIDTH + GAP, (HEIGHT + GAP) * series.len() as f64 + GAP);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let last = minutes.last().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE);
    for (row, (name, values)) in series.iter().enumerate() {
        let top = GAP / 2.0 + (HEIGHT + GAP) * row as f64;
        let most = values.iter().copied().fold(0.0, f64::max);
        let scale = if most > 0.0 { HEIGHT / most } else { 0.0 };
        let points: Vec<String> = minutes
            .iter()
            .zip(*values)
            .map(|(minute, value)| format!("{:.1},{:.1}", LEFT + minute / last * WIDTH, top + HEIGHT - value * scale))
            .collect();
        let bottom = top + HEIGHT;
        let _ = writeln!(
            text,
            "<text x=\"4\" y=\"{:.0}\">{name}</text><text x=\"4\" y=\"{:.0}\" fill=\"gray\">most {most:.1}</text>\
             <path d=\"M{LEFT} {top}V{bottom}H{}\" fill=\"none\" stroke=\"silver\"/>\
             <polyline points=\"{}\" fill=\"none\" stroke=\"steelblue\" stroke-width=\"1.5\"/>",
            top + 14.0,
            top + 30.0,
            LEFT + WIDTH,
            points.join(" ")
        );
    }
    let _ = writeln!(text, "<text x=\"{LEFT}\" y=\"{:.0}\">0 to {last:.0} minutes</text></svg>", height - 4.0);
    text
}
