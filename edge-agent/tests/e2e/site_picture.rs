//! `site picture`: the JPEG that it writes, pixel by pixel.

use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::agent::{Finished, finished, root};
use crate::clip::{Cameras, vtest};
use crate::site::SiteFile;

fn demo_site() -> PathBuf {
    root().join("edge-agent/deploy/demo-site.toml")
}

fn of_clip(site: &Path, output: &Path) -> Finished {
    let (clip, output) = (vtest(), output.as_os_str().to_owned());
    finished([
        "site".as_ref(),
        "picture".as_ref(),
        site.as_os_str(),
        "--clip".as_ref(),
        clip.as_os_str(),
        "-o".as_ref(),
        &output,
    ])
}

fn read(path: &Path) -> RgbImage {
    image::load_from_memory(&std::fs::read(path).expect("written")).expect("a JPEG").into_rgb8()
}

/// Of a stretch of pixels, how many are so.
fn share(pixels: impl Iterator<Item = [u8; 3]>, is_so: impl Fn([u8; 3]) -> bool) -> f64 {
    let (mut all, mut so) = (0, 0);
    for pixel in pixels {
        all += 1;
        so += u32::from(is_so(pixel));
    }
    f64::from(so) / f64::from(all)
}

const GREENISH: fn([u8; 3]) -> bool = |[r, g, b]| i32::from(g) - i32::from(r) > 60 && i32::from(g) > i32::from(b);

#[test]
fn a_clips_first_frame_carries_the_grid_and_the_zones() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("path.jpg");
    let done = of_clip(&demo_site(), &path).succeeded();
    assert!(done.stdout.contains("768x576, drawn in: 2 zones, 1 line"), "{}", done.stdout);
    let picture = read(&path);
    let (width, height) = picture.dimensions();
    assert_eq!((width, height), (768, 576));
    let at = |x: f64, y: f64| {
        picture.get_pixel((x * f64::from(width)).round() as u32, (y * f64::from(height)).round() as u32).0
    };
    let light = |[r, g, b]: [u8; 3]| r > 190 && g > 190 && b > 190;
    // Over the lawn, which is dark: half of a dashed line is white, and nothing a little beside it.
    let down = |x: f64| (620..860).map(move |y| at(x, f64::from(y) / 1000.0));
    assert!(share(down(0.1), light) > 0.3 && share(down(0.13), light) < 0.05, "{}", share(down(0.1), light));
    let across = |y: f64| (40..280).map(move |x| at(f64::from(x) / 1000.0, y));
    assert!(share(across(0.7), light) > 0.3 && share(across(0.73), light) < 0.05, "{}", share(across(0.7), light));
    // The upper edge of the zone `junction` runs at 0.32, the counting line at 0.5 from top to bottom.
    let edge = |y: f64| (620..780).map(move |x| at(f64::from(x) / 1000.0, y));
    assert!(share(edge(0.32), GREENISH) > 0.7, "{}", share(edge(0.32), GREENISH));
    assert!(share(edge(0.36), GREENISH) < 0.1, "{}", share(edge(0.36), GREENISH));
    let line = (620..960).map(|y| at(0.5, f64::from(y) / 1000.0));
    assert!(share(line, |[r, g, b]| r > 180 && g < 140 && b < 120) > 0.7);
}

#[test]
fn a_live_camera_gives_its_picture() {
    let cameras = Cameras::start();
    let site = SiteFile::new(1883).camera("nam", &cameras.url("one"), "").camera("bac", &cameras.url("two"), "");
    let (file, output) = (site.write(), tempfile::tempdir().expect("a folder"));
    let path = output.path().join("bac.jpg");
    let picture = |camera: &str| {
        finished([
            "site".as_ref(),
            "picture".as_ref(),
            file.as_os_str(),
            camera.as_ref(),
            "-o".as_ref(),
            path.as_os_str(),
        ])
    };
    picture("bac").succeeded();
    assert_eq!(read(&path).dimensions(), (384, 288));
    let unknown = picture("tay").failed(1);
    assert!(unknown.contains("no camera \"tay\"") && unknown.contains("nam, bac"), "{unknown}");
    let unnamed = finished(["site".as_ref(), "picture".as_ref(), file.as_os_str()]).failed(1);
    assert!(unnamed.contains("say which camera") && unnamed.contains("nam, bac"), "{unnamed}");
    cameras.kill();
    let dead = picture("bac").failed(1);
    assert!(dead.contains("cannot be reached") && dead.contains('→'), "{dead}");
}

#[test]
fn a_zone_with_an_error_is_left_out_and_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let (site, path) = (folder.path().join("site.toml"), folder.path().join("path.jpg"));
    let text = std::fs::read_to_string(demo_site()).expect("is there");
    let wrong = text.replace("[[0.30, 0.32], [0.80, 0.32], [0.80, 0.60], [0.30, 0.52]]", "[[0.30, 0.32], [0.80, 3.2]]");
    assert_ne!(wrong, text);
    std::fs::write(&site, wrong).expect("writes");
    let done = of_clip(&site, &path).succeeded();
    assert!(done.stdout.contains("drawn in: 1 zone, 1 line"), "{}", done.stdout);
    assert!(done.stderr.contains("camera[0].zone.junction.polygon"), "{}", done.stderr);
    let (picture, row) = (read(&path), (0.32 * 576.0) as u32);
    let edge = (476..600).map(|x| picture.get_pixel(x, row).0);
    assert!(share(edge, GREENISH) < 0.1);
}
