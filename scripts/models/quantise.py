"""Quantise the float SSDLite graph to int8 (static QDQ, ONNX Runtime's quantiser).

Activations are u8, weights s8 per channel. Weights use 7 bits (`reduce_range`): on x86 with
AVX2 but without VNNI the u8 x s8 kernel adds two products in 16 bits and saturates with
8-bit weights, which ruins the scores (models/ssdlite-mobilenet-v2/README.md has the figures).
Quantised are the convolutions and their clips (at run time the residual additions between them
too); box decoding and the sigmoid stay float, because a box corner in u8 is only exact to
1/256 of the picture. Ranges are min-max: with activations clipped at 6, percentile and
entropy measured the same, and only min-max makes the same bytes again.

Usage: quantise.py FLOAT.onnx OUT.onnx --manifest FILE --images DIR --clip vtest.avi

The manifest lists `sha256  name` of every calibration file; each is checked. Images are used
whole; of the clip, frames 5, 37, 69, … (none of which evaluate.py measures).
"""

import argparse
import hashlib
import pathlib
import tempfile

import cv2
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import detector as det
from evaluate import frames

CLIP_NAME = "vtest.avi"
FIRST_FRAME, FRAME_STEP = 5, 32


class Calibration(CalibrationDataReader):
    def __init__(self, pictures):
        self.pending = iter(pictures)

    def get_next(self):
        picture = next(self.pending, None)
        return None if picture is None else {"image": det.ssd_input(picture)}


def checked(path, sha256):
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise SystemExit(f"quantise: {path} is missing or is not the file the manifest names")
    return path


def pictures(manifest, images, clip):
    for line in manifest.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        sha256, name = line.split()
        if name == CLIP_NAME:
            for number, picture in frames(checked(clip, sha256)):
                if number % FRAME_STEP == FIRST_FRAME:
                    yield picture
        else:
            yield cv2.imread(str(checked(images / name, sha256)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("float_model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--manifest", type=pathlib.Path, required=True)
    parser.add_argument("--images", type=pathlib.Path, required=True)
    parser.add_argument("--clip", type=pathlib.Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepared = pathlib.Path(folder) / "prepared.onnx"
        quant_pre_process(str(args.float_model), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            prepared,
            args.out,
            Calibration(pictures(args.manifest, args.images, args.clip)),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Clip"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )


if __name__ == "__main__":
    main()
