#!/usr/bin/env python3
"""Writes FOLDER/input_ids.npy and attention_mask.npy, i64[N, T], of N sentences given as token numbers.

  tools/dev/venv tests tools/dev/make_tokens.py FOLDER '101 7592 102' '101 2748 2009 2003 102' ...

T is the longest sentence's length; shorter ones are filled up with 0, where the mask is 0.
"""
import os
import sys

import numpy as np


def main(folder, *sentences):
    tokens = [[int(word) for word in sentence.split()] for sentence in sentences]
    length = max(map(len, tokens))
    filled = [row + [0] * (length - len(row)) for row in tokens]
    mask = [[1] * len(row) + [0] * (length - len(row)) for row in tokens]
    np.save(os.path.join(folder, "input_ids.npy"), np.array(filled, dtype=np.int64))
    np.save(os.path.join(folder, "attention_mask.npy"), np.array(mask, dtype=np.int64))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
