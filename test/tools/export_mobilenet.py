#!/usr/bin/env python3
"""Writes mobilenet_v2_b1 as kiln-bench reads exported models; with a third word one bias of the weights is another than the graph's.

  export_mobilenet.py SOURCE FOLDER [wrong]
"""
import os
import sys

import numpy as np

source, folder, *wrong = sys.argv[1:]
sys.path.insert(0, os.path.join(source, "tools", "dev"))
from onnx_models import BUILDERS, RandomWeights  # noqa: E402

weights = RandomWeights(3)
graph = BUILDERS["mobilenet_v2"](weights).SerializeToString()
if wrong:
    weights["classifier.1.bias"] = weights["classifier.1.bias"] + 1
os.makedirs(folder, exist_ok=True)
stem = os.path.join(folder, "mobilenet_v2_b1")
with open(stem + ".onnx", "wb") as file:
    file.write(graph)
np.savez(stem + ".npz", in_image=np.random.default_rng(1).normal(size=(1, 3, 224, 224)).astype(np.float32))
np.savez(stem + ".weights.npz", **weights)
