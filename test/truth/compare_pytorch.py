"""Compares the interpreter with PyTorch's results that make_pytorch.py stored.

  compare_pytorch.py pytorch.npz SCRATCH [OLD NEW]

OLD and NEW change the model's text, to see that a difference is found.

PyTorch computes in float64. Integers, bool, NaN and infinities are equal; other values are within 16
units of the precision of the result's type of the value, or, where a row says so, of the largest of
its tensor.
"""
import os
import re
import subprocess
import sys

import numpy as np


def difference(expected, got, sums):
    """Empty, or what differs."""
    if expected.shape != got.shape or expected.dtype != got.dtype:
        return f"PyTorch gives {expected.dtype}{expected.shape}, got {got.dtype}{got.shape}"
    if expected.dtype.kind != "f":
        same = expected == got
    else:
        finite = np.where(np.isfinite(expected), np.abs(expected), 0)
        size = np.max(finite, initial=0) if sums else finite
        with np.errstate(all="ignore"):
            near = np.abs(expected - got) <= np.maximum(16 * np.finfo(expected.dtype).eps * size, 2.0 ** -1074)
        same = (expected == got) | (np.isnan(expected) & np.isnan(got)) | \
            (near & np.isfinite(expected) & np.isfinite(got))
    if np.all(same):
        return ""
    at = tuple(int(i[0]) for i in np.nonzero(~same))
    return (f"{np.sum(~same)} of {same.size} elements differ, the first at {list(at)}: "
            f"PyTorch gives {expected[at]!r}, the interpreter {got[at]!r}")


def interpret(weights, scratch, part, names):
    """The results of an entry point by name."""
    files = {name: os.path.join(scratch, name + ".npy") for name in names}
    subprocess.run(["kiln-run", "--interpret", os.path.join(scratch, "pytorch.kiln"), part,
                    "--weights", weights] +
                   [f"--output=r_{name}={file}" for name, file in files.items()],
                   check=True, stdout=subprocess.DEVNULL)
    return {name: np.load(file) for name, file in files.items()}


def main():
    weights, scratch, *change = sys.argv[1:]
    with np.load(weights) as stored:
        expected = {name[4:]: stored[name] for name in stored.files if name.startswith("out.")}
        sums = dict(zip(expected, stored["meta.sums"]))
        model = stored["meta.model"].tobytes().decode()
    if change:
        model = model.replace(*change)
    with open(os.path.join(scratch, "pytorch.kiln"), "w") as file:
        file.write(model)
    seen, failures = set(), 0
    for part, body in re.findall(r"fn (\w+)\(\) -> \((.*?)\) \{", model, re.S):
        names = re.findall(r"r_(\w+):", body)
        for name, got in interpret(weights, scratch, part, names).items():
            seen.add(name)
            text = difference(expected[name], got, sums[name])
            if text:
                failures += 1
                print(f"FAIL: {name}: {text}")
    if seen != set(expected):
        sys.exit(f"no entry point gives {sorted(set(expected) ^ seen)}")
    print(f"{len(seen)} functions as PyTorch, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
