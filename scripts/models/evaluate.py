#!/usr/bin/env python3
"""Measure detectors: person AP50 on the vtest clip, traffic classes on COCO images, time for one image.

    evaluate.py --vtest CLIP --mot GT.txt [--grid 1x1 2x1 3x2] MODEL...
    evaluate.py --coco DIR [--skip-manifest MANIFEST] MODEL...
    evaluate.py --time [--rounds N] MODEL...
    evaluate.py --fingerprint CLIP MODEL...

`--mot` is MOTChallenge ground truth (PETS09-S2L1; frame k is the k-th frame of the clip), every
8th frame is measured. `--coco` holds `images/*.jpg` and `labels/*.txt` in YOLO form; the images
that MANIFEST lists were used for calibration and are left out. AP is the area under the
interpolated precision-recall curve at IoU 0.5 (PASCAL VOC 2010). `--fingerprint` digests what an
SSDLite model answers on eight frames: run it on, or emulating, two kinds of CPU to see whether
they compute the same, e.g. under `qemu-x86_64 -cpu Haswell-v4` for AVX2 without VNNI.
"""

import argparse
import hashlib
import pathlib
import time

import cv2
import numpy as np

import detector as det

FLOOR = 0.05  # least confidence that enters a precision-recall curve
EVERY = 8


def match(detections, truth, threshold=0.5):
    """For detections sorted by confidence: whether each is true, each truth being taken once."""
    taken = np.zeros(len(truth), bool)
    true = np.zeros(len(detections), bool)
    for i, row in enumerate(detections):
        if not len(truth):
            break
        overlap = np.where(taken, 0, det.iou(row[2:], truth))
        best = overlap.argmax()
        if overlap[best] >= threshold:
            taken[best] = true[i] = True
    return true


def curve(pictures, class_id):
    """Confidence (descending), precision and recall over `(detections, {class_id: boxes})` pairs."""
    confidence, true, total = [], [], 0
    for detections, truth in pictures:
        boxes = truth.get(class_id, np.zeros((0, 4)))
        rows = detections[detections[:, 0] == class_id]
        rows = rows[np.argsort(-rows[:, 1], kind="stable")]
        confidence.append(rows[:, 1])
        true.append(match(rows, boxes))
        total += len(boxes)
    confidence, true = np.concatenate(confidence), np.concatenate(true)
    order = np.argsort(-confidence, kind="stable")
    hits = np.cumsum(true[order])
    return confidence[order], hits / np.arange(1, len(hits) + 1), hits / max(total, 1), total


def average_precision(precision, recall):
    envelope = np.maximum.accumulate(np.concatenate([precision, [0.0]])[::-1])[::-1]
    steps = np.diff(np.concatenate([[0.0], recall, [recall[-1] if len(recall) else 0.0]]))
    return float((steps * envelope).sum())


def mot_truth(path, width, height):
    """Frame number to person boxes (fractions) from a MOTChallenge gt.txt; ignored rows are left out."""
    truth = {}
    for frame, _, left, top, w, h, valid, *_ in np.loadtxt(path, delimiter=","):
        if valid > 0:
            box = np.clip([left / width, top / height, (left + w) / width, (top + h) / height], 0, 1)
            truth.setdefault(int(frame), []).append(box)
    return {frame: np.array(boxes) for frame, boxes in truth.items()}


def frames(clip, every=1):
    """`(number from 1, picture)` of every n-th frame."""
    capture = cv2.VideoCapture(str(clip))
    if not capture.isOpened():
        raise SystemExit(f"evaluate: cannot open {clip}")
    number = 0
    while capture.grab():
        number += 1
        if (number - 1) % every == 0:
            yield number, capture.retrieve()[1]


def vtest(model, clip, mot, grid):
    detector, pictures, truth = det.load(model), [], None
    for number, picture in frames(clip, EVERY):
        truth = truth or mot_truth(mot, picture.shape[1], picture.shape[0])
        boxes = truth.get(number, np.zeros((0, 4)))
        pictures.append((det.detect(detector, picture, grid, FLOOR), {0: boxes}))
    return curve(pictures, 0)


def coco_labels(path):
    rows = np.loadtxt(path, ndmin=2) if path.exists() and path.stat().st_size else np.zeros((0, 5))
    corners = np.column_stack([rows[:, 1:3] - rows[:, 3:5] / 2, rows[:, 1:3] + rows[:, 3:5] / 2])
    return {int(c): corners[rows[:, 0] == c] for c in np.unique(rows[:, 0])}


def coco(model, folder, skipped):
    detector, pictures = det.load(model), []
    for path in sorted((folder / "images").glob("*.jpg")):
        if path.name not in skipped:
            truth = coco_labels(folder / "labels" / f"{path.stem}.txt")
            pictures.append((det.detect(detector, cv2.imread(str(path)), (1, 1), FLOOR), truth))
    return {name: curve(pictures, class_id) for class_id, name in det.TRAFFIC.items()}, len(pictures)


def milliseconds(models, rounds):
    """Least wall time for one inference, one thread, models taking turns."""
    sessions = [det.session(model) for model in models]
    best = [float("inf")] * len(models)
    for _ in range(rounds):
        for i, session in enumerate(sessions):
            entry = session.get_inputs()[0]
            image = np.full(entry.shape, 117, np.float32)
            for _ in range(5):
                start = time.perf_counter()
                session.run(None, {entry.name: image})
                best[i] = min(best[i], time.perf_counter() - start)
    return [seconds * 1000 for seconds in best]


def fingerprint(model, clip):
    """Count and mean of the scores over 0.3, and the SHA-256 of every output, on eight frames."""
    digest, confident = hashlib.sha256(), []
    runner = det.session(model)
    for _, picture in frames(clip, 100):
        scores, boxes = runner.run(["scores", "boxes"], {"image": det.ssd_input(picture)})
        digest.update(scores.tobytes() + boxes.tobytes())
        confident.append(scores[scores > 0.3])
    confident = np.concatenate(confident)
    mean = confident.mean() if len(confident) else 0.0
    return f"{len(confident)} scores over 0.3, mean {mean:.3f}; outputs {digest.hexdigest()[:16]}"


def manifest_names(path):
    """Names of the calibration images in a manifest of `sha256  name` lines."""
    return {line.split()[1] for line in path.read_text().splitlines() if line and not line.startswith("#")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--vtest", type=pathlib.Path)
    parser.add_argument("--mot", type=pathlib.Path)
    parser.add_argument("--grid", nargs="+", default=["1x1", "2x1", "3x2"])
    parser.add_argument("--coco", type=pathlib.Path)
    parser.add_argument("--skip-manifest", type=pathlib.Path)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--fingerprint", type=pathlib.Path, metavar="CLIP")
    args = parser.parse_args()
    for model in args.models:
        if args.vtest:
            for grid in args.grid:
                shape = tuple(int(n) for n in grid.split("x"))
                confidence, precision, recall, total = vtest(model, args.vtest, args.mot, shape)
                ap = average_precision(precision, recall)
                print(f"{model.name}: vtest {grid}: person AP50 {ap:.3f} of {total} boxes")
                for least in (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7):
                    last = int((confidence >= least).sum()) - 1
                    print(f"    confidence >= {least:.2f}: precision {precision[last]:.3f} recall {recall[last]:.3f}")
        if args.coco:
            skipped = manifest_names(args.skip_manifest) if args.skip_manifest else set()
            curves, images = coco(model, args.coco, skipped)
            aps = {name: average_precision(p, r) for name, (_, p, r, _) in curves.items()}
            parts = ", ".join(f"{name} {aps[name]:.3f} ({curves[name][3]})" for name in aps)
            print(f"{model.name}: COCO, {images} images: mean AP50 {np.mean(list(aps.values())):.3f}; {parts}")
        if args.fingerprint:
            print(f"{model.name}: {fingerprint(model, args.fingerprint)}")
    if args.time:
        for model, value in zip(args.models, milliseconds(args.models, args.rounds)):
            print(f"{model.name}: {value:.2f} ms for one image on one thread")


if __name__ == "__main__":
    main()
