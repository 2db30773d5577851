# Convolutions of fast-conv.test beside sums in f64: fast_conv.py make FOLDER; fast_conv.py check FOLDER LIB.so ERROR
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "tools", "dev"))
import kiln_library

chance = np.random.default_rng(5)


def floats(*shape):
    return chance.standard_normal(shape).astype("f4")


def weights():
    huge = floats(16, 16, 3, 3)
    huge[3, 2, 1, 1] = np.inf
    return {"w": floats(32, 32, 3, 3), "bias": floats(32), "v": floats(48, 32, 3, 3), "u": floats(16, 48, 3, 3), "huge": huge}


def conv(x, w, pad=((0, 0), (0, 0))):
    x = np.pad(np.asarray(x, "f8"), ((0, 0), (0, 0), *pad))
    height, width = x.shape[2] - 2, x.shape[3] - 2
    with np.errstate(invalid="ignore", over="ignore"):
        parts = [np.einsum("nchw,oc->nohw", x[:, :, i : i + height, j : j + width], np.asarray(w[:, :, i, j], "f8")) for i in range(3) for j in range(3)]
        return sum(parts)


def compare(name, got, want, error):
    with np.errstate(over="ignore", invalid="ignore"):
        want = want.astype("f4").astype("f8")
    kind = lambda x: np.where(np.isnan(x), 2, np.where(np.isinf(x), np.sign(x), 0))
    assert (kind(got) == kind(want)).all(), f"{name}: {np.argwhere(kind(got) != kind(want))[:3]}"
    fine = np.isfinite(want)
    if fine.any():
        off = np.abs(got[fine] - want[fine]).max() / np.abs(want[fine]).max()
        assert off < error, f"{name}: {off:.2e} of the largest"


def calls(w):
    one = ((1, 1), (1, 1))
    x = floats(2, 32, 32, 29)
    yield "same", [x], np.maximum(conv(x, w["w"], one) + w["bias"].reshape(-1, 1, 1), 0)
    for height in (3, 9, 42):
        x = floats(1, 32, height, 10)
        yield "valid", [x], conv(x, w["v"])
    for images in (1, 3):
        x, r = floats(images, 32, 13, 13), floats(images, 48, 15, 15)
        yield "twice", [x, r], conv(conv(x, w["v"], ((2, 2), (2, 2))) + r, w["u"], ((0, 0), (1, 1)))
    x = floats(1, 32, 42, 10)
    x[0, 3, 5, 6], x[0, 9, 20, 1], x[0, 9, 20, 9], x[0, 0, 41, 2] = np.inf, -np.inf, np.nan, np.inf
    yield "valid", [x], conv(x, w["v"])
    x = np.zeros((1, 32, 42, 10), "f4")
    x[0, 3, 5, 6], x[0, 4, 30, 7] = 2e38, -3e38
    yield "valid", [x], conv(x, w["v"])
    x = floats(1, 16, 20, 20)
    yield "none", [x], conv(x, w["huge"], one)


if sys.argv[1] == "make":
    np.savez(f"{sys.argv[2]}/weights.npz", **weights())
else:
    w = weights()
    libraries = [kiln_library.Instance(f"{sys.argv[2]}/{sys.argv[3]}", threads=n) for n in (1, 2)]
    for name, inputs, want in calls(w):
        results = []
        for library in libraries:
            run, out = library.bind(name, *inputs)
            run()
            results.append(out[0].copy())
        assert results[0].tobytes() == results[1].tobytes(), f"{name}: threads differ"
        compare(name, results[0], want, float(sys.argv[4]))
