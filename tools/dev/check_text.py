#!/usr/bin/env python3
"""Fails where a file holds what must not be committed: paths of one machine, notes of unfinished
work, addresses of package registries, or more than 1 MB."""
import os
import re
import sys

from sources import ROOT, report, sources, text

# The patterns are written in pieces so that this file does not match itself.
PATTERNS = [
    (re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b"), "a note of unfinished work"),
    (re.compile(r"(?<![\w.$}])/(ro" r"ot|ho" r"me|wo" r"rk|Us" r"ers)/\w"), "a path of one machine"),
    (re.compile(r"(py" r"pi|pytho" r"nhosted|debi" r"an|ubun" r"tu|npm" r"js|crat" r"es)\.(org|io)\b"),
     "the address of a package registry"),
]
LIMIT = 1_000_000
BINARY = (".npy", ".npz", ".png", ".jpg", ".safetensors", ".pt", ".pth")


def main():
    faults = []
    for path in sources():
        size = os.path.getsize(os.path.join(ROOT, path))
        if size > LIMIT:
            faults.append(f"{path}: expected at most {LIMIT} bytes, got {size}")
        if path.endswith(BINARY) or path == "LICENSE":
            continue
        for number, line in enumerate(text(path).split("\n"), 1):
            for pattern, what in PATTERNS:
                if pattern.search(line):
                    faults.append(f"{path}:{number}: {what}: '{line.strip()[:80]}'")
    return report("check_text", faults)


if __name__ == "__main__":
    sys.exit(main())
