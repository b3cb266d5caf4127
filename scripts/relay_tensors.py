#!/usr/bin/env python3
"""Lays the recorded outputs of YOLOX-Nano and SSDLite out as a YOLO and a DETR head would give them.

No weights are needed, and none of those families' is: the numbers are those that record_tensors.py recorded on real
frames. What the boxes are is computed here, by numpy, from the laid-out tensors; for `yolo` it must come out as it was.

Needs: pip install numpy onnx onnxruntime opencv-python-headless (record_tensors.py's)
Usage: relay_tensors.py
"""
import json

import numpy as np

from record_tensors import MODELS, OUT, detections, mapped

HEADS = OUT / "heads"
QUERIES, SIZE = 300, 416


def load(name):
    head = json.loads((HEADS / f"{name}.json").read_text())
    values = np.fromfile(HEADS / f"{name}.f32", "<f4").reshape(len(head["rows"]), -1).astype(np.float64)
    return head, values


def store(name, head, values, rows, anchors, found):
    (HEADS / f"{name}.f32").write_bytes(values.astype("<f4").tobytes())
    head = dict(head, anchors=anchors, rows=[int(r) for r in rows], detections=found)
    (HEADS / f"{name}.json").write_text(json.dumps(head) + "\n")
    print(name, "detections:", len(found), [f["class"] for f in found])


def cells(rows):
    """Column, row and stride of YOLOX's anchors."""
    out, first = [], 0
    for stride in (8, 16, 32):
        side = SIZE // stride
        for row in rows:
            if first <= row < first + side * side:
                out.append(((row - first) % side, (row - first) // side, stride))
        first += side * side
    return np.array(out, float)


def relay_yolo(name):
    """[rows, 4 + labels]: centre, width, height in the input's pixels, objectness × label."""
    head, raw = load(f"yolox-{name}")
    cell = cells(head["rows"])
    center = (raw[:, :2] + cell[:, :2]) * cell[:, 2:]
    values = np.hstack([center, np.exp(raw[:, 2:4]) * cell[:, 2:], raw[:, 4:5] * raw[:, 5:]]).astype("<f4")

    laid, picture = values.astype(np.float64), np.array(head["picture"] * 2, float)
    scale = min(SIZE / picture[0], SIZE / picture[1])
    corners = np.hstack([laid[:, :2] - laid[:, 2:4] / 2, laid[:, :2] + laid[:, 2:4] / 2]) / scale / picture
    found = detections(laid[:, 4:], corners, mapped(MODELS / "yolox-nano/coco80.labels"))
    as_recorded = zip(found, head["detections"], strict=True)
    assert all(a["class"] == b["class"] and np.allclose(a["bbox"], b["bbox"], atol=1e-5) for a, b in as_recorded)
    store(f"yolo-{name}", head, values, range(len(values)), len(values), found)


def relay_detr(name, activation):
    """[rows, labels + 4]: logits, then centre, width, height as fractions; every third of 300 queries is recorded."""
    head, raw = load(f"ssd-{name}")
    top, left, bottom, right = raw[:, 90:].T
    boxes = np.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], 1)
    confidences = np.clip(raw[:, :90], 1e-6, 1 - 1e-6)
    columns = mapped(MODELS / "ssdlite-mobilenet-v2/coco90.labels")
    if activation == "sigmoid":
        logits = np.log(confidences / (1 - confidences))
    else:
        # "No object" takes what the others leave, in a column that the labels file has no class for.
        unnamed = next(i for i in range(90) if i not in dict(columns))
        confidences[:, unnamed] = 1e-6
        shares = confidences / np.maximum(1.001, confidences.sum(1, keepdims=True))
        shares[:, unnamed] += 1 - shares.sum(1)
        logits = np.log(shares) + 7.0
    values = np.hstack([logits, boxes]).astype("<f4")

    laid = values.astype(np.float64)
    raised = np.exp(laid[:, :90])
    confidences = raised / (1 + raised) if activation == "sigmoid" else raised / raised.sum(1, keepdims=True)
    x, y, across, down = laid[:, 90:].T
    corners = np.clip(np.stack([x - across / 2, y - down / 2, x + across / 2, y + down / 2], 1), 0, 1)
    index = np.array([i for i, _ in columns])
    best = confidences[:, index].argmax(1)
    value = confidences[np.arange(len(best)), index[best]]
    found = [{"class": columns[best[i]][1], "confidence": float(value[i]), "bbox": [float(v) for v in corners[i]]}
             for i in np.flatnonzero(value >= head["confidence"])]
    store(f"detr-{activation}-{name}", head, values, range(0, QUERIES, QUERIES // len(values)), QUERIES,
          sorted(found, key=lambda b: -b["confidence"]))


def main():
    for name in ("pedestrians", "crossing"):
        relay_yolo(name)
    relay_detr("crossing", "sigmoid")
    relay_detr("pedestrians", "softmax")


if __name__ == "__main__":
    main()
