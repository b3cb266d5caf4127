#!/usr/bin/env python3
"""Makes the networks of edge-agent/tests/data/detect/broken: each is an SSD for 16x16 pictures with one thing wrong.

Needs: pip install onnx numpy
Usage: make_broken_models.py
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = pathlib.Path(__file__).resolve().parent.parent / "edge-agent/tests/data/detect/broken"
FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def save(name, inputs, nodes, outputs, constants=()):
    """`inputs`, `outputs`: (name, type, dims), text in dims being a dynamic axis; `constants`: (name, array)."""
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info(*i) for i in inputs],
        [helper.make_tensor_value_info(*o) for o in outputs],
        [numpy_helper.from_array(np.asarray(array), key) for key, array in constants])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path = OUT / f"{name}.onnx"
    onnx.save(model, path)
    assert path.stat().st_size < 10_000
    print(path.name, path.stat().st_size)


def ssd(name, image=("image", FLOAT, [1, 3, 16, 16]), more_inputs=(), labels=3, kind=FLOAT, declared=None):
    """Scores are the mean of the picture's first plane; boxes are fixed."""
    dtype = {FLOAT: np.float32, HALF: np.float16}[kind]
    rank = len(image[2])
    nodes = [helper.make_node("ReduceMean", [image[0]], ["mean"], axes=list(range(rank)), keepdims=0),
             helper.make_node("Reshape", ["mean", "one"], ["flat"]),
             helper.make_node("Expand", ["flat", "shape"], ["scores"]),
             helper.make_node("Identity", ["fixed"], ["boxes"])]
    constants = [("one", np.array([1, 1, 1], np.int64)), ("shape", np.array([1, 2, labels], np.int64)),
                 ("fixed", np.array([[[0.2, 0.2, 0.8, 0.8], [0, 0, 1, 1]]], dtype))]
    dims = declared or ([1, 2, labels], [1, 2, 4])
    save(name, [image, *more_inputs], nodes, [("scores", kind, dims[0]), ("boxes", kind, dims[1])], constants)


def fixed_inside(name):
    """Says that any size will do; a matrix inside wants 16x16."""
    nodes = [helper.make_node("Flatten", ["image"], ["flat"]),
             helper.make_node("MatMul", ["flat", "weights"], ["product"]),
             helper.make_node("Reshape", ["product", "shape"], ["scores"]),
             helper.make_node("Identity", ["fixed"], ["boxes"])]
    constants = [("weights", np.full((3 * 16 * 16, 3), 1e-6, np.float32)), ("shape", np.array([1, 1, 3], np.int64)),
                 ("fixed", np.array([[[0.2, 0.2, 0.8, 0.8]]], np.float32))]
    save(name, [("image", FLOAT, ["n", 3, "h", "w"])], nodes,
         [("scores", FLOAT, ["n", "a", "c"]), ("boxes", FLOAT, ["n", "a", 4])], constants)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    ssd("input-name", image=("picture", FLOAT, [1, 3, 16, 16]))
    ssd("input-size", image=("image", FLOAT, [1, 3, 24, 32]))
    ssd("input-rank", image=("image", FLOAT, [3, 16, 16]))
    ssd("input-nhwc", image=("image", FLOAT, [1, 16, 16, 3]))
    ssd("input-half", image=("image", HALF, [1, 3, 16, 16]), kind=HALF)
    ssd("input-two", more_inputs=[("size", FLOAT, [1, 2])])
    ssd("labels-more", labels=4)
    # The file leaves the number of classes open; only a run tells.
    ssd("labels-dynamic", labels=4, declared=(["n", "a", "c"], ["n", "a", 4]))
    fixed_inside("size-fixed-inside")
    save("output-one", [("image", FLOAT, [1, 3, 16, 16])],
         [helper.make_node("ReduceMean", ["image"], ["detections"], axes=[2, 3], keepdims=0)],
         [("detections", FLOAT, [1, 3])])


if __name__ == "__main__":
    main()
