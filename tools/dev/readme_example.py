#!/usr/bin/env python3
"""Writes the README's models and C programs to a folder, for the test of it: mlp.kiln, count.kiln, main.c, gpu.c.

  tools/dev/readme_example.py FOLDER
"""
import os
import re
import sys

from sources import text

blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text("README.md"), re.M | re.S)
model, loop = (body for language, body in blocks if not language)
program, device = (body for language, body in blocks if language == "c")
for name, body in (("mlp.kiln", model), ("count.kiln", loop), ("main.c", program), ("gpu.c", device)):
    with open(os.path.join(sys.argv[1], name), "w") as file:
        file.write(body)
