"""Compares subscripts, of numbers, slices, masks and tensors of integers, with NumPy's.

  subscripts.py EXPRESSIONS.txt FOLDER

Each line is an expression over x [3, 4, 5, 4], the positions i [3], k [3], m [2, 3], a and b, and the
masks p [3], q [3, 4] and r [4], or an assignment to a part of y, which is x before. NumPy runs it as it
stands, kiln-run's interpreter as an entry point of a model."""
import os
import subprocess
import sys

import numpy as np

PARAMETERS = ("x: f32[3, 4, 5, 4], i: i64[3], k: i64[3], m: i64[2, 3], a: i64, b: i64, p: bool[3], q: bool[3, 4], "
              "r: bool[4]")


def is_assignment(line):
    return line.startswith("y[")


def numpy_says(line, values):
    if not is_assignment(line):
        return eval(line, dict(values))  # pylint: disable=eval-used
    names = dict(values, y=values["x"].copy())
    exec(line, names)  # pylint: disable=exec-used
    return names["y"]


def body_of(line):
    return f"y = x; {line}; return y" if is_assignment(line) else f"return {line}"


def main():
    listing, folder = sys.argv[1:]
    with open(listing, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip()]
    values = {"x": np.arange(240, dtype=np.float32).reshape(3, 4, 5, 4), "i": np.array([2, 0, -1]),
              "k": np.array([1, -2, 0]), "m": np.array([[0, 2, 1], [1, -3, 2]]), "a": np.array(1), "b": np.array(-1),
              "p": np.array([True, False, True]), "q": np.arange(12).reshape(3, 4) % 5 < 2,
              "r": np.array([False, True, True, False])}
    wanted = [numpy_says(line, values) for line in lines]
    model = os.path.join(folder, "subscripts.kiln")
    with open(model, "w", encoding="utf-8") as file:
        file.write("model Subscripts {\n")
        for n, (line, want) in enumerate(zip(lines, wanted)):
            shape = f"[{', '.join(map(str, want.shape))}]" if want.shape else ""
            file.write(f"  fn f{n}({PARAMETERS}) -> (y: f32{shape}) {{ {body_of(line)} }}\n")
        file.write("}\n")
    given = []
    for name, value in values.items():
        np.save(os.path.join(folder, name + ".npy"), value)
        given += ["--input", f"{name}={folder}/{name}.npy"]
    failures = 0
    for n, (line, want) in enumerate(zip(lines, wanted)):
        out = os.path.join(folder, f"f{n}.npy")
        subprocess.run(["kiln-run", "--interpret", model, f"f{n}", *given, "--output", f"y={out}"],
                       check=True, stdout=subprocess.DEVNULL)
        if not np.array_equal(np.load(out), want):
            print(f"{line} differs")
            failures += 1
    print(f"{len(lines)} subscripts, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
