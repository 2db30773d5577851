"""Compares the module `functional` with PyTorch's results that make_functional.py stored.

  compare_functional.py functional.npz SCRATCH LEVEL FORM,... [OLD NEW]

Forms of a case: with fixed extents, with those that a call has told, in f16 (half), in f64 (double). LEVEL: "interpret", or what kilnc
compiles by (0, 2). OLD and NEW change the models' text, to see that a difference is found. PyTorch computes in f64; values are
within 16 units of the precision of the result's type, of the largest of its tensor.
"""
import json
import re
import subprocess
import sys

import numpy as np

from compare_pytorch import difference

TOGETHER = 8  # cases in one entry point
FLOATS = {"fixed": "f32", "told": "f32", "half": "f16", "double": "f64"}
NUMPY = {"f16": np.float16, "f32": np.float32, "f64": np.float64}


def kiln_type(array, dims, real):
    kind = {"f": real, "i": "i64", "b": "bool"}[array.dtype.kind]
    return f"{kind}[{', '.join(dims)}]"


class Entry:
    """Cases of one form, as a function of all their operands."""

    def __init__(self, name, form, cases):
        self.name, self.form, self.cases = name, form, cases
        words = " ".join(c["call"] for c in cases)
        used = set(re.findall(r"\$(\w+)", words))
        self.operands = [operand for operand in DIMS if operand in used]

    def results(self, case):
        return [(f"r_{case['name']}{i or ''}", STORED[f"out.{case['name']}.{i}"]) for i in range(case["count"])]

    def shape(self, case, value):
        if case["counted"]:
            return ["K_" + case["name"]]
        return map(str, value.shape) if self.form == "fixed" else ["_"] * value.ndim

    def text(self):
        real = FLOATS[self.form]
        dims, arguments, letters = [], [], []
        for operand in self.operands:
            value = STORED["in." + operand]
            fixed = self.form == "fixed" or any(c["fixed"] for c in self.cases)
            dims = [str(n) if fixed or not d.isalpha() else f"{d}{n}" for d, n in zip(DIMS[operand], value.shape)]
            letters += [d for d in dict.fromkeys(dims) if d[0].isalpha() and d not in letters]
            arguments.append(f"{operand}: {kiln_type(value, dims, real)}")
        types, statements, values = [], [], []
        for case in self.cases:
            names = self.results(case)
            statements.append(f"    {', '.join(n for n, _ in names)} = {case['call'].replace('$', '')}")
            values += [n for n, _ in names]
            if case["counted"]:
                letters.append("K_" + case["name"])
            types += [f"{n}: {kiln_type(v, self.shape(case, v), real)}" for n, v in names]
        generics = f"[{', '.join(letters)}]" if letters else ""
        return (f"  fn {self.name}{generics}({', '.join(arguments)}) -> (\n      {', '.join(types)}) {{\n" +
                "\n".join(statements) + f"\n    return {', '.join(values)}\n  }}\n")

    def run(self, program):
        real = NUMPY[FLOATS[self.form]]
        command = program + [self.name]
        for operand in self.operands:
            value = STORED["in." + operand]
            np.save(f"{SCRATCH}/{operand}.npy", value.astype(real) if value.dtype.kind == "f" else value)
            command.append(f"--input={operand}={SCRATCH}/{operand}.npy")
        names = [(n, v) for case in self.cases for n, v in self.results(case)]
        command += [f"--output={n}={SCRATCH}/{n}.out.npy" for n, _ in names]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for name, value in names:
            expected = value.astype(real) if value.dtype.kind == "f" else value
            got = np.load(f"{SCRATCH}/{name}.out.npy")
            if expected.shape == got.shape == ():
                expected, got = expected.reshape(1), got.reshape(1)
            yield name, difference(expected, got, True)


def entries(forms):
    for form in forms:
        chosen = [c for c in CASES if form == "fixed" or (c["half"] if form in ("half", "double") else not c["fixed"])]
        for kind in (False, True):
            some = [c for c in chosen if c["fixed"] == kind]
            for i in range(0, len(some), TOGETHER):
                yield Entry(f"{form}{'_fixed' * kind}{i // TOGETHER}", form, some[i:i + TOGETHER])


def write(name, some, change):
    """A model of entries."""
    model = "import functional as F\nmodel Functional() {\n" + "".join(e.text() for e in some) + "}\n"
    with open(f"{SCRATCH}/{name}.kiln", "w") as file:
        file.write(model.replace(*change) if change else model)
    return f"{SCRATCH}/{name}.kiln"


def main(level, forms, *change):
    every = list(entries(forms.split(",")))
    if level != "interpret":
        library = f"{SCRATCH}/functional.so"
        subprocess.run(["kilnc", f"-O{level}", write("functional", every, change), "-o", library], check=True)
    seen, failures = set(), 0
    for entry in every:
        program = ["kiln-run", "--interpret", write(entry.name, [entry], change)] if level == "interpret" else \
            ["kiln-run", library]
        for name, text in entry.run(program):
            seen.add(f"{entry.form} {name}")
            if text:
                failures += 1
                print(f"FAIL: {entry.form} {name}: {text}", flush=True)
    print(f"{len(seen)} results of {len(CASES)} calls as PyTorch, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    file, SCRATCH, *words = sys.argv[1:]
    STORED = dict(np.load(file))
    meta = json.loads(bytes(STORED["meta.cases"]))
    DIMS, CASES = meta["dims"], meta["cases"]
    sys.exit(main(*words))
