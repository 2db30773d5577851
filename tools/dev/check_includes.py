#!/usr/bin/env python3
"""Fails where an #include goes against the arrows between the folders.

frontend -> ir (syntax -> ir/Text.h, emit and weights -> ir); passes -> ir;
codegen -> ir, runtime/Abi.h (and the list of CPU features); tools, test -> all; runtime -> nothing.
codegen/halide sees KernelSpec and Halide, never headers of MLIR or LLVM; so what it sees must not
include those either.
"""
import re
import sys

from sources import report, sources, text

FOLDERS = ("frontend", "ir", "passes", "codegen", "runtime", "tools", "test")
# Of the folders of the left, the prefixes of headers of ours that they may include.
ARROWS = {
    "ir/": ("ir/",),
    "frontend/syntax/": ("frontend/syntax/", "ir/Text.h"),
    "frontend/emit/": ("frontend/emit/", "ir/"),
    "frontend/weights/": ("frontend/weights/", "ir/"),
    "frontend/": ("frontend/", "ir/"),
    "passes/": ("passes/", "ir/"),
    "codegen/halide/": ("codegen/halide/", "codegen/spec/", "codegen/Math.def", "codegen/Plugin",
                        "ir/DimExpr.h", "ir/DType.h", "ir/target/", "runtime/Abi.h"),
    "codegen/": ("codegen/", "ir/", "runtime/Abi.h", "runtime/CpuFeatures.def"),
    "runtime/": ("runtime/",),
}
WITHOUT_LLVM = ("codegen/halide/", "codegen/spec/KernelSpec.h", "ir/DimExpr.h", "ir/DType.h",
                "runtime/")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def faultsOf(path):
    allowed = next((ARROWS[key] for key in ARROWS if path.startswith(key)), None)
    folder = path.rsplit("/", 1)[0] + "/"
    for match in INCLUDE.finditer(text(path)):
        quote, name = match.groups()
        line = text(path).count("\n", 0, match.start(2)) + 1
        if quote == '"' and "/" not in name:
            name = folder + name
        if path.startswith(WITHOUT_LLVM) and name.startswith(("llvm/", "mlir/", "lld/")):
            yield f"{path}:{line}: '{name}' may not be seen here, expected no header of LLVM"
        if not path.startswith("codegen/halide/") and name.startswith("Halide"):
            yield f"{path}:{line}: '{name}' may be seen in codegen/halide only"
        ours = name.split("/")[0] in FOLDERS and "/" in name
        if ours and allowed and not name.startswith(allowed):
            yield f"{path}:{line}: '{name}' goes against the arrows, expected {', '.join(allowed)}"


def main():
    paths = sources(".cpp", ".h", ".c", ".def", ".inc")
    return report("check_includes", [fault for path in paths for fault in faultsOf(path)])


if __name__ == "__main__":
    sys.exit(main())
