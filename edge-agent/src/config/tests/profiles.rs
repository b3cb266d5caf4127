//! Hardware profiles: what they ask of the installation and of the service.

use super::*;
use crate::config::{HwProfile, hw_profiles};
use crate::detect::ort::{Build, Need, Provider};

fn shipped(name: &str) -> HwProfile {
    hw_profiles(&home()).into_iter().find(|profile| profile.name == name).expect("it is shipped and good")
}

#[test]
fn every_kind_of_box_that_is_promised_has_a_profile() {
    let names: Vec<String> = hw_profiles(&home()).into_iter().map(|profile| profile.name).collect();
    let promised =
        ["arm64-cpu", "cpu-small", "cpu-x86_64", "intel-openvino", "jetson-orin", "nvidia-cuda", "nvidia-tensorrt"];
    assert_eq!(names, promised);
}

#[test]
fn a_profile_asks_for_the_build_of_its_first_accelerator() {
    assert_eq!(shipped("cpu-x86_64").build(), Build::Cpu);
    assert_eq!(shipped("intel-openvino").build(), Build::OpenVino);
    assert_eq!(shipped("nvidia-tensorrt").build(), Build::Gpu);
}

#[test]
fn the_nvidia_profiles_do_not_start_without_the_gpu() {
    for name in ["nvidia-cuda", "nvidia-tensorrt"] {
        let cuda = shipped(name).providers.into_iter().find(|choice| choice.provider == Provider::Cuda);
        assert_eq!(cuda.map(|choice| choice.need), Some(Need::Required), "{name}");
    }
}

#[test]
fn the_build_asked_for_is_found_in_its_folder_and_the_processors_stands_in_for_it() {
    let home = tempfile::tempdir().expect("a folder");
    let libraries = home.path().join(".cache/onnxruntime");
    let place = |file: &str| {
        let path = libraries.join(file);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
        std::fs::write(&path, "").expect("writes");
        path
    };
    let processor = place("libonnxruntime.so.1.31.1");
    let at = Home::at(home.path());
    assert_eq!(at.onnxruntime_of(Build::OpenVino), None);
    assert_eq!(at.onnxruntime(Build::OpenVino).ok(), Some(processor.clone()));
    place("openvino/libonnxruntime_providers_openvino.so");
    assert_eq!(at.onnxruntime_of(Build::OpenVino), None, "a provider is no runtime");
    let openvino = place("openvino/libonnxruntime.so.1.24.1");
    assert_eq!(at.onnxruntime(Build::OpenVino).ok(), Some(openvino));
    assert_eq!(at.onnxruntime(Build::Cpu).ok(), Some(processor), "newer or not, another build is not taken");
}
