#!/usr/bin/env python3
"""Records the fixtures of edge-agent/tests/data/detect: what OpenCV, ONNX Runtime and numpy make of a few pictures.

Needs: pip install onnxruntime==1.31.1 onnx numpy opencv-python-headless
Usage: record_tensors.py --ssd ssdlite.onnx --yolox yolox_nano.onnx NAME=CLIP:FRAME [NAME=CLIP:FRAME ...]
The first picture also becomes the planes-to-tensor fixtures. README.md beside the fixtures says what was recorded.
"""
import argparse
import json
import pathlib

import cv2
import numpy as np
import onnx
import onnxruntime

OUT = pathlib.Path(__file__).resolve().parent.parent / "edge-agent/tests/data/detect"
MODELS = pathlib.Path(__file__).resolve().parent.parent / "models"
CLASSES = ["person", "bicycle", "car", "motorcycle", "bus", "truck"]
CONFIDENCE, NMS_IOU, ROWS = 0.3, 0.5, 100


def frame_of(clip, number):
    capture = cv2.VideoCapture(clip)
    for _ in range(number + 1):
        ok, frame = capture.read()
        assert ok, f"{clip} has no frame {number}"
    return frame


# --- planes to tensor -------------------------------------------------------------------------------------------------

COEFFICIENTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}


def planes_of(bgr, matrix, full):
    """8-bit planes by the ITU's equations, chroma averaged over 2x2 blocks shifted to MPEG-2 siting."""
    kr, kb = COEFFICIENTS[matrix]
    b, g, r = (bgr[..., i].astype(float) for i in range(3))
    y = kr * r + (1 - kr - kb) * g + kb * b
    u, v = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    if not full:
        y, u, v = 16 + y * 219 / 255, u * 224 / 255, v * 224 / 255

    def half(c):
        padded = np.pad(c, ((0, c.shape[0] % 2), (1, 1 + c.shape[1] % 2)), mode="edge")
        across = (padded[:, 0:-2:2] + 2 * padded[:, 1:-1:2] + padded[:, 2::2]) / 4
        return (across[0::2] + across[1::2]) / 2 + 128

    return [np.clip(np.rint(c), 0, 255).astype(np.uint8) for c in (y, half(u), half(v))]


def rgb_of(planes, matrix, full):
    """The picture at full size: chroma resampled to its siting, colours by the ITU's equations, rounded to 8 bits."""
    y, u, v = (c.astype(float) for c in planes)
    rows, columns = np.indices(y.shape)

    def at_luma(c):
        x = np.clip(columns / 2, 0, c.shape[1] - 1).astype(np.float32)
        z = np.clip((rows - 0.5) / 2, 0, c.shape[0] - 1).astype(np.float32)
        return cv2.remap(c.astype(np.float32), x, z, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) - 128.0

    u, v = at_luma(u), at_luma(v)
    if not full:
        y, u, v = (y - 16) * 255 / 219, u * 255 / 224, v * 255 / 224
    kr, kb = COEFFICIENTS[matrix]
    r, b = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return np.clip(np.rint(np.dstack([r, g, b])), 0, 255).astype(np.uint8)


def letterboxed(rgb, size, letterbox, pad):
    """`size` is (width, height)."""
    if letterbox == "stretch":
        return cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)
    scale = min(size[0] / rgb.shape[1], size[1] / rgb.shape[0])
    width, height = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
    out = np.full((size[1], size[0], 3), pad, np.uint8)
    left, top = ((size[0] - width) // 2, (size[1] - height) // 2) if letterbox == "center" else (0, 0)
    out[top:top + height, left:left + width] = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR)
    return out


def record_planes(bgr):
    cases = []
    for name, size, matrix, full, crop, target, letterbox, own in [
        ("opencv-stretch", (160, 120), "bt601", False, (0, 0, 160, 120), (72, 72), "stretch", False),
        ("opencv-region-top-left", (160, 120), "bt601", False, (36, 10, 140, 90), (64, 64), "top-left", False),
        ("odd-bt709-center", (159, 119), "bt709", False, (0, 0, 159, 119), (80, 64), "center", True),
        ("odd-bt709-full-region", (159, 119), "bt709", True, (31, 17, 128, 100), (64, 72), "top-left", True),
        ("bt601-full-enlarged", (160, 120), "bt601", True, (51, 33, 98, 70), (96, 96), "center", True),
    ]:
        small = np.ascontiguousarray(bgr[150:150 + size[1], 230:230 + size[0]])
        if own:
            planes = planes_of(small, matrix, full)
            rgb = rgb_of(planes, matrix, full)
        else:
            i420 = cv2.cvtColor(small, cv2.COLOR_BGR2YUV_I420)
            count = size[0] * size[1]
            flat = i420.reshape(-1)
            half = (size[1] // 2, size[0] // 2)
            planes = [flat[:count].reshape(size[1], size[0]),
                      flat[count:count * 5 // 4].reshape(half), flat[count * 5 // 4:].reshape(half)]
            rgb = cv2.cvtColor(i420, cv2.COLOR_YUV2RGB_I420)
        left, top, right, bottom = crop
        tensor = letterboxed(rgb[top:bottom, left:right], target, letterbox, 114).transpose(2, 0, 1)
        data = b"".join(p.tobytes() for p in planes) + tensor.tobytes()
        (OUT / "planes" / f"{name}.bin").write_bytes(data)
        cases.append({"name": name, "picture": size, "matrix": matrix, "full": full, "crop": crop,
                      "tensor": target, "letterbox": letterbox, "pad": 114})
    (OUT / "planes/cases.json").write_text(json.dumps(cases, indent=1) + "\n")


# --- heads ------------------------------------------------------------------------------------------------------------


def mapped(labels_file):
    labels = labels_file.read_text().splitlines()
    return [(i, label) for i, label in enumerate(labels) if label in CLASSES]


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def kept(boxes):
    """Per class, the most confident first, each dropped that overlaps a kept one too much."""
    result = []
    for label in CLASSES:
        left = sorted((b for b in boxes if b["class"] == label), key=lambda b: -b["confidence"])
        while left:
            result.append(left[0])
            left = [b for b in left[1:] if iou(b["bbox"], result[-1]["bbox"]) <= NMS_IOU]
    return sorted(result, key=lambda b: -b["confidence"])


def detections(confidences, corners, columns):
    """`confidences` [N, labels], `corners` [N, 4] as fractions of the picture."""
    index = np.array([i for i, _ in columns])
    best = confidences[:, index].argmax(1)
    value = confidences[np.arange(len(best)), index[best]]
    corners = np.clip(corners, 0, 1)
    return kept([{"class": columns[best[i]][1], "confidence": float(value[i]), "bbox": [float(v) for v in corners[i]]}
                 for i in np.flatnonzero(value >= CONFIDENCE)])


def store(name, picture, rows, values, anchors, found):
    (OUT / "heads" / f"{name}.f32").write_bytes(values.astype("<f4").tobytes())
    head = {"picture": [picture.shape[1], picture.shape[0]], "confidence": CONFIDENCE, "nms_iou": NMS_IOU,
            "anchors": anchors, "rows": [int(r) for r in rows], "detections": found}
    (OUT / "heads" / f"{name}.json").write_text(json.dumps(head) + "\n")
    print(name, "detections:", len(found), [f["class"] for f in found])


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def record_ssd(name, network, bgr):
    small = cv2.resize(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), (300, 300), interpolation=cv2.INTER_LINEAR)
    tensor = small.transpose(2, 0, 1)[None].astype(np.float32)
    scores, boxes = (o[0] for o in network.run(["scores", "boxes"], {"image": tensor}))
    columns = mapped(MODELS / "ssdlite-mobilenet-v2/coco90.labels")
    rows = np.sort(np.argsort(-scores[:, [i for i, _ in columns]].max(1), kind="stable")[:ROWS])
    found = detections(scores[rows], boxes[rows][:, [1, 0, 3, 2]], columns)
    store(f"ssd-{name}", bgr, rows, np.hstack([scores[rows], boxes[rows]]), len(scores), found)


def record_yolox(name, network, bgr):
    size = 416
    scale = min(size / bgr.shape[0], size / bgr.shape[1])
    padded = letterboxed(bgr, (size, size), "top-left", 114)
    tensor = padded.transpose(2, 0, 1)[None].astype(np.float32)
    output = network.run(["output"], {"images": tensor})[0][0]
    columns = mapped(MODELS / "yolox-nano/coco80.labels")
    rows = np.sort(np.argsort(-output[:, 4], kind="stable")[:ROWS])
    grids, strides = [], []
    for stride in (8, 16, 32):
        side = size // stride
        xs, ys = np.meshgrid(np.arange(side), np.arange(side))
        grids.append(np.stack([xs, ys], 2).reshape(-1, 2))
        strides.append(np.full((side * side, 1), stride))
    grid, stride = np.concatenate(grids)[rows], np.concatenate(strides)[rows]
    part = output[rows].astype(np.float64)
    center, extent = (part[:, :2] + grid) * stride, np.exp(part[:, 2:4]) * stride
    corners = np.hstack([center - extent / 2, center + extent / 2]) / scale
    corners /= np.array([bgr.shape[1], bgr.shape[0]] * 2)
    found = detections(part[:, 4:5] * part[:, 5:], corners, columns)
    store(f"yolox-{name}", bgr, rows, output[rows], len(output), found)


# --- a network small enough to keep -----------------------------------------------------------------------------------


def record_tiny():
    """An SSD of two anchors: the first is as sure of labels 0, 1, 2 as its picture is red, green, blue."""
    from onnx import TensorProto, helper, numpy_helper

    def constant(name, values, kind=np.float32):
        return numpy_helper.from_array(np.array(values, kind), name)

    boxes = [[[0.25, 0.25, 0.75, 0.5], [0.0, 0.0, 1.0, 1.0]]]
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0),
         helper.make_node("Mul", ["mean", "scale"], ["color"]),
         helper.make_node("Reshape", ["color", "row"], ["first"]),
         helper.make_node("Mul", ["first", "nothing"], ["second"]),
         helper.make_node("Concat", ["first", "second"], ["scores"], axis=1),
         helper.make_node("Identity", ["fixed"], ["boxes"])],
        "tiny_ssd",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2, 3]),
         helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 2, 4])],
        [constant("scale", 1 / 255), constant("row", [1, 1, 3], np.int64), constant("nothing", 0.0),
         constant("fixed", boxes)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    folder = OUT / "models/tiny-ssd"
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "tiny_ssd.onnx")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--ssd", required=True)
    arguments.add_argument("--yolox", required=True)
    arguments.add_argument("pictures", nargs="+", metavar="NAME=CLIP:FRAME")
    given = arguments.parse_args()
    for folder in ("planes", "heads"):
        (OUT / folder).mkdir(parents=True, exist_ok=True)
    record_tiny()
    ssd, yolox = session(given.ssd), session(given.yolox)
    for number, picture in enumerate(given.pictures):
        name, place = picture.split("=", 1)
        clip, frame = place.rsplit(":", 1)
        bgr = frame_of(clip, int(frame))
        if number == 0:
            record_planes(bgr)
        record_ssd(name, ssd, bgr)
        record_yolox(name, yolox, bgr)


if __name__ == "__main__":
    main()
