use super::machine::{Int8, disk, int8_of, value_of};
use super::*;

#[test]
fn what_a_processor_makes_of_int8_is_read_from_its_flags() {
    let info = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nflags\t\t: fpu sse4_2 avx avx2 avx512_vnni\n";
    assert_eq!(value_of(info, "model name"), Some("Some CPU @ 2.00GHz"));
    assert_eq!(int8_of(value_of(info, "flags").expect("there")), Int8::Dot);
    assert_eq!(int8_of("fpu avx avx2 fma"), Int8::Wide);
    assert_eq!(int8_of("fp asimd asimddp"), Int8::Dot);
    assert_eq!(int8_of("fpu sse4_2 avx2x"), Int8::None);
}

#[test]
fn a_disk_is_written_to_and_left_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("not/there/yet");
    let check = disk(&path, 0, true);
    assert!(matches!(check.verdict, Verdict::Ok | Verdict::Warn), "{check:?}");
    assert!(check.found.contains("not there yet") && check.found.contains("writable"), "{check:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left behind");
    let check = disk(&path, u64::MAX, true);
    assert_eq!(check.verdict, Verdict::Warn);
    assert!(check.cure.expect("a cure").contains("storage.outbox"));
    let check = disk(Path::new("/proc/self"), 0, true);
    assert_eq!(check.verdict, Verdict::Fail, "{check:?}");
    assert_eq!(disk(Path::new("/proc/self"), 0, false).verdict, Verdict::Warn, "no site asks for it");
}

#[test]
fn a_limit_of_files_that_is_too_low_for_the_cameras_is_warned_of() {
    use super::machine::descriptors_of;

    assert_eq!(descriptors_of(8, 1024).verdict, Verdict::Ok);
    let check = descriptors_of(8, 256);
    assert_eq!(check.verdict, Verdict::Warn);
    assert_eq!(check.cure.as_deref(), Some("give the service LimitNOFILE=512, or a shell `ulimit -n`"));
    assert_eq!(descriptors_of(2, 256).verdict, Verdict::Ok);
}

#[test]
fn a_cure_in_an_error_is_told_apart_and_no_secret_passes() {
    #[derive(Debug, thiserror::Error)]
    #[error("rtsp://admin:c4n4ry@cam/1 is wrong\n    → write it without password=c4n4ry")]
    struct Wrong;
    let check = Check::from_error("camera", Verdict::Fail, &Wrong);
    assert_eq!(check.found, "rtsp://***@cam/1 is wrong");
    assert_eq!(check.cure.as_deref(), Some("write it without password=***"));
}
