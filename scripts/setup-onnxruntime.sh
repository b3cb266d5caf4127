#!/usr/bin/env bash
# Puts ONNX Runtime, which runs the detector, at .cache/onnxruntime/, with its licences, which go into packages with it.
# It is loaded at run time, not linked.
source "$(dirname "$0")/lib.sh"

version=1.31.1
library=.cache/onnxruntime/libonnxruntime.so.$version
sha256=fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3
declare -A licences=(
    [LICENSE]=2f07c72751aed99790b8a4869cf2311df85a860b22ded05fa22803587a48922c
    [ThirdPartyNotices.txt]=143764b952fdb1a7c69ce653bfba74a7744d6a8a573bfb73e235fba356c83de3
)

if [ "$(uname -m)" != x86_64 ]; then
    if [ -f "$library" ]; then say "ONNX Runtime: present (not checked: its sha256 is known for x86_64 only)"; exit 0; fi
    die "ONNX Runtime: this step knows the library for x86_64 only; this machine is $(uname -m)" \
        "Put ONNX Runtime $version built for this machine at $library," \
        "for example libonnxruntime.so.$version out of: pip download --no-deps onnxruntime==$version"
fi
have_licences() {
    local name
    for name in "${!licences[@]}"; do is_intact ".cache/onnxruntime/$name" "${licences[$name]}" || return 1; done
}
if have_licences && report_present "ONNX Runtime $version" "$library" "$sha256"; then exit 0; fi

make_scratch
say "ONNX Runtime $version: fetching (24 MB)"
member=onnxruntime/capi/libonnxruntime.so.$version
take_from_wheel "onnxruntime==$version" manylinux_2_28_x86_64 "$member" ||
    die "could not fetch ONNX Runtime $version" "It runs the detector; nothing is detected without it." \
        "pip says why above; most often the network or a proxy (pip reads HTTPS_PROXY). Cure that and run again, or take" \
        "$member out of the wheel onnxruntime $version" "(CPython 3.11, manylinux_2_28_x86_64) elsewhere and put it at $library"
put_in_place "$scratch/wheel/$member" "$sha256" "$library" 644
for name in "${!licences[@]}"; do
    put_in_place "$scratch/wheel/onnxruntime/$name" "${licences[$name]}" ".cache/onnxruntime/$name" 644
done
