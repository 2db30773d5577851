#!/usr/bin/env python3
"""Fails unless enough rows of the logits have their label's class first.

  check_accuracy.py LOGITS.npy LABELS.npy LEAST
"""
import sys

import numpy as np

logits, labels, least = np.load(sys.argv[1]), np.load(sys.argv[2]), float(sys.argv[3])
if logits.shape != (len(labels), 10) or not np.isfinite(logits).all():
    sys.exit(f"check_accuracy: error: expected finite logits [{len(labels)}, 10], got {logits.shape}")
accuracy = float((logits.argmax(1) == labels).mean())
print(f"{accuracy:.4f} of {len(labels)} images are right")
if accuracy < least:
    sys.exit(f"check_accuracy: error: expected at least {least}, got {accuracy:.4f}")
