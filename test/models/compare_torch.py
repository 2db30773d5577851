#!/usr/bin/env python3
"""Compares models of the zoo with what PyTorch gave (Inputs/torch.npz, by make_torch.py), on weights made from their names.

  compare_torch.py torch.npz ZOO FOLDER [--weight-of CASE NAME]... [CASE]...

--weight-of changes one weight, which must be noticed. Prints the largest error of each case as a part of PyTorch's largest
result, then a verdict; exit 1 above 2e-5. Needs numpy, kilnc and kiln-run.
"""
import json
import os
import subprocess
import sys
import zlib

import numpy as np

LIMIT = 2e-5


def generator(name):
    # RandomState's numbers are the same for all versions of numpy.
    return np.random.RandomState(zlib.crc32(name.encode()))


def weight(name, shape):
    """A trained-looking tensor: statistics and scales about 1, products that keep the size of what they get."""
    r = generator(name)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("relative_position_index"):  # torchvision's of Swin, no trained number
        side = round(shape[0] ** 0.25)
        row, column = np.divmod(np.arange(side * side), side)
        near = (row[:, None] - row + side - 1) * (2 * side - 1) + column[:, None] - column + side - 1
        return near.reshape(-1)
    if name.endswith("running_var"):
        return (0.5 + r.rand(*shape)).astype(np.float32)
    if name.startswith("fc_loc.2."):  # places of an image that nearly stay
        stay = np.eye(2, 3).reshape(6) if len(shape) < 2 else 0
        return (stay + 0.03 * r.randn(*shape)).astype(np.float32)
    if len(shape) < 2 and name.endswith("weight") or name.endswith("layer_scale"):
        return (0.75 + 0.5 * r.rand(*shape)).astype(np.float32)
    if len(shape) < 2:
        return (0.1 * r.randn(*shape)).astype(np.float32)
    return (r.randn(*shape) * (2 / np.prod(shape[1:])) ** 0.5).astype(np.float32)


def argument(name, kind, shape):
    """kind: "image" for normal numbers, "length" for 1s and then 0s, or a count for positions below it."""
    r = generator(name)
    if kind == "image":
        return r.randn(*shape).astype(np.float32)
    if kind == "length":
        used = r.randint(1, shape[-1] + 1, shape[:-1] + [1])
        return (np.arange(shape[-1]) < used).astype(np.int64)
    return r.randint(0, kind, shape).astype(np.int64)


def sample(result):
    """At most 64 elements, from all over the result."""
    flat = np.asarray(result).reshape(-1)
    return flat[::max(1, flat.size // 64 | 1)][:64]


def run(case, zoo, folder, changed):
    weights = {name: weight(name, shape) for name, shape in case["weights"].items()}
    for name in changed:
        weights[name] = weights[name] * np.float32(1.25)
    np.savez(f"{folder}/weights.npz", **weights)
    command = ["kilnc", f"{zoo}/{case['model']}.kiln", "--weights", f"{folder}/weights.npz", "-o", f"{folder}/lib.so"]
    for name, value in case["set"].items():
        command += ["--set", f"{name}={value}"]
    subprocess.run(command, check=True)
    errors = []
    for entry, call in case["entries"].items():
        command = ["kiln-run", f"{folder}/lib.so", entry]
        for name, (kind, shape) in call["arguments"].items():
            np.save(f"{folder}/{name}.npy", argument(name, kind, shape))
            command += ["--input", f"{name}={folder}/{name}.npy"]
        for name in call["results"]:
            command += ["--output", f"{name}={folder}/{name}.got.npy"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for name, key in call["results"].items():
            got, want = sample(np.load(f"{folder}/{name}.got.npy")).astype(np.float64), RESULTS[key].astype(np.float64)
            same = got.shape == want.shape and np.abs(want).max() > 0
            errors.append(np.abs(got - want).max() / np.abs(want).max() if same else np.inf)
    return np.max(errors)


if __name__ == "__main__":
    file, zoo, folder, *words = sys.argv[1:]
    changed = {}
    while words and words[0] == "--weight-of":
        changed.setdefault(words[1], []).append(words[2])
        words = words[3:]
    RESULTS = np.load(file)
    cases = json.loads(bytes(RESULTS["cases"]))
    os.makedirs(folder, exist_ok=True)
    failures = 0
    for name in words or cases:
        error = run(cases[name], zoo, folder, changed.get(name, []))
        print(f"{'ok' if error <= LIMIT else 'FAIL'}: {name}: {error:.1e}", flush=True)
        failures += not error <= LIMIT
    print(f"{len(words or cases)} models as PyTorch, {failures} failures")
    sys.exit(1 if failures else 0)
