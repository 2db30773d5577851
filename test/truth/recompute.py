"""Computes exported conformance cases anew and compares them with the interpreter.

  recompute.py FOLDER OPS.txt

FOLDER holds what `conformance --export` wrote; OPS.txt has a function of the language in each line
that begins with its name (`kilnc --help-functions`). Every one must have a definition here, and
cases on the element types of its domain.
"""
import ast
import glob
import itertools
import json
import os
import re
import sys

import numpy as np

import domains
import attending  # noqa: F401 (fills the table)
import layers  # noqa: F401
import norms  # noqa: F401
import numbers_of_seeds  # noqa: F401
import quantizing  # noqa: F401
import resizing  # noqa: F401
import scatters  # noqa: F401
import finding  # noqa: F401
import sorting  # noqa: F401
import windows  # noqa: F401
from definitions import OPS
from values import FLOATS, INTEGERS, Tensor, difference, from_bytes, make

BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Mod: "mod"}
SUMS = set("""adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d attention avg_pool1d avg_pool2d
    avg_pool3d batch_norm conv1d conv2d conv3d conv_transpose1d
    conv_transpose2d conv_transpose3d einsum embedding_bag group_norm instance_norm interpolate layer_norm log_softmax logsumexp matmul
    mean rms_norm roi_align rope softmax sum var""".split())
NUMBERS = {ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
           ast.FloorDiv: lambda a, b: a // b}


class Evaluator(ast.NodeVisitor):
    """Evaluates a call of the language, which is a Python expression as well."""

    def __init__(self, names):
        self.names = names
        self.scale = 0.0  # of what was added up on the way

    def visit_Expression(self, node):
        return self.visit(node.body)

    def visit_Constant(self, node):
        return node.value

    def visit_Name(self, node):
        return self.names[node.id]

    def visit_List(self, node):
        return [self.visit(element) for element in node.elts]

    def visit_UnaryOp(self, node):
        assert isinstance(node.op, ast.USub)
        return -self.visit(node.operand)

    def visit_BinOp(self, node):
        a, b = self.visit(node.left), self.visit(node.right)
        if isinstance(a, Tensor):  # a number takes its type
            b = b if isinstance(b, Tensor) else make(a.dtype, b)
            return OPS[BINARY[type(node.op)]](a, b)
        return NUMBERS[type(node.op)](a, b)

    def visit_Call(self, node):
        arguments = [self.visit(argument) for argument in node.args]
        named = {keyword.arg: self.visit(keyword.value) for keyword in node.keywords}
        flat = [t for a in arguments for t in (a if isinstance(a, list) else [a])
                if isinstance(t, Tensor) and t.is_float]
        sizes = [np.max(np.abs(t.array), initial=0, where=np.isfinite(t.array)) for t in flat]
        name = ast.unparse(node.func)
        if sizes and name in SUMS:
            largest = float(max(sizes))
            self.scale = max(self.scale, largest, largest * largest)
        with np.errstate(all="ignore"):
            return OPS[name](*arguments, **named)

    def visit_Slice(self, node):
        return slice(*(part and self.visit(part) for part in (node.lower, node.upper, node.step)))

    def visit_Subscript(self, node):
        """NumPy's subscripts."""
        tensor = self.visit(node.value)
        parts = [self.visit(part) for part in (node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice])]
        where = tuple(part.array.astype(bool if part.dtype == "bool" else int) if isinstance(part, Tensor) else part
                      for part in parts)
        return make(tensor.dtype, tensor.array[where])

    def generic_visit(self, node):
        raise ValueError(f"a call has {type(node).__name__}")


def check(case):
    """Empty, or what differs."""
    parts = re.match(r"fn \w+(?:\[[^\]]*\])?\((.*)\) \{ return (.*) \}$", case["members"])
    names = dict(case["dims"], true=True, false=False,
                 **{dtype: dtype for dtype in (*FLOATS, *INTEGERS)})
    arguments = re.findall(r"(\w+): ", parts.group(1))
    for name, value in zip(arguments, case["arguments"], strict=True):
        names[name] = from_bytes(value["type"], value["shape"], bytes.fromhex(value["hex"]))
    evaluator = Evaluator(names)
    results = evaluator.visit(ast.parse(parts.group(2), mode="eval"))
    results = results if isinstance(results, list) else [results]
    for expected, value in zip(results, case["results"], strict=True):
        got = from_bytes(value["type"], value["shape"], bytes.fromhex(value["hex"]))
        # Which of two zeros is the larger is not defined.
        signed = not re.search(r"max_pool\dd$", case["op"]) and not evaluator.scale
        text = difference(expected, got, evaluator.scale, signed)
        if text:
            return f"case {case['case']}, {case['dims']}: {text}\n    {case['members']}"
    return ""


def main():
    folder, listing = sys.argv[1:]
    with open(listing, encoding="utf-8") as file:
        functions = {match.group(1) for match in re.finditer(r"^([\w.]+)\(", file.read(), re.M)}
    missing = [f"{name} has no definition" for name in sorted(functions - set(OPS))]
    count, seen, failures = 0, {}, {}
    for path in sorted(glob.glob(os.path.join(folder, "*.jsonl"))):
        name = os.path.basename(path).rsplit(".", 2)[0]
        legal = seen.setdefault(name, set())
        with open(path, encoding="utf-8") as file:
            for line in file:
                count += 1
                case = json.loads(line)
                legal.add(case["type"])
                text = check(case)
                if text:
                    failures.setdefault(name, []).append(text)
    missing += [f"{name} has no case" for name in sorted(functions - set(seen))]
    missing += filter(None, itertools.starmap(domains.difference, sorted(seen.items())))
    for text in missing + [text for texts in failures.values() for text in texts[:3]]:
        print(text)
    failed = len(missing) + sum(map(len, failures.values()))
    print(f"{count} calls of {len(seen)} functions, {failed} failures")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
