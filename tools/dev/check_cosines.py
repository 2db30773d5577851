#!/usr/bin/env python3
"""Checks products of rows, the cosines of vectors of length 1.

  tools/dev/venv tests tools/dev/check_cosines.py VECTORS.npy TOLERANCE I J COSINE [I J COSINE ...]

Exit 1 if one is off by more than TOLERANCE.
"""
import sys

import numpy as np


def main(path, tolerance, *rest):
    vectors, off = np.load(path), False
    for i, j, cosine in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        got = float(vectors[int(i)] @ vectors[int(j)])
        print(f"cosine of {i} and {j}: {got:.4f}, expected {cosine}")
        off |= not abs(got - float(cosine)) <= float(tolerance)
    return int(off)


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
