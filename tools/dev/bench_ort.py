#!/usr/bin/env python3
"""Compares a zoo model with ONNX Runtime: results and, in interleaved rounds, best times.

  tools/dev/venv tests tools/dev/bench_ort.py MODEL [--library LIB.so] [--input IMAGE.npy]
      [--batch N] [--rounds R] [--seconds S] [--weights-out W.npz] [--reference OUT.npy]
      [--max-error E] [--max-ratio Q]

MODEL is efficientnet_lite0 (published weights), resnet50, resnext50_32x4d, mobilenet_v2 or alexnet. Of the latter
$BENCH_MODELS/MODEL_b1.onnx serves where it is, else the graph is built from seeded random weights;
--weights-out writes those for kilnc. --reference writes ONNX Runtime's logits. With --library both
run at 1 and 2 threads; exit 1 if max |a - b| / max |b| or a ratio of best times is over its limit.
"""
import argparse
import os
import sys
import time

import numpy as np

from assets import assetPath
from onnx_models import BUILDERS, RandomWeights


def graphAndWeights(model):
    """(serialised graph, name of its input, weights as a dictionary)"""
    if model == "efficientnet_lite0":
        from torch_weights import readTorch
        weights = readTorch(assetPath("efficientnet_lite0.pth"))
        return BUILDERS[model](weights).SerializeToString(), "image", weights
    stem = os.path.join(os.environ.get("BENCH_MODELS", ""), model + "_b1")
    if os.path.isfile(stem + ".onnx") and os.path.isfile(stem + ".weights.npz"):
        with open(stem + ".onnx", "rb") as file:
            return file.read(), "input", dict(np.load(stem + ".weights.npz"))
    weights = RandomWeights()
    graph = BUILDERS[model](weights).SerializeToString()
    return graph, "image", weights


def session(graph, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def best(call, seconds):
    """The best time of one call in milliseconds, over calls that last `seconds`."""
    call()
    least, end = float("inf"), time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - start)
        if time.perf_counter() >= end:
            break
    return least * 1e3


def compareAt(threads, graph, inputName, image, arguments):
    """Errors and times at one number of threads; whether both are within their limits."""
    from kiln_library import Library
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors[:threads])
    peer = session(graph, threads)
    library = Library(os.path.abspath(arguments.library), threads, len(image))
    ours, theirs = library.bind(image), lambda: peer.run(None, {inputName: image})[0]
    expected, got = theirs(), ours().copy()
    error = float(np.abs(got - expected).max() / np.abs(expected).max())
    times = {"kiln": [], "ort": []}
    for _ in range(arguments.rounds):
        times["kiln"].append(best(ours, arguments.seconds))
        times["ort"].append(best(theirs, arguments.seconds))
    kiln, ort = min(times["kiln"]), min(times["ort"])
    library.close()
    os.sched_setaffinity(0, processors)
    print(f"{arguments.model} batch {len(image)} threads {threads}: kiln {kiln:.2f} ms, "
          f"onnxruntime {ort:.2f} ms, ratio {kiln / ort:.3f}, error {error:.2e}", flush=True)
    return error <= arguments.max_error and kiln / ort <= arguments.max_ratio


def parse():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("model", choices=sorted(BUILDERS))
    parser.add_argument("--library")
    parser.add_argument("--input")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--weights-out")
    parser.add_argument("--reference")
    parser.add_argument("--max-error", type=float, default=1e-4)
    parser.add_argument("--max-ratio", type=float, default=float("inf"))
    return parser.parse_args()


def main():
    arguments = parse()
    graph, inputName, weights = graphAndWeights(arguments.model)
    if arguments.weights_out:
        np.savez(arguments.weights_out, **weights)
    if arguments.input:
        image = np.ascontiguousarray(np.load(arguments.input), dtype=np.float32)
    else:
        shape = (arguments.batch, 3, 224, 224)
        image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    if arguments.reference:
        np.save(arguments.reference, session(graph, 1).run(None, {inputName: image})[0])
    if not arguments.library:
        return 0
    results = [compareAt(threads, graph, inputName, image, arguments) for threads in (1, 2)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
