#!/usr/bin/env python3
"""Fails unless the class comes first in one image's logits, with the probability expected.

  check_probability.py LOGITS.npy CLASS PROBABILITY TOLERANCE
"""
import sys

import numpy as np

logits = np.load(sys.argv[1]).astype(np.float64).reshape(-1)
wanted, probability, tolerance = int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
shares = np.exp(logits - logits.max())
shares /= shares.sum()
first = int(shares.argmax())
print(f"first is class {first} with {shares[first]:.4f}")
if first != wanted or not abs(shares[wanted] - probability) <= tolerance:
    sys.exit(f"check_probability: error: expected class {wanted} with {probability} +- {tolerance}")
