//! A camera's calibration, resolved: fitted while the file is read, so that what does not fit is an error of the file.

use analytics::calibration::{self, Calibration, CalibrationError, KnownLength, Landmark};
use analytics::ground::MAX_ERROR;
use analytics::{Point, Unit};

use super::raw::{RawCalibration, RawKnownLength, RawLandmark};
use super::resolve::Resolver;

const SPREAD: &str =
    "spread them over the road, near and far, left and right; `site picture` draws a grid to read them off";

impl Resolver<'_> {
    pub(super) fn calibration(&mut self, camera: usize, raw: &RawCalibration) -> Option<Calibration> {
        let key = format!("camera[{camera}].calibration");
        let aspect = self.aspect(&format!("{key}.aspect"), raw.aspect.as_deref());
        match (&raw.points, &raw.lengths) {
            (Some(points), None) => {
                let key = format!("{key}.points");
                let landmarks: Vec<Option<Landmark>> = points
                    .iter()
                    .enumerate()
                    .map(|(index, raw)| self.landmark(&format!("{key}[{index}]"), raw))
                    .collect();
                let landmarks: Vec<Landmark> = landmarks.into_iter().collect::<Option<_>>()?;
                self.fitted(&key, calibration::from_points(&landmarks, aspect?))
            }
            (None, Some(lengths)) => {
                let key = format!("{key}.lengths");
                let lines: Vec<Option<KnownLength>> = lengths
                    .iter()
                    .enumerate()
                    .map(|(index, raw)| self.known_length(&format!("{key}[{index}]"), raw))
                    .collect();
                let lines: Vec<KnownLength> = lines.into_iter().collect::<Option<_>>()?;
                self.fitted(&key, calibration::from_lengths(&lines, aspect?))
            }
            (Some(_), Some(_)) => {
                self.error(&key, "has both points and lengths", "keep the better known of the two");
                None
            }
            (None, None) => {
                self.error(
                    &key,
                    "has neither points nor lengths",
                    "write four or more points, or three or more lengths",
                );
                None
            }
        }
    }

    fn fitted(&mut self, key: &str, fitted: Result<Calibration, CalibrationError>) -> Option<Calibration> {
        match fitted {
            Ok(calibration) => Some(calibration),
            Err(error @ CalibrationError::TooFew { .. }) => {
                self.error(key, error.to_string(), SPREAD);
                None
            }
            Err(error) => {
                let cure = format!("check their order and figures, and {SPREAD}");
                self.error(key, error.to_string(), cure);
                None
            }
        }
    }

    fn landmark(&mut self, key: &str, raw: &RawLandmark) -> Option<Landmark> {
        let picture_key = format!("{key}.picture");
        let picture = self.required(&picture_key, raw.picture.as_ref(), "write [x, y] as fractions of the picture");
        let ground = self.required(&format!("{key}.ground_m"), raw.ground_m.as_ref(), "write [x, y] in metres");
        let (picture, ground) = (picture?.0, ground?.0);
        if picture.iter().any(|fraction| !(0.0..=1.0).contains(fraction)) {
            let cure = "write fractions of the picture: x ÷ width, y ÷ height";
            self.error(&picture_key, "has a coordinate outside 0 to 1", cure);
            return None;
        }
        if ground.iter().any(|metres| metres.abs() > 1e5) {
            let cure = "write metres from an origin near the camera, not coordinates of a map";
            self.error(&format!("{key}.ground_m"), "is further than 100 km away", cure);
            return None;
        }
        let [x, y] = picture.map(|fraction| fraction as f32);
        Some(Landmark { picture: Point::new(x, y), ground_m: ground })
    }

    fn known_length(&mut self, key: &str, raw: &RawKnownLength) -> Option<KnownLength> {
        let picture_key = format!("{key}.picture");
        let cure = "write both ends as fractions, such as [[0.2, 0.8], [0.4, 0.8]]";
        let picture = self
            .required(&picture_key, raw.picture.as_ref(), cure)
            .and_then(|points| self.segment(&picture_key, points));
        let length_key = format!("{key}.length");
        let length = self.required(&length_key, raw.length.as_ref(), "write it in metres, such as \"3.5 m\"")?.0;
        if length.unit != Unit::Metres || length.value <= 0.0 {
            self.error(&length_key, "is no length on the ground", "write it in metres, such as \"3.5 m\"");
            return None;
        }
        Some(KnownLength { picture: picture?, length_m: length.value })
    }

    fn aspect(&mut self, key: &str, raw: Option<&str>) -> Option<f64> {
        let Some(text) = raw else { return Some(16.0 / 9.0) };
        let number = |text: &str| text.trim().parse::<u16>().ok().filter(|number| *number > 0).map(f64::from);
        let aspect = text.split_once(':').and_then(|(width, height)| Some(number(width)? / number(height)?));
        if aspect.is_none() {
            let cure = "write width and height with a colon between, such as \"16:9\" or \"704:576\"";
            self.error(key, format!("\"{text}\" is not an aspect"), cure);
        }
        aspect
    }
}

/// What a calibration is good for, in a line.
#[must_use]
pub fn summary(ground: &analytics::Ground, residual: Option<f64>) -> String {
    let covered = (100.0 * ground.coverage()).round();
    let fit = match residual {
        Some(residual) => format!("fits to {:.1} % of the picture's height", 100.0 * residual),
        None => "no more is given than needed, so nothing shows how well it fits".to_owned(),
    };
    let limit = 100.0 * MAX_ERROR;
    format!("calibrated: lengths known within {limit:.0} % over {covered:.0} % of the picture; {fit}")
}
