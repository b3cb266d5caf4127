"""Run a detector on whole pictures or on regions, as the evaluation and the calibration need it.

Detections are float arrays of rows `class_id, confidence, left, top, right, bottom`; corners
are fractions of the picture, class ids are COCO's 80-class order, traffic classes only.
"""

import cv2
import numpy as np
import onnxruntime as ort

TRAFFIC = {0: "person", 1: "bicycle", 2: "car", 3: "motorcycle", 5: "bus", 7: "truck"}
CLASS_IDS = np.array(list(TRAFFIC))
OVERLAP = 0.15  # of a region's own side, between neighbours
NMS_IOU = 0.5


def session(path, threads=1):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def regions(columns, rows, overlap=OVERLAP):
    """Left, top, right, bottom (fractions) of a grid whose neighbours share `overlap` of their side."""

    def spans(count):
        side = 1.0 / (count - (count - 1) * overlap)
        return [(i * side * (1 - overlap), i * side * (1 - overlap) + side) for i in range(count)]

    return [(x0, y0, x1, y1) for y0, y1 in spans(rows) for x0, x1 in spans(columns)]


def crop(picture, region):
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = (round(v * s) for v, s in zip(region, (width, height, width, height)))
    return picture[y0:y1, x0:x1], np.array([x0, y0, x1 - x0, y1 - y0]) / [width, height, width, height]


def ssd_input(bgr, side=300):
    """Plain resize, RGB, 0..255, [1, 3, side, side]."""
    rgb = cv2.cvtColor(cv2.resize(bgr, (side, side), interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32)


def iou(box, others):
    """`box` [4] against `others` [n, 4]."""
    width = np.clip(np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0]), 0, None)
    height = np.clip(np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1]), 0, None)
    inter = width * height
    area = (box[2] - box[0]) * (box[3] - box[1])
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    return inter / np.maximum(area + areas - inter, 1e-12)


def nms(detections, threshold=NMS_IOU):
    """Greedy non-maximum suppression, class by class."""
    kept = []
    for class_id in np.unique(detections[:, 0]):
        rest = detections[detections[:, 0] == class_id]
        rest = rest[np.argsort(-rest[:, 1], kind="stable")]
        while len(rest):
            kept.append(rest[0])
            rest = rest[1:][iou(rest[0, 2:], rest[1:, 2:]) <= threshold]
    return np.array(kept).reshape(-1, 6)


class SsdDetector:
    """SSDLite: `scores` and decoded `boxes`; the picture is stretched to the input square."""

    def __init__(self, path, threads=1):
        self.session = session(path, threads)

    def __call__(self, bgr, floor):
        scores, boxes = self.session.run(["scores", "boxes"], {"image": ssd_input(bgr)})
        scores, boxes = scores[0][:, CLASS_IDS], np.clip(boxes[0][:, [1, 0, 3, 2]], 0, 1)
        best = scores.argmax(1)
        confidence = scores[np.arange(len(best)), best]
        rows = np.column_stack([CLASS_IDS[best], confidence, boxes])
        return rows[confidence >= floor]


class YoloxDetector:
    """YOLOX: letterbox to the top left, BGR, grid and stride decoded here."""

    PAD = 114

    def __init__(self, path, threads=1):
        self.session = session(path, threads)
        self.height, self.width = self.session.get_inputs()[0].shape[2:]
        grids, strides = [], []
        for stride in (8, 16, 32):
            ys, xs = np.mgrid[: self.height // stride, : self.width // stride]
            grids.append(np.stack([xs.ravel(), ys.ravel()], 1))
            strides.append(np.full(xs.size, stride))
        self.grid, self.stride = np.concatenate(grids), np.concatenate(strides)[:, None]

    def __call__(self, bgr, floor):
        height, width = bgr.shape[:2]
        ratio = min(self.width / width, self.height / height)
        small = cv2.resize(bgr, (int(width * ratio), int(height * ratio)), interpolation=cv2.INTER_LINEAR)
        canvas = np.full((self.height, self.width, 3), self.PAD, np.float32)
        canvas[: small.shape[0], : small.shape[1]] = small
        raw = self.session.run(None, {"images": canvas.transpose(2, 0, 1)[None]})[0][0]
        centre = (raw[:, :2] + self.grid) * self.stride
        half = np.exp(raw[:, 2:4]) * self.stride / 2
        scale = np.array([width, height] * 2) * ratio
        boxes = np.clip(np.concatenate([centre - half, centre + half], 1) / scale, 0, 1)
        scores = raw[:, 4:5] * raw[:, 5:][:, CLASS_IDS]
        best = scores.argmax(1)
        confidence = scores[np.arange(len(best)), best]
        return np.column_stack([CLASS_IDS[best], confidence, boxes])[confidence >= floor]


def load(path, threads=1):
    """The detector for a model file, told by its input name."""
    name = session(path).get_inputs()[0].name
    return {"image": SsdDetector, "images": YoloxDetector}[name](path, threads)


def detect(detector, bgr, grid, floor):
    """Detections of a picture looked at through a grid of regions, merged by one NMS."""
    found = []
    for region in regions(*grid):
        part, (x, y, width, height) = crop(bgr, region)
        rows = detector(part, floor)
        rows[:, 2:] = rows[:, 2:] * [width, height, width, height] + [x, y, x, y]
        found.append(rows)
    return nms(np.concatenate(found))
