"""Make a static inference graph of the raw tf2onnx export of SSDLite MobileNetV2.

The export carries TensorFlow's pre-processing loop and a dynamic batch. Cut out is what
lies between the resized picture and the raw scores and boxes:

    image   float32 [1, 3, 300, 300]  RGB, 0..255
    scores  float32 [1, 1917, 90]     sigmoid; index + 1 is the COCO category id
    boxes   float32 [1, 1917, 4]      ymin, xmin, ymax, xmax as fractions of the input

Residual blocks leave tf2onnx as `(x + conv) + bias`; the bias is folded into the
convolution, which saves an addition and lets the quantiser fuse the one that is left.

Usage: clean_graph.py RAW.onnx OUT.onnx
"""

import copy
import sys

import numpy as np
import onnx
import onnxslim
from onnx import TensorProto, helper, numpy_helper

RESIZED_IMAGE = "Preprocessor/map/TensorArrayStack/TensorArrayGatherV3:0"
RAW_SCORES = "Postprocessor/Slice:0"
RAW_BOXES = "Postprocessor/ExpandDims_1:0"
RENAMED = {
    RESIZED_IMAGE: "image",
    "image_tensor:0": "image",  # only its batch size is read
    RAW_SCORES: "scores",
    RAW_BOXES: "boxes_4d",
}
ANCHORS, CLASSES, SIDE = 1917, 90, 300


def ancestors(graph, outputs, stop):
    """Names of the nodes that `outputs` depend on, not looking past the tensor `stop`."""
    producer = {name: node for node in graph.node for name in node.output}
    seen, pending, names = {stop}, list(outputs), set()
    while pending:
        tensor = pending.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        if (node := producer.get(tensor)) is not None:
            names.add(node.name)
            pending.extend(node.input)
    return names


def cut(model):
    """Keep the network alone and give it static, named inputs and outputs."""
    graph = model.graph
    keep = ancestors(graph, [RAW_SCORES, RAW_BOXES], RESIZED_IMAGE)
    nodes = [node for node in graph.node if node.name in keep]
    if any(node.op_type == "Loop" for node in nodes):
        sys.exit("clean_graph: a pre-processing loop is still in the graph; was the export changed?")
    for node in nodes:
        node.input[:] = [RENAMED.get(name, name) for name in node.input]
        node.output[:] = [RENAMED.get(name, name) for name in node.output]
    shape = numpy_helper.from_array(np.array([1, ANCHORS, 4], np.int64), "boxes_shape")
    nodes.append(helper.make_node("Reshape", ["boxes_4d", "boxes_shape"], ["boxes"], name="boxes"))
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.append(shape)
    info = helper.make_tensor_value_info
    graph.input.append(info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE]))
    graph.output.append(info("scores", TensorProto.FLOAT, [1, ANCHORS, CLASSES]))
    graph.output.append(info("boxes", TensorProto.FLOAT, [1, ANCHORS, 4]))


def fold_residual_biases(model):
    """Turn `Add(Sum(x, Conv(y)), bias)` into `Add(x, Conv(y) + bias)`; return how many."""
    graph = model.graph
    producer = {name: node for node in graph.node for name in node.output}
    constants = {init.name: init for init in graph.initializer}
    folded = 0
    for add in [node for node in graph.node if node.op_type == "Add"]:
        total = producer.get(add.input[0])
        bias = constants.get(add.input[1])
        if total is None or total.op_type != "Sum" or len(total.input) != 2 or bias is None:
            continue
        conv = producer[total.input[0]]
        if conv.op_type != "Conv" or sum(conv.output[0] in node.input for node in graph.node) != 1:
            continue
        value = numpy_helper.to_array(bias).reshape(-1)
        if len(conv.input) == 3:
            value = value + numpy_helper.to_array(constants[conv.input[2]])
        name = f"{conv.output[0]}_bias"
        graph.initializer.append(numpy_helper.from_array(value, name))
        conv.input[:] = [*conv.input[:2], name]
        add.input[:] = total.input[:]
        graph.node.remove(total)
        folded += 1
    return folded


def canonical(model):
    """Order and name everything by its place in the graph: tf2onnx's names change from run to run."""
    graph = model.graph
    producer = {name: node for node in graph.node for name in node.output}
    constants = {init.name: init for init in graph.initializer}
    fixed = {"image", "scores", "boxes"}
    order, done, tensors = [], set(), {}

    def visit(name):
        node = producer.get(name)
        if node is None or node.output[0] in done:
            return
        done.add(node.output[0])
        for source in node.input:
            visit(source)
        label = f"{node.op_type.lower()}_{len(order)}"
        for i, source in enumerate(node.input):
            if source in constants:
                tensors.setdefault(source, f"{label}_constant_{i}")
        for i, result in enumerate(node.output):
            tensors[result] = result if result in fixed else f"{label}_{i}"
        node.name = label
        order.append(node)

    for output in graph.output:
        visit(output.name)
    for node in order:
        node.input[:] = [tensors.get(name, name) for name in node.input]
        node.output[:] = [tensors[name] for name in node.output]
    used = {name: constants[name] for name in tensors if name in constants}
    for name, constant in used.items():
        constant.name = tensors[name]
    nodes = [copy.deepcopy(node) for node in order]
    initializers = [copy.deepcopy(constant) for constant in used.values()]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(initializers)
    graph.name = "ssdlite_mobilenet_v2_coco_300"


def main(raw, out):
    model = onnx.load(raw)
    cut(model)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", 13))
    model.ir_version = 8
    model = onnxslim.slim(model)
    if (folded := fold_residual_biases(model)) != 10:
        sys.exit(f"clean_graph: 10 residual blocks expected, {folded} found; was the export changed?")
    model = onnxslim.slim(model)
    canonical(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
