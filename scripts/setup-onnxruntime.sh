#!/usr/bin/env bash
# Puts ONNX Runtime, which runs the detector, at .cache/onnxruntime/. It is loaded at run time, not linked.
source "$(dirname "$0")/lib.sh"

version=1.31.1
library=.cache/onnxruntime/libonnxruntime.so.$version
sha256=fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3

if [ "$(uname -m)" != x86_64 ]; then
    if [ -f "$library" ]; then say "ONNX Runtime: present (not checked: its sha256 is known for x86_64 only)"; exit 0; fi
    die "ONNX Runtime: this step knows the library for x86_64 only; this machine is $(uname -m)" \
        "Put ONNX Runtime $version built for this machine at $library," \
        "for example libonnxruntime.so.$version out of: pip download --no-deps onnxruntime==$version"
fi
if report_present "ONNX Runtime $version" "$library" "$sha256"; then exit 0; fi

make_scratch
say "ONNX Runtime $version: fetching (24 MB)"
member=onnxruntime/capi/libonnxruntime.so.$version
take_from_wheel "onnxruntime==$version" manylinux_2_28_x86_64 "$member" ||
    die "could not fetch ONNX Runtime $version" "It runs the detector; nothing is detected without it." \
        "pip says why above; most often the network or a proxy (pip reads HTTPS_PROXY). Cure that and run again, or take" \
        "$member out of the wheel onnxruntime $version" "(CPython 3.11, manylinux_2_28_x86_64) elsewhere and put it at $library"
put_in_place "$scratch/wheel/$member" "$sha256" "$library" 644
