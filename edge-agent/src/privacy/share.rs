//! Pictures that may be stored, sent or shown, and how a camera's become such.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use image::RgbImage;

use super::Privacy;
use super::blur::blur;
use super::finder::Finder;
use super::region::{Area, Known, areas};
use super::rgb::rgb;
use crate::detect::DetectError;
use crate::frame::Picture;

/// A picture in RGB that may leave the program's memory. Only made here.
#[derive(Debug, Clone)]
pub struct Shareable(RgbImage);

impl Shareable {
    /// As the camera shows it, but for its masks, at most so wide. For one who sets the camera up by hand and can see all it
    /// sees, and for a site that says `privacy = "none"`.
    #[must_use]
    pub fn as_decoded(picture: &Picture, max_width_px: u32) -> Self {
        Self(rgb(picture, max_width_px))
    }

    pub(crate) fn into_image(self) -> RgbImage {
        self.0
    }
}

/// Why a picture cannot be shared.
#[derive(Debug, thiserror::Error)]
pub enum RedactionError {
    /// What is in it is not known: there is nothing to look with.
    #[error("the network that looks for heads and number plates could not be opened")]
    NoFinder,
    /// Looking failed.
    #[error("looking for heads and number plates failed: {0}")]
    Detect(#[from] DetectError),
    /// A surprise.
    #[error("making heads and number plates unrecognisable panicked")]
    Panicked,
}

/// What is done to a camera's pictures before they are shared; cheap to clone.
#[derive(Debug, Clone)]
pub enum Redaction {
    /// Nothing: the site says so.
    AsDecoded,
    /// What [`Known`] objects and the finder show is made unrecognisable; `None`: it could not be opened, and there are no
    /// pictures.
    Blurred(Option<Finder>),
}

impl Redaction {
    /// What it is.
    #[must_use]
    pub fn privacy(&self) -> Privacy {
        match self {
            Self::AsDecoded => Privacy::None,
            Self::Blurred(_) => Privacy::Blur,
        }
    }

    /// A picture to be stored or sent, at most so wide. What was `known` is of a moment at most `within` away; the finder looks
    /// at the picture itself.
    ///
    /// # Errors
    /// [`RedactionError`]: there is no picture then.
    pub fn share(
        &self,
        picture: &Picture,
        max_width_px: u32,
        known: &[Known],
        within: Duration,
    ) -> Result<Shareable, RedactionError> {
        self.redact(picture, max_width_px, |finder, size| {
            let finder = finder.ok_or(RedactionError::NoFinder)?;
            Ok(around(known, within, size).chain(found(finder, picture, size)?).collect())
        })
    }

    /// A picture for whoever looks at the box now, at most so wide, by what is `known` of that very frame alone: inference is
    /// not spent on it.
    ///
    /// # Errors
    /// [`RedactionError`]: there is no picture then.
    pub fn glance(&self, picture: &Picture, max_width_px: u32, known: &[Known]) -> Result<Shareable, RedactionError> {
        self.redact(picture, max_width_px, |_, size| Ok(around(known, Duration::ZERO, size).collect()))
    }

    fn redact(
        &self,
        picture: &Picture,
        max_width_px: u32,
        areas: impl FnOnce(Option<&Finder>, [f32; 2]) -> Result<Vec<Area>, RedactionError>,
    ) -> Result<Shareable, RedactionError> {
        let Self::Blurred(finder) = self else { return Ok(Shareable::as_decoded(picture, max_width_px)) };
        let redacted = catch_unwind(AssertUnwindSafe(|| {
            let mut image = rgb(picture, max_width_px);
            let areas = areas(finder.as_ref(), [image.width() as f32, image.height() as f32])?;
            blur(&mut image, &areas);
            Ok(Shareable(image))
        }));
        redacted.unwrap_or(Err(RedactionError::Panicked))
    }
}

/// The areas of what is known, in a picture of this size.
pub fn around(known: &[Known], within: Duration, size: [f32; 2]) -> impl Iterator<Item = Area> {
    known.iter().flat_map(move |known| areas(known.class, known.swept(within, size)))
}

/// The areas of what the finder sees in a picture, at this size.
///
/// # Errors
/// The detector's own.
pub fn found(
    finder: &Finder,
    picture: &Picture,
    size: [f32; 2],
) -> Result<impl Iterator<Item = Area> + use<>, DetectError> {
    let seen = finder.find(picture)?.into_iter();
    Ok(seen.flat_map(move |seen| {
        let corners = [seen.bbox.left(), seen.bbox.top(), seen.bbox.right(), seen.bbox.bottom()];
        areas(seen.class, [0, 1, 2, 3].map(|i| corners[i] * size[i % 2]))
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use analytics::{BBox, Class, Confidence, Detection, Point};

    use super::*;
    use crate::detect::Detector;
    use crate::evidence::tests::picture;

    /// What a test lets a detector do at each look.
    struct Scripted(fn() -> Result<Vec<Detection>, DetectError>);

    impl Detector for Scripted {
        fn detect(&mut self, _: &Picture, _: &[BBox], found: &mut Vec<Detection>) -> Result<(), DetectError> {
            *found = (self.0)()?;
            Ok(())
        }
    }

    fn redaction(look: fn() -> Result<Vec<Detection>, DetectError>) -> Redaction {
        Redaction::Blurred(Some(Finder::new(Box::new(Scripted(look)), 300)))
    }

    fn person() -> BBox {
        BBox::new(0.25, 0.25, 0.5, 0.75).expect("a box")
    }

    fn one() -> Result<Vec<Detection>, DetectError> {
        let confidence = Confidence::new(0.2).expect("a confidence");
        Ok(vec![Detection { bbox: person(), class: Class::Person, confidence }])
    }

    /// Columns of black and white, one pixel wide: gone wherever it is blurred.
    fn striped() -> Arc<Picture> {
        picture(400, 300, |x, _| if x % 2 == 0 { 0 } else { 255 })
    }

    fn is_striped(shared: &Shareable, x: u32, y: u32) -> bool {
        let at = |x| i32::from(shared.0.get_pixel(x, y).0[0]);
        (at(x) - at(x + 1)).abs() > 200
    }

    #[test]
    fn a_head_that_only_the_finder_sees_is_gone_and_the_rest_is_there() {
        let shared = redaction(one).share(&striped(), 400, &[], Duration::ZERO).expect("shares");
        assert!(!is_striped(&shared, 150, 80) && is_striped(&shared, 150, 200) && is_striped(&shared, 20, 20));
    }

    #[test]
    fn a_head_that_only_the_tracker_knows_of_is_gone() {
        let known = [Known { class: Class::Person, bbox: person(), velocity: Point::new(0.0, 0.0) }];
        for shared in [
            redaction(|| Ok(Vec::new())).share(&striped(), 400, &known, Duration::ZERO),
            redaction(|| Ok(Vec::new())).glance(&striped(), 400, &known),
        ] {
            let shared = shared.expect("shares");
            assert!(!is_striped(&shared, 150, 80) && is_striped(&shared, 150, 200));
        }
    }

    #[test]
    fn nothing_is_shared_when_looking_fails_or_panics_or_cannot_be() {
        let failing = redaction(|| Err(DetectError::NotANumber { output: "boxes".into() }));
        let panicking = redaction(|| panic!("a surprise"));
        for redaction in [failing, panicking, Redaction::Blurred(None)] {
            assert!(redaction.share(&striped(), 400, &[], Duration::ZERO).is_err(), "{redaction:?}");
        }
    }

    #[test]
    fn a_site_that_wants_nothing_blurred_has_nothing_blurred() {
        let shared = Redaction::AsDecoded.share(&striped(), 400, &[], Duration::ZERO).expect("shares");
        assert!(is_striped(&shared, 150, 80));
        assert_eq!(Redaction::AsDecoded.privacy(), Privacy::None);
    }

    #[test]
    fn boxes_are_where_they_are_in_a_picture_that_is_reduced() {
        let known = [Known { class: Class::Person, bbox: person(), velocity: Point::new(0.0, 0.0) }];
        let large = picture(800, 600, |x, _| if x / 2 % 2 == 0 { 0 } else { 255 });
        let shared = redaction(|| Ok(Vec::new())).share(&large, 400, &known, Duration::ZERO).expect("shares");
        assert_eq!(shared.0.width(), 400);
        assert!(!is_striped(&shared, 150, 80) && is_striped(&shared, 150, 200));
    }
}
