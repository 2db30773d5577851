#!/usr/bin/env python3
"""Checks that two models give the same sentences embeddings that point the same way.

  tools/dev/venv tests test/models/check_embeddings.py COUNT LEAST FOLDER ONE OTHER

FOLDER/*/ONE.npy and FOLDER/*/OTHER.npy have COUNT rows in all; exit 1 if a cosine is below LEAST.
"""
import glob
import os
import sys

import numpy as np


def main(count, least, folder, one, other):
    parts = sorted(glob.glob(os.path.join(folder, "*", one + ".npy")))
    a = np.concatenate([np.load(part) for part in parts]).astype(np.float64)
    b = np.concatenate([np.load(os.path.join(os.path.dirname(part), other + ".npy")) for part in parts])
    found = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    print(f"{len(found)} cosines: least {found.min():.5f}, mean {found.mean():.5f}")
    return int(len(found) != int(count) or not found.min() >= float(least))


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
