"""The peer: what a capable user writes in an afternoon with OpenCV, ONNX Runtime, supervision and paho-mqtt.

It watches one RTSP camera with the same network, as often, on one inference thread and one decoder thread; tracks with
ByteTrack; raises line crossings, intrusion, loitering and a crowd with supervision's zones; publishes each over MQTT,
QoS 1. It has none of the product's durability, explanations or reconnection: only the cost of the pixels is compared.

Frames that are not analysed are grabbed and decoded but not converted (`grab` without `retrieve`), which is the cheapest
way OpenCV offers. Prints one line of JSON: what one window took.
"""

import argparse
import collections
import json
import os
import resource
import time

os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp|threads;1")
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import onnxruntime as ort  # noqa: E402
import paho.mqtt.client as mqtt  # noqa: E402
import supervision as sv  # noqa: E402

PERSON = 0
WARM_UP_S = 3.0


class Yolox:
    """YOLOX, 416: letterboxed with 114 at the top left, BGR, 0 to 255; boxes are decoded from three grids."""

    size = 416

    def __init__(self, session):
        self.session = session
        grids, strides = [], []
        for stride in (8, 16, 32):
            cells = self.size // stride
            y, x = np.mgrid[:cells, :cells]
            grids.append(np.stack((x, y), 2).reshape(-1, 2))
            strides.append(np.full((cells * cells, 1), stride))
        self.grid, self.stride = np.concatenate(grids), np.concatenate(strides)

    def __call__(self, image):
        height, width = image.shape[:2]
        ratio = min(self.size / height, self.size / width)
        resized = cv2.resize(image, (int(width * ratio), int(height * ratio)), interpolation=cv2.INTER_LINEAR)
        padded = np.full((self.size, self.size, 3), 114, np.uint8)
        padded[: resized.shape[0], : resized.shape[1]] = resized
        tensor = padded.transpose(2, 0, 1)[None].astype(np.float32)
        output = self.session.run(None, {self.session.get_inputs()[0].name: tensor})[0][0]
        centre = (output[:, :2] + self.grid) * self.stride
        extent = np.exp(output[:, 2:4]) * self.stride
        confidence = output[:, 4:5] * output[:, 5:]
        label = confidence.argmax(1)
        confidence = confidence.max(1)
        keep = confidence > 0.1
        corners = np.concatenate((centre - extent / 2, centre + extent / 2), 1)[keep] / ratio
        found = sv.Detections(xyxy=corners, confidence=confidence[keep], class_id=label[keep])
        return found.with_nms(threshold=0.5, class_agnostic=False)


class Ssd:
    """SSD with its boxes decoded in the graph, 300, RGB, 0 to 255, on the left and the right part of the picture, as the
    product's default runs it."""

    size = 300
    part = 1 / (2 - 0.15)

    def __init__(self, session):
        self.session = session
        self.input = session.get_inputs()[0].name

    def __call__(self, image):
        height, width = image.shape[:2]
        across = int(width * self.part)
        found = []
        for left in (0, width - across):
            resized = cv2.resize(image[:, left : left + across], (self.size, self.size))
            tensor = cv2.cvtColor(resized, cv2.COLOR_BGR2RGB).transpose(2, 0, 1)[None].astype(np.float32)
            scores, boxes = self.session.run(["scores", "boxes"], {self.input: tensor})
            scores, boxes = (output.reshape(-1, output.shape[-1]) for output in (scores, boxes))
            label, confidence = scores.argmax(1), scores.max(1)
            keep = confidence > 0.2
            corners = boxes[keep][:, [1, 0, 3, 2]] * (across, height, across, height) + (left, 0, left, 0)
            found.append(sv.Detections(xyxy=corners, confidence=confidence[keep], class_id=label[keep]))
        return sv.Detections.merge(found).with_nms(threshold=0.5, class_agnostic=False)


class Rules:
    """The demo's four rules with supervision's tools; zones are counted in frames, as they offer."""

    def __init__(self, width, height, fps, tell):
        def polygon(points):
            return (np.array(points) * (width, height)).astype(int)

        self.fps, self.tell = fps, tell
        self.line = sv.LineZone(sv.Point(width // 2, 0), sv.Point(width // 2, height))
        self.lawn = sv.PolygonZone(
            polygon([[0.0, 0.43], [0.23, 0.48], [0.56, 0.70], [1.0, 0.87], [1.0, 1.0], [0.0, 1.0]]))
        self.junction = sv.PolygonZone(polygon([[0.30, 0.32], [0.80, 0.32], [0.80, 0.60], [0.30, 0.52]]))
        self.dwell = {}
        self.crowded = 0

    def __call__(self, people):
        crossed_in, crossed_out = self.line.trigger(people)
        for track, way in zip(people.tracker_id, crossed_in.astype(int) - crossed_out):
            if way:
                self.tell("line_crossing", int(track))
        on_lawn, at_junction = self.lawn.trigger(people), self.junction.trigger(people)
        for track, lawn, junction in zip(people.tracker_id, on_lawn, at_junction):
            for kind, inside, frames in (("intrusion", lawn, self.fps), ("loitering", junction, 8 * self.fps)):
                seen = self.dwell[kind, track] = self.dwell.get((kind, track), 0) + 1 if inside else 0
                if seen == frames:
                    self.tell(kind, int(track))
        self.crowded = self.crowded + 1 if at_junction.sum() >= 4 else 0
        if self.crowded == 2 * self.fps:
            self.tell("crowding", 0)


def threads_s():
    """CPU seconds by thread name."""
    seconds = {}
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/comm") as name, open(f"/proc/self/task/{task}/schedstat") as stat:
                kind = name.read().strip().rstrip("0123456789-:_")
                seconds[kind] = seconds.get(kind, 0.0) + int(stat.read().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            pass
    return seconds


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_mib():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 2**20


def proportional_mib():
    with open("/proc/self/smaps_rollup") as rollup:
        return sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 1024


def lived_s():
    """Since the process was started, imports included."""
    with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
        started = int(stat.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
        return float(uptime.read().split()[0]) - started


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--camera", required=True, help="rtsp://…")
    arguments.add_argument("--broker", required=True, help="mqtt://host:port")
    arguments.add_argument("--weights", required=True, help="an ONNX file")
    arguments.add_argument("--head", required=True, choices=("yolox", "ssd"))
    arguments.add_argument("--fps", type=int, required=True, help="frames a second that the camera gives")
    arguments.add_argument("--analyse-fps", type=int, required=True)
    arguments.add_argument("--for", dest="length_s", type=float, required=True, help="seconds")
    options = arguments.parse_args()

    cv2.setNumThreads(1)
    session_options = ort.SessionOptions()
    session_options.intra_op_num_threads = 1
    session = ort.InferenceSession(options.weights, session_options, providers=["CPUExecutionProvider"])
    detect = (Yolox if options.head == "yolox" else Ssd)(session)
    host, port = options.broker.removeprefix("mqtt://").rsplit(":", 1)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect(host, int(port))
    client.loop_start()
    told = collections.Counter()

    def tell(kind, track):
        told[kind] += 1
        client.publish(f"peer/{kind}", json.dumps({"track": track, "time": time.time()}), qos=1)

    capture = cv2.VideoCapture(options.camera, cv2.CAP_FFMPEG)
    size = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    tracker = sv.ByteTrack(frame_rate=options.analyse_fps)
    rules = Rules(*map(int, size), options.analyse_fps, tell)
    every = max(1, options.fps // options.analyse_fps)
    frames = analysed = 0
    first_frame_s, warm_at, begun, judged_ms = 0.0, None, None, []
    while True:
        if not capture.grab():
            raise SystemExit("the stream ended")
        frames += 1
        arrived = time.monotonic()
        if frames % every == 1 or every == 1:
            _, image = capture.retrieve()
            found = detect(image)
            tracked = tracker.update_with_detections(found)
            rules(tracked[tracked.class_id == PERSON])
            analysed += 1
            if warm_at is None:
                first_frame_s, warm_at = lived_s(), time.monotonic() + WARM_UP_S
            judged_ms.append((time.monotonic() - arrived) * 1e3)
        now = time.monotonic()
        if begun is None and warm_at is not None and now >= warm_at:
            begun = (now, cpu_s(), threads_s(), frames, analysed, told.copy())
            judged_ms.clear()
        if begun and now - begun[0] >= options.length_s:
            break
    at, cpu, threads, frames_then, analysed_then, told_then = begun
    incidents = told - told_then
    print(json.dumps({
        "wall_s": now - at,
        "cpu_s": cpu_s() - cpu,
        "threads_s": {name: used - threads.get(name, 0.0) for name, used in threads_s().items()},
        "frames": frames - frames_then,
        "analysed": analysed - analysed_then,
        "analysed_by_camera": [analysed - analysed_then],
        "events": incidents.total(),
        "incidents": incidents,
        "resident_mib": resident_mib(),
        "proportional_mib": proportional_mib(),
        "first_frame_s": first_frame_s,
        "judged_ms": None,
        "committed_ms": None,
        "each_judged_ms": judged_ms,
        "halves": [],
    }))
    client.loop_stop()


if __name__ == "__main__":
    main()
