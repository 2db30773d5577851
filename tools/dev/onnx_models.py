"""ONNX graphs of zoo models, made by hand from their weights: the independent truth to compare with.

BUILDERS[name](weights) returns an onnx.ModelProto with input 'image' f32 [N, 3, 224, 224] and output
'logits' f32 [N, 1000]. `weights` is a dictionary of arrays, or a RandomWeights, which makes each
tensor when it is first asked for and so collects a whole set under the names the zoo uses.
"""
import numpy as np
from onnx import TensorProto, helper, numpy_helper


class RandomWeights(dict):
    """Seeded weights that keep activations in range, by the kind that the name tells."""

    def __init__(self, seed=0):
        super().__init__()
        self.random = np.random.default_rng(seed)

    def make(self, name, shape):
        kind, draw = name.rsplit(".", 1)[1], self.random
        if kind == "running_var":
            value = draw.uniform(0.8, 1.2, shape)
        elif kind == "weight" and len(shape) == 1:
            value = draw.uniform(0.6, 1.0, shape)
        elif kind == "weight":
            value = draw.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
        else:
            value = draw.normal(0, 0.1, shape)
        self[name] = value.astype(np.float32)


class Graph:
    """Appends nodes; every method returns the name of the value that it makes."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants = weights, [], {}

    def weight(self, name, shape):
        if isinstance(self.weights, RandomWeights) and name not in self.weights:
            self.weights.make(name, shape)
        value = self.weights[name]
        if value.shape != tuple(shape):
            raise ValueError(f"'{name}': expected shape {tuple(shape)}, got {value.shape}")
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def node(self, op, *inputs, **attributes):
        result = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [result], **attributes))
        return result

    def scalar(self, value):
        name = f"c{value}"
        self.constants[name] = numpy_helper.from_array(np.float32(value), name)
        return name

    def conv(self, x, name, inputs, outputs, kernel, stride=1, padding="same", groups=1, bias=False):
        operands = [x, self.weight(name + ".weight", (outputs, inputs // groups, kernel, kernel))]
        if bias:
            operands.append(self.weight(name + ".bias", (outputs,)))
        pad = {"auto_pad": "SAME_UPPER"} if padding == "same" else {"pads": [padding] * 4}
        return self.node("Conv", *operands, kernel_shape=[kernel] * 2, strides=[stride] * 2,
                         group=groups, **pad)

    def norm(self, x, name, channels, eps=1e-5):
        kinds = ("weight", "bias", "running_mean", "running_var")
        return self.node("BatchNormalization", x,
                         *(self.weight(f"{name}.{kind}", (channels,)) for kind in kinds),
                         epsilon=eps)

    def relu(self, x):
        return self.node("Relu", x)

    def relu6(self, x):
        return self.node("Clip", x, self.scalar(0.0), self.scalar(6.0))

    def linear(self, x, name, inputs, outputs):
        return self.node("Gemm", x, self.weight(name + ".weight", (outputs, inputs)),
                         self.weight(name + ".bias", (outputs,)), transB=1)

    def pooled(self, x):
        return self.node("Flatten", self.node("GlobalAveragePool", x))

    def finish(self, result, name):
        self.nodes.append(helper.make_node("Identity", [result], ["logits"]))
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes, name, [value("image", TensorProto.FLOAT, ["N", 3, 224, 224])],
            [value("logits", TensorProto.FLOAT, ["N", 1000])], list(self.constants.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def efficientnetLite0(weights):
    g, index, channels = Graph(weights), 0, 32
    x = g.relu6(g.norm(g.conv("image", "_conv_stem", 3, 32, 3, 2), "_bn0", 32, 1e-3))
    # repeats, kernel, stride of the first, expansion, outputs
    for repeats, kernel, stride, expand, outputs in (
            (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
            (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)):
        for _ in range(repeats):
            path, wide, y = f"_blocks.{index}.", channels * expand, x
            if expand != 1:
                y = g.conv(y, path + "_expand_conv", channels, wide, 1)
                y = g.relu6(g.norm(y, path + "_bn0", wide, 1e-3))
            y = g.conv(y, path + "_depthwise_conv", wide, wide, kernel, stride, groups=wide)
            y = g.relu6(g.norm(y, path + "_bn1", wide, 1e-3))
            y = g.norm(g.conv(y, path + "_project_conv", wide, outputs, 1), path + "_bn2", outputs,
                       1e-3)
            x = g.node("Add", y, x) if stride == 1 and channels == outputs else y
            channels, stride, index = outputs, 1, index + 1
    x = g.relu6(g.norm(g.conv(x, "_conv_head", 320, 1280, 1), "_bn1", 1280, 1e-3))
    return g.finish(g.linear(g.pooled(x), "_fc", 1280, 1000), "efficientnet_lite0")


def bottleneck(g, x, path, inputs, width, outputs, stride, groups):
    y = g.relu(g.norm(g.conv(x, path + "conv1", inputs, width, 1), path + "bn1", width))
    y = g.conv(y, path + "conv2", width, width, 3, stride, padding=1, groups=groups)
    y = g.relu(g.norm(y, path + "bn2", width))
    y = g.norm(g.conv(y, path + "conv3", width, outputs, 1), path + "bn3", outputs)
    if inputs != outputs:
        x = g.conv(x, path + "downsample.0", inputs, outputs, 1, stride, padding=0)
        x = g.norm(x, path + "downsample.1", outputs)
    return g.relu(g.node("Add", y, x))


def residual(weights, name, wider, groups):
    """ResNet-50, or with `wider` times its inner channels in groups, ResNeXt-50."""
    g = Graph(weights)
    x = g.relu(g.norm(g.conv("image", "conv1", 3, 64, 7, 2, padding=3), "bn1", 64))
    x = g.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    inputs = 64
    for layer, (repeats, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 1):
        for block in range(repeats):
            stride = 2 if layer > 1 and block == 0 else 1
            x = bottleneck(g, x, f"layer{layer}.{block}.", inputs, wider * width, 4 * width, stride,
                           groups)
            inputs = 4 * width
    return g.finish(g.linear(g.pooled(x), "fc", 2048, 1000), name)


def resnet50(weights):
    return residual(weights, "resnet50", 1, 1)


def resnext50(weights):
    return residual(weights, "resnext50_32x4d", 2, 32)


def invertedResidual(g, x, path, inputs, outputs, stride, expand):
    wide, y, index = inputs * expand, x, 0
    if expand != 1:
        y = g.conv(y, path + "conv.0.0", inputs, wide, 1)
        y, index = g.relu6(g.norm(y, path + "conv.0.1", wide)), 1
    y = g.conv(y, f"{path}conv.{index}.0", wide, wide, 3, stride, padding=1, groups=wide)
    y = g.relu6(g.norm(y, f"{path}conv.{index}.1", wide))
    y = g.conv(y, f"{path}conv.{index + 1}", wide, outputs, 1)
    y = g.norm(y, f"{path}conv.{index + 2}", outputs)
    return g.node("Add", x, y) if stride == 1 and inputs == outputs else y


def mobilenetV2(weights):
    g, inputs, index = Graph(weights), 32, 1
    x = g.conv("image", "features.0.0", 3, 32, 3, 2, padding=1)
    x = g.relu6(g.norm(x, "features.0.1", 32))
    for expand, outputs, repeats, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2),
                                             (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                                             (6, 320, 1, 1)):
        for block in range(repeats):
            x = invertedResidual(g, x, f"features.{index}.", inputs, outputs,
                                 stride if block == 0 else 1, expand)
            inputs, index = outputs, index + 1
    x = g.relu6(g.norm(g.conv(x, "features.18.0", 320, 1280, 1), "features.18.1", 1280))
    return g.finish(g.linear(g.pooled(x), "classifier.1", 1280, 1000), "mobilenet_v2")


def alexnet(weights):
    g, x, inputs = Graph(weights), "image", 3
    for index, outputs, kernel, stride, padding, pool in (
            (0, 64, 11, 4, 2, True), (3, 192, 5, 1, 2, True), (6, 384, 3, 1, 1, False),
            (8, 256, 3, 1, 1, False), (10, 256, 3, 1, 1, True)):
        x = g.relu(g.conv(x, f"features.{index}", inputs, outputs, kernel, stride, padding,
                          bias=True))
        inputs = outputs
        if pool:
            x = g.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    x = g.node("Flatten", x)
    x = g.relu(g.linear(x, "classifier.1", 9216, 4096))
    x = g.relu(g.linear(x, "classifier.4", 4096, 4096))
    return g.finish(g.linear(x, "classifier.6", 4096, 1000), "alexnet")


BUILDERS = {"efficientnet_lite0": efficientnetLite0, "resnet50": resnet50,
            "resnext50_32x4d": resnext50,
            "mobilenet_v2": mobilenetV2, "alexnet": alexnet}
