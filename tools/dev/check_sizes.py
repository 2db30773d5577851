#!/usr/bin/env python3
"""Fails where a file or a function is longer than the house allows; no waivers.

Functions are found by clang-format's columns: a body opens with '{' at the end of a line at column
0 (or 2, in a class) and closes with '}' at the same column.
"""
import re
import sys

from sources import report, sources, text

CEILINGS = {".cpp": 600, ".h": 200, ".td": 500}
FUNCTION, LIT_TEST, ZOO_MODEL = 70, 150, 150
NO_FUNCTION = re.compile(r"\s*(namespace|typedef|class|struct|enum|union|extern \"C\"|template <[^()]*$|"
                         r"if|for|while|switch|do|else|case|return|#)\b")


def functions(lines):
    """Yields (first line number, length) of every function body with its header."""
    header, index = 0, 0
    while index < len(lines):
        line = lines[index]
        indent = len(lines[header]) - len(lines[header].lstrip()) if header <= index else -1
        opens = line.endswith("{") and indent in (0, 2)
        head = " ".join(lines[header:index + 1])
        if opens and "(" in head and not NO_FUNCTION.match(lines[header].rstrip()) \
                and not line.endswith("= {"):
            end = next((i for i in range(index + 1, len(lines))
                        if re.match(r" {%d}\}[;),]*( //.*)?$" % indent, lines[i])), None)
            if end is not None:
                yield header + 1, end - header + 1
                index = end
        if lines[index].rstrip().endswith((";", "{", "}", ":", "*/")) or not lines[index].strip() \
                or lines[index].lstrip().startswith(("//", "#")):
            header = index + 1
        index += 1


def ceiling(path):
    if path.startswith("test/") and path.endswith((".mlir", ".kiln", ".test")):
        return LIT_TEST
    if path.startswith("frontend/zoo/"):
        return ZOO_MODEL
    return CEILINGS.get("." + path.rsplit(".", 1)[-1])


def main():
    faults = []
    for path in sources():
        limit = ceiling(path)
        if not limit:
            continue
        lines = text(path).split("\n")
        count = len(lines) - 1
        if count > limit:
            faults.append(f"{path}: expected at most {limit} lines, got {count}")
        if path.endswith((".cpp", ".h")):
            for first, length in functions(lines):
                if length > FUNCTION:
                    faults.append(f"{path}:{first}: expected a function of at most {FUNCTION} "
                                  f"lines, got {length}")
    return report("check_sizes", faults)


if __name__ == "__main__":
    sys.exit(main())
