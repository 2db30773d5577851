#!/usr/bin/env python3
"""check_neighbours.py FOLDER {TEXT ITEM COSINE}...: does item.npy say that ITEM is nearest to TEXT behind TEXT itself, and
similarity.npy that their cosine is COSINE to 0.001? Exit 1 if not."""
import sys

import numpy as np

folder, *words = sys.argv[1:]
items, cosines = np.load(f"{folder}/item.npy"), np.load(f"{folder}/similarity.npy")
failures = 0
for text, item, cosine in zip(*[iter(words)] * 3, strict=True):
    text, item, cosine = int(text), int(item), float(cosine)
    if list(items[text]) != [text, item] or np.abs(cosines[text] - [1, cosine]).max() > 0.001:
        failures += 1
        print(f"text {text}: expected {[text, item]} with 1 and {cosine}, got {items[text]} with {cosines[text]}")
sys.exit(1 if failures else 0)
