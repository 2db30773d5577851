#!/usr/bin/env python3
"""Writes Inputs/layers.npz: layers of `nn` with PyTorch's weights of the same names, inputs, and what
PyTorch 2.15 gives in f64 for them.

  python3 test/truth/make_layers.py     # needs torch and numpy; the tests need neither

The .npz is read as pytorch.npz is (make_pytorch.py). To add a layer: a `layer(...)`, and run this again.
"""
import os

import numpy as np
import torch
from torch import nn

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Inputs")
torch.manual_seed(1)
MEMBERS, INPUTS, CALLS, WEIGHTS = [], {}, [], {}


def random(*shape):
    return torch.round(torch.randn(*shape, dtype=torch.float64) * 64) / 64


def layer(name, module, text):
    """A member of the model: PyTorch's module, and how the language makes it. Its weights are moved
    a little, so that none is 0 or 1 throughout."""
    MEMBERS.append(f"  {name} = nn.{text}")
    module = module.double().eval()
    with torch.no_grad():
        for key, weight in module.state_dict().items():
            if not weight.is_floating_point():  # a count of batches
                continue
            weight.copy_(torch.round((weight + 0.1 * torch.randn_like(weight)) * 64) / 64)
            WEIGHTS[f"{name}.{key}"] = weight
    return module


def case(name, call, *results):
    """A call and its results, NAME, NAME1, NAME2 …"""
    CALLS.append((call, {name + str(i or ""): r.detach().contiguous() for i, r in enumerate(results)}))


def tensor(name, value):
    INPUTS[name] = value
    return value


def attention():
    q, k = tensor("q", random(5, 2, 8)), tensor("k", random(3, 2, 8))
    mask = tensor("mask", random(5, 3))
    a = layer("a", nn.MultiheadAttention(8, 2), "MultiheadAttention(8, 2)")
    case("attention", "self.a(self.q, self.k, self.k)", a(q, k, k)[0])
    case("attention_masked", "self.a(self.q, self.k, self.k, attn_mask = self.mask)",
         a(q, k, k, attn_mask=mask)[0])
    b = layer("b", nn.MultiheadAttention(8, 4, bias=False, batch_first=True),
              "MultiheadAttention(8, 4, bias = false, batch_first = true)")
    case("attention_first", "self.b(self.q, self.q, self.q)", b(q, q, q)[0])


def transformers():
    q, k = INPUTS["q"], INPUTS["k"]
    for name, words, options in [
            ("e1", "", {}), ("e2", ', activation = "gelu", norm_first = true',
                             {"activation": "gelu", "norm_first": True}),
            ("e3", ", batch_first = true, bias = false", {"batch_first": True, "bias": False})]:
        e = layer(name, nn.TransformerEncoderLayer(8, 2, 16, **options),
                  f"TransformerEncoderLayer(8, 2, 16{words})")
        case(name, f"self.{name}(self.q)", e(q))
    square = tensor("square", random(5, 5))
    case("e2_masked", "self.e2(self.q, src_mask = self.square)", e2_of(square))
    for name, words, options in [("d1", "", {}), ("d2", ", norm_first = true", {"norm_first": True})]:
        d = layer(name, nn.TransformerDecoderLayer(8, 2, 16, **options),
                  f"TransformerDecoderLayer(8, 2, 16{words})")
        case(name, f"self.{name}(self.q, self.k)", d(q, k))
        case(name + "_masked", f"self.{name}(self.q, self.k, tgt_mask = self.square)",
             d(q, k, tgt_mask=square))


    more = {"num_encoder_layers": 2, "num_decoder_layers": 2, "dim_feedforward": 16}
    for name, words, options in [("t1", "", {}), ("t2", ', activation = "gelu", norm_first = true', {"activation": "gelu", "norm_first": True})]:
        t = layer(name, nn.Transformer(8, 2, **more, **options), f"Transformer(8, 2, 2, 2, 16{words})")
        case(name, f"self.{name}(self.k, self.q)", t(k, q))
        case(name + "_masked", f"self.{name}(self.k, self.q, tgt_mask = self.square)", t(k, q, tgt_mask=square))
    stack = layer("stack", nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 3, enable_nested_tensor=False),
                  "TransformerEncoder([nn.TransformerEncoderLayer(8, 2, 16) for i in range(3)])")
    case("stack", "self.stack(self.q, self.square)", stack(q, square))


def e2_of(mask):
    e = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", norm_first=True).double().eval()
    e.load_state_dict({key[3:]: w for key, w in WEIGHTS.items() if key.startswith("e2.")})
    return e(INPUTS["q"], src_mask=mask)


def activations():
    x = tensor("x", random(2, 4, 3) * 2)
    for name, module, text in [
            ("ELU", nn.ELU(0.5), "ELU(0.5)"), ("CELU", nn.CELU(0.5), "CELU(0.5)"),
            ("SELU", nn.SELU(), "SELU()"), ("Mish", nn.Mish(), "Mish()"),
            ("Softplus", nn.Softplus(2, 3), "Softplus(2.0, 3.0)"),
            ("LeakyReLU", nn.LeakyReLU(0.2), "LeakyReLU(0.2)"),
            ("Hardswish", nn.Hardswish(), "Hardswish()"),
            ("Hardsigmoid", nn.Hardsigmoid(), "Hardsigmoid()"),
            ("Hardtanh", nn.Hardtanh(-0.5, 2), "Hardtanh(-0.5, 2.0)"),
            ("Softsign", nn.Softsign(), "Softsign()"),
            ("LogSigmoid", nn.LogSigmoid(), "LogSigmoid()"),
            ("Softshrink", nn.Softshrink(0.25), "Softshrink(0.25)"),
            ("Hardshrink", nn.Hardshrink(0.25), "Hardshrink(0.25)"),
            ("PReLU", nn.PReLU(4), "PReLU(4)"), ("LogSoftmax", nn.LogSoftmax(dim=1), "LogSoftmax(1)")]:
        member = name.lower()
        layer(member, module, text)
        case(member, f"self.{member}(self.x)", module(x))


def products():
    x, y = tensor("x1", random(2, 5, 3)), tensor("x2", random(2, 5, 4))
    for name, bias in (("bilinear", True), ("bilinear_plain", False)):
        b = layer(name, nn.Bilinear(3, 4, 6, bias), f"Bilinear(3, 4, 6, {str(bias).lower()})")
        case(name, f"self.{name}(self.x1, self.x2)", b(x, y))
    for mode in ("mean", "sum", "max"):
        bag = layer("bag_" + mode, nn.EmbeddingBag(4, 5, mode=mode), f'EmbeddingBag(4, 5, mode = "{mode}")')
        case("bag_" + mode, f"self.bag_{mode}(reshape(arange(6) * 5 % 4, [2, 3]))",
             bag((torch.arange(6) * 5 % 4).reshape(2, 3)))
        case(f"bag_{mode}_offsets", f"self.bag_{mode}.of(arange(6) * 5 % 4, arange(3) * 2)",
             bag(torch.arange(6) * 5 % 4, torch.arange(3) * 2))


def same(name, module, text, x="x"):
    """A layer of one operand by its own name in small letters."""
    module = layer(name, module, text)
    case(name, f"self.{name}(self.{x})", module(INPUTS[x]))


def plain():
    tensor("image", random(2, 4, 6, 5))
    for name, module, text in [
            ("relu", nn.ReLU(), "ReLU()"), ("relu6", nn.ReLU6(), "ReLU6()"), ("sigmoid", nn.Sigmoid(), "Sigmoid()"),
            ("tanh", nn.Tanh(), "Tanh()"), ("gelu", nn.GELU(), "GELU()"), ("silu", nn.SiLU(), "SiLU()"),
            ("gelu_tanh", nn.GELU("tanh"), 'GELU("tanh")'), ("softmax", nn.Softmax(1), "Softmax(1)"),
            ("softmin", nn.Softmin(-1), "Softmin(-1)"), ("tanhshrink", nn.Tanhshrink(), "Tanhshrink()"),
            ("threshold", nn.Threshold(0.25, -3), "Threshold(0.25, -3.0)"), ("glu", nn.GLU(1), "GLU(1)"),
            ("dropout", nn.Dropout(), "Dropout()"), ("alpha_dropout", nn.AlphaDropout(), "AlphaDropout()"),
            ("identity", nn.Identity(), "Identity()")]:
        same(name, module, text)
    for name, module, text in [
            ("dropout2d", nn.Dropout2d(), "Dropout2d()"), ("softmax2d", nn.Softmax2d(), "Softmax2d()"),
            ("flatten", nn.Flatten(), "Flatten()"), ("flatten_part", nn.Flatten(1, 2), "Flatten(1, 2)"),
            ("nearest", nn.UpsamplingNearest2d(scale_factor=2), "UpsamplingNearest2d(scale_factor = 2)"),
            ("bilinear2d", nn.UpsamplingBilinear2d((7, 9)), "UpsamplingBilinear2d([7, 9])"),
            ("upsample", nn.Upsample(scale_factor=1.5, mode="bicubic"), 'Upsample(scale_factor = 1.5, mode = "bicubic")'),
            ("shuffle", nn.PixelShuffle(2), "PixelShuffle(2)")]:
        same(name, module, text, "image")


def convolutions():
    tensor("signal", random(2, 4, 9))
    tensor("volume", random(1, 4, 3, 4, 5))
    x = tensor("pixels", random(1, 2, 6, 4))
    unshuffle = layer("unshuffle", nn.PixelUnshuffle(2), "PixelUnshuffle(2)")
    case("unshuffle", "self.unshuffle(self.pixels)", unshuffle(x))
    for n, operand in ((1, "signal"), (2, "image"), (3, "volume")):
        more = "stride = 2, padding = 1, dilation = 2, groups = 2"
        same(f"conv{n}d", getattr(nn, f"Conv{n}d")(4, 6, 3 if n < 3 else 2, stride=2, padding=1, dilation=2, groups=2),
             f"Conv{n}d(4, 6, {3 if n < 3 else 2}, {more})", operand)
        same(f"conv{n}d_plain", getattr(nn, f"Conv{n}d")(4, 3, 2, bias=False), f"Conv{n}d(4, 3, 2, bias = false)", operand)
        same(f"up{n}d", getattr(nn, f"ConvTranspose{n}d")(4, 6, 3, 2, 1, 1, 2),
             f"ConvTranspose{n}d(4, 6, 3, 2, 1, 1, 2)", operand)


def normalizations():
    for n, operand in ((1, "signal"), (2, "image"), (3, "volume")):
        for name, words, options in [("", "", {}), ("_plain", ", affine = false", {"affine": False})]:
            norm = getattr(nn, f"BatchNorm{n}d")(4, **options)
            norm.running_var += torch.arange(4)
            same(f"batch_norm{n}d{name}", norm, f"BatchNorm{n}d(4{words})", operand)
        same(f"instance_norm{n}d", getattr(nn, f"InstanceNorm{n}d")(4), f"InstanceNorm{n}d(4)", operand)
        same(f"instance_norm{n}d_affine", getattr(nn, f"InstanceNorm{n}d")(4, affine=True),
             f"InstanceNorm{n}d(4, affine = true)", operand)
    same("layer_norm", nn.LayerNorm(3), "LayerNorm(3)")
    same("layer_norm_two", nn.LayerNorm([6, 5], 0.01, bias=False), "LayerNorm([6, 5], 0.01, bias = false)", "image")
    same("rms_norm", nn.RMSNorm(3, 0.01), "RMSNorm(3, 0.01)")
    same("group_norm", nn.GroupNorm(2, 4), "GroupNorm(2, 4)", "image")
    same("group_norm_plain", nn.GroupNorm(4, 4, 0.01, affine=False), "GroupNorm(4, 4, 0.01, affine = false)", "image")
    same("linear", nn.Linear(3, 5), "Linear(3, 5)")
    same("linear_plain", nn.Linear(3, 5, bias=False), "Linear(3, 5, bias = false)")
    table = layer("embedding", nn.Embedding(7, 3), "Embedding(7, 3)")
    case("embedding", "self.embedding(arange(7) * 3 % 7)", table(torch.arange(7) * 3 % 7))


def pools():
    for n, operand in ((1, "signal"), (2, "image"), (3, "volume")):
        for kind in ("Max", "Avg"):
            name = kind.lower() + f"_pool{n}d"
            same(name, getattr(nn, f"{kind}Pool{n}d")(2), f"{kind}Pool{n}d(2)", operand)
            same(name + "_more", getattr(nn, f"{kind}Pool{n}d")(3, 2, 1, ceil_mode=True),
                 f"{kind}Pool{n}d(3, 2, 1, ceil_mode = true)", operand)
            same("adaptive_" + name, getattr(nn, f"Adaptive{kind}Pool{n}d")(2), f"Adaptive{kind}Pool{n}d(2)", operand)
        for name, module in [("reflection", "ReflectionPad"), ("replication", "ReplicationPad"),
                             ("circular", "CircularPad"), ("zero", "ZeroPad")]:
            sides = [1, 2] + [0, 1, 1, 0][:2 * n - 2]
            same(f"{name}_pad{n}d", getattr(nn, f"{module}{n}d")(tuple(sides)), f"{module}{n}d({sides})", operand)
        same(f"constant_pad{n}d", getattr(nn, f"ConstantPad{n}d")(1, 3.5), f"ConstantPad{n}d(1, 3.5)", operand)


def recurrent():
    x, h, c = tensor("steps", random(4, 2, 3)), tensor("states", random(12, 2, 5)), tensor("cells", random(12, 2, 5))
    for name, module, text in [
            ("lstm", nn.LSTM(3, 5), "LSTM(3, 5)"),
            ("lstm_first", nn.LSTM(3, 5, 2, bias=False, batch_first=True),
             "LSTM(3, 5, 2, bias = false, batch_first = true)"),
            ("lstm_ways", nn.LSTM(3, 5, 2, bidirectional=True), "LSTM(3, 5, 2, bidirectional = true)"),
            ("lstm_deep", nn.LSTM(3, 5, 6, bidirectional=True), "LSTM(3, 5, 6, bidirectional = true)"),
            ("gru", nn.GRU(3, 5), "GRU(3, 5)"),
            ("gru_deep", nn.GRU(3, 5, 4, bias=False), "GRU(3, 5, 4, bias = false)"),
            ("gru_ways", nn.GRU(3, 5, 2, batch_first=True, bidirectional=True),
             "GRU(3, 5, 2, batch_first = true, bidirectional = true)"),
            ("rnn", nn.RNN(3, 5, bias=False), "RNN(3, 5, bias = false)"),
            ("rnn_relu", nn.RNN(3, 5, 2, nonlinearity="relu", bidirectional=True),
             'RNN(3, 5, 2, nonlinearity = "relu", bidirectional = true)')]:
        layer(name, module, text)
        count = module.num_layers * (2 if module.bidirectional else 1)
        batch = 4 if module.batch_first else 2
        start = [t[:count, :1].expand(count, batch, 5).contiguous() if batch == 4 else t[:count] for t in (h, c)]
        texts = [f"broadcast_to(self.{t}[:{count}, :1], [{count}, 4, 5])" if batch == 4 else f"self.{t}[:{count}]"
                 for t in ("states", "cells")]
        if name.startswith("lstm"):
            y, (hn, cn) = module(x)
            case(name, f"self.{name}(self.steps)", y, hn, cn)
            y, (hn, cn) = module(x, tuple(start))
            case(name + "_from", f"self.{name}(self.steps, {texts[0]}, {texts[1]})", y, hn, cn)
        else:
            case(name, f"self.{name}(self.steps)", *module(x))
            case(name + "_from", f"self.{name}(self.steps, {texts[0]})", *module(x, start[0]))
    for name, module, text in [
            ("lstm_cell", nn.LSTMCell(3, 5), "LSTMCell(3, 5)"),
            ("gru_cell", nn.GRUCell(3, 5), "GRUCell(3, 5)"),
            ("gru_cell_plain", nn.GRUCell(3, 5, bias=False), "GRUCell(3, 5, bias = false)"),
            ("rnn_cell", nn.RNNCell(3, 5), "RNNCell(3, 5)"),
            ("rnn_cell_relu", nn.RNNCell(3, 5, nonlinearity="relu"), 'RNNCell(3, 5, nonlinearity = "relu")')]:
        layer(name, module, text)
        lstm = name.startswith("lstm")
        given = (h[0], c[0]) if lstm else h[0]
        for end, results, more in [("", module(x[0]), ""), ("_from", module(x[0], given), ", self.states[0]")]:
            case(name + end, f"self.{name}(self.steps[0]{more + (', self.cells[0]' if lstm and more else '')})",
                 *(results if lstm else (results,)))


def compositions():
    """Layers of the functions in `functional` (make_functional.py compares those)."""
    for name, module, text in [
            ("rrelu", nn.RReLU(), "RReLU()"),
            ("response", nn.LocalResponseNorm(3, 0.5), "LocalResponseNorm(3, 0.5)"),
            ("channel_shuffle", nn.ChannelShuffle(2), "ChannelShuffle(2)"),
            ("lp_pool2d", nn.LPPool2d(3, 2, ceil_mode=True), "LPPool2d(3, 2, ceil_mode = true)"),
            ("unfold", nn.Unfold((2, 3), padding=1, stride=2), "Unfold([2, 3], padding = 1, stride = 2)")]:
        same(name, module, text, "image")
    solid = tensor("solid", random(2, 2, 4, 5, 3))
    pool = layer("lp_pool3d", nn.LPPool3d(2, 2), "LPPool3d(2, 2)")
    case("lp_pool3d", "self.lp_pool3d(self.solid)", pool(solid))
    same("lp_pool1d", nn.LPPool1d(2, 3, 1), "LPPool1d(2, 3, 1)", "signal")
    columns = tensor("columns", random(2, 12, 9))
    fold = layer("fold", nn.Fold(4, 2), "Fold(4, 2)")
    case("fold", "self.fold(self.columns)", fold(columns))
    x, y = INPUTS["x"], tensor("other", random(2, 4, 3))
    p, q = torch.sigmoid(x), torch.sigmoid(y)
    for name, module, text, given in [
            ("cosine", nn.CosineSimilarity(), "CosineSimilarity()", (x, y)),
            ("pairwise", nn.PairwiseDistance(1), "PairwiseDistance(1)", (x, y)),
            ("mse", nn.MSELoss(), "MSELoss()", (x, y)), ("l1", nn.L1Loss(reduction="sum"), 'L1Loss("sum")', (x, y)),
            ("smooth", nn.SmoothL1Loss(beta=0.5), "SmoothL1Loss(beta = 0.5)", (x, y)),
            ("huber", nn.HuberLoss("none", 0.5), 'HuberLoss("none", 0.5)', (x, y)),
            ("bce", nn.BCELoss(), "BCELoss()", (p, q)), ("logits", nn.BCEWithLogitsLoss(), "BCEWithLogitsLoss()", (x, q)),
            ("kl", nn.KLDivLoss(reduction="batchmean"), 'KLDivLoss("batchmean")', (x, q))]:
        module = layer(name, module, text)
        texts = [f"sigmoid(self.{operand})" if value is t else f"self.{operand}" for value, operand, t in
                 zip(given, ("x", "other"), (p, q))]
        case(name, f"self.{name}({', '.join(texts)})", module(*given))
    targets = (torch.arange(6) * 7 % 4).reshape(2, 3)
    for name, module, text, scores in [
            ("entropy", nn.CrossEntropyLoss(label_smoothing=0.25), "CrossEntropyLoss(label_smoothing = 0.25)", x),
            ("nll", nn.NLLLoss(reduction="sum", ignore_index=2), 'NLLLoss(2, "sum")', x)]:
        module = layer(name, module, text)
        case(name, f"self.{name}(self.x, reshape(arange(6) * 7 % 4, [2, 3]))", module(scores, targets))


def model():
    def type_of(value):
        return f"f32{list(value.shape)}"
    lines = ["import nn", "model Layers() {", '  ignore "out.*"', '  ignore "meta.*"', *MEMBERS]
    lines += [f"  param {name}: {type_of(value)}" for name, value in INPUTS.items()]
    for call, results in CALLS:
        types = ", ".join(f"r_{name}: {type_of(result)}" for name, result in results.items())
        lines.append(f"  fn part_{next(iter(results))}() -> ({types}) {{ return {call} }}")
    return "\n".join(lines + ["}", ""])


def write():
    def text(words):
        return np.array(list(words.encode()), dtype=np.uint8)
    results = {"out." + name: result for _, given in CALLS for name, result in given.items()}
    arrays = {name: np.array(value.tolist(), dtype=np.float32).reshape(value.shape)
              for name, value in [*INPUTS.items(), *WEIGHTS.items(), *results.items()]}
    arrays["meta.version"], arrays["meta.model"] = text(torch.__version__), text(model())
    arrays["meta.sums"] = np.array([True] * len(results))
    np.savez_compressed(os.path.join(HERE, "layers.npz"), **arrays)


for part in (attention, transformers, activations, products, recurrent, plain, convolutions, normalizations,
             pools, compositions):
    part()
write()
print(len(CALLS), "cases by PyTorch", torch.__version__)
