#!/usr/bin/env python3
"""Writes a photograph as a model's input, prepared by Pillow: f32 [1, 3, 224, 224].

  tools/dev/venv tests tools/dev/make_input.py IMAGE OUT.npy
"""
import sys

import numpy as np

from images import loadImage

if len(sys.argv) != 3:
    sys.exit("make_input: error: expected an image and the name of the .npy to write")
np.save(sys.argv[2], loadImage(sys.argv[1]))
