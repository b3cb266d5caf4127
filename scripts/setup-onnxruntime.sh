#!/usr/bin/env bash
# Puts ONNX Runtime, which runs the detector, at .cache/onnxruntime/, with its licences, which go into packages with it.
# It is loaded at run time, not linked. Usage: setup-onnxruntime.sh [cpu|openvino|gpu]
#
# cpu (the default) is what building, the demo and the tests need. openvino and gpu are builds with accelerators, for the
# profiles that ask for them (hw-profiles/README.md); each lies in a folder of its own below.
source "$(dirname "$0")/lib.sh"

version=1.31.1
library=.cache/onnxruntime/libonnxruntime.so.$version
sha256=fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3
declare -A licences=(
    [LICENSE]=2f07c72751aed99790b8a4869cf2311df85a860b22ded05fa22803587a48922c
    [ThirdPartyNotices.txt]=143764b952fdb1a7c69ce653bfba74a7744d6a8a573bfb73e235fba356c83de3
)

# build_from_wheel NAME REQUIREMENT PLATFORM WHEEL_SHA256 SIZE FILE...: puts FILEs of a wheel's capi folder (patterns) into
# .cache/onnxruntime/NAME, and what they must be into files.sha256 beside them.
build_from_wheel() {
    local name=$1 requirement=$2 platform=$3 wheel_sha256=$4 size=$5 folder=.cache/onnxruntime/$1 pattern file
    shift 5
    if [ "$(cat "$folder/wheel.sha256" 2>/dev/null)" = "$wheel_sha256" ] &&
        (cd "$folder" && sha256sum --check --status files.sha256); then
        say "$requirement: present"
        exit 0
    fi
    make_scratch
    say "$requirement: fetching ($size)"
    take_from_wheel "$requirement" "$platform" onnxruntime/LICENSE ||
        die "could not fetch $requirement" "hw-profiles/README.md says which profiles need it." \
            "pip says why above; most often the network or a proxy (pip reads HTTPS_PROXY). Cure that and run again."
    is_intact "$(echo "$scratch"/*.whl)" "$wheel_sha256" ||
        die "$requirement: the fetched file is not the expected one" "expected sha256 $wheel_sha256" \
            "Nothing was installed. A proxy that rewrites downloads does this; try another network."
    mkdir "$scratch/build"
    cp "$scratch/wheel/onnxruntime/LICENSE" "$scratch/wheel/onnxruntime/ThirdPartyNotices.txt" "$scratch/build/"
    for pattern in "$@"; do
        for file in "$scratch"/wheel/onnxruntime/capi/$pattern; do
            [ -f "$file" ] || die "$requirement has no $pattern" "This step is made for that very wheel."
            mv "$file" "$scratch/build/"
        done
    done
    (cd "$scratch/build" && chmod 644 ./* && sha256sum ./* >files.sha256)
    echo "$wheel_sha256" >"$scratch/build/wheel.sha256"
    chmod 755 "$scratch/build"
    rm -rf "$folder"
    mkdir -p .cache/onnxruntime && mv "$scratch/build" "$folder" || die "cannot write $folder" "Make it writable, then run again."
    say "$folder: ready"
    exit 0
}

case ${1:-cpu} in
cpu) ;;
openvino)
    build_from_wheel openvino onnxruntime-openvino==1.24.1 manylinux_2_28_x86_64 \
        3007c803634cc69c6d52af1dea7ce729d9bb62b9a11070fd2f959119199007a8 "84 MB" \
        'libonnxruntime.so.*' 'libonnxruntime_providers_*.so' libopenvino.so.2541 libopenvino_onnx_frontend.so.2541 \
        'libopenvino_*_plugin.so' 'libtbb.so.*' libtbbmalloc.so
    ;;
gpu)
    build_from_wheel gpu "onnxruntime-gpu==$version" manylinux_2_28_x86_64 \
        e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6 "256 MB" \
        'libonnxruntime.so.*' 'libonnxruntime_providers_*.so'
    ;;
*) die "usage: $0 [cpu|openvino|gpu]" ;;
esac

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
