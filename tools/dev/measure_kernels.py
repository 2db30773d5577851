#!/usr/bin/env python3
"""Measures both generators' kernels and writes the rows of ir/target/Measured.def for this machine.

  tools/dev/measure_kernels.py [--build build/release] [--rounds 5] [--write] [MODEL.kiln...]

Compiles each model (the zoo's networks and a list of matrix products if none is given) with
--backend=llvm and --backend=halide, runs both in interleaved rounds on one thread with --profile, and
divides the least times of each kernel. Rows go to standard output; --write puts them into
ir/target/Measured.def in place of the rows of this machine's target. Refuses a busy machine.
"""
import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = os.path.join(ROOT, "ir", "target", "Measured.def")
ZOO = ["resnet50", "mobilenet_v2", "alexnet", "efficientnet_lite0"]
PRODUCTS = [(rows, n, k) for rows in (1, 8, 128, 512)
            for n, k in ((768, 768), (3072, 768), (768, 3072), (4096, 4096))]
WEIGHTS = 128 << 20  # bytes
REMARK = re.compile(r"'(\w+)': template '(\w+)' of (\w+), .*\(rows (\d+), columns (\d+), depth (\d+), "
                    r"taps (\d+), stride (\d+)\)")
# "k3_conv2d_relu  resnet50.kiln:30  MFLOP  kB  ms ..."
ROW = re.compile(r"^(k\d+_\w+)\s+\S+\s+[0-9.]+\s+[0-9.]+\s+([0-9.]+)")


def productModel(rows, n, k):
    """So many products that their weights come from memory, as those of a network do."""
    count = -(-WEIGHTS // (4 * n * k))
    return (f"layer Product {{\n  param w: f32[{k}, {n}]\n"
            f"  fn forward(x: f32[{rows}, {k}]) -> f32[{rows}, {n}] {{ return x @ self.w }}\n}}\n"
            f"model P {{\n  products = [Product() for i in range({count})]\n"
            f"  fn f(x: f32[{rows}, {k}]) -> f32[{rows}, {n}] {{\n    y = self.products[0](x)\n"
            f"    for i in range(1, {count}) {{ y = y + self.products[i](x) }}\n    return y\n  }}\n}}\n")


def compileModel(build, source, backend, folder):
    """The library and the shape of each kernel that the generator made itself; a dimension N is 1."""
    library = os.path.join(folder, f"{backend}.so")
    command = [os.path.join(build, "bin", "kilnc"), source, "--weights", "random:1",
               f"--backend={backend}", "--remarks", "-o", library]
    with open(source) as file:
        command += ["--fix", "N=1"] if "[N <=" in file.read() else []
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"measure_kernels: error: {source}: {done.stderr.strip().splitlines()[-1]}")
    shapes, declined = {}, set()
    for line in done.stderr.splitlines():
        if match := REMARK.search(line):
            name, template, generator, *numbers = match.groups()
            if generator == backend:
                shapes[name] = (template, *map(int, numbers))
        elif "remark: missed (generate):" in line:
            declined.update(re.findall(r"'(k\d+_\w+)'", line))
    return library, {name: shape for name, shape in shapes.items() if name not in declined}


def profile(build, library):
    """Milliseconds of each kernel, by label."""
    done = subprocess.run([os.path.join(build, "bin", "kiln-run"), library, "--input", "random:1",
                           "--repeat", "10", "--profile"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"measure_kernels: error: {library}: {done.stderr.strip()}")
    return {m.group(1): float(m.group(2))
            for m in map(ROW.match, done.stdout.splitlines()) if m}


def measure(build, source, rounds, folder):
    """(shape, ratio) of each kernel that both generators made."""
    libraries, shapes = {}, {}
    for backend in ("llvm", "halide"):
        libraries[backend], shapes[backend] = compileModel(build, source, backend, folder)
    best = {}
    for _ in range(rounds):
        for backend, library in libraries.items():
            for label, time in profile(build, library).items():
                best[backend, label] = min(time, best.get((backend, label), time))
    for label, shape in shapes["halide"].items():
        if label in shapes["llvm"] and best.get(("llvm", label)) and best.get(("halide", label)):
            yield shape, best["halide", label] / best["llvm", label]


def targetName(build):
    text = subprocess.run([os.path.join(build, "bin", "kilnc"), "--list-targets"],
                          capture_output=True, text=True, check=True).stdout
    return re.search(r"this machine: (\S+)", text).group(1)


def processor():
    with open("/proc/cpuinfo") as file:
        names = re.findall(r"model name\s*: (.*)", file.read())
    return names[0] if names else platform.machine()


def write(target, rows):
    with open(TABLE) as file:
        lines = file.read().splitlines()
    end = lines.index("#undef KILN_MEASURED")
    kept = [line for line in lines[:end] if not line.startswith(f"KILN_MEASURED({target},")
            and not line.startswith(f"// {target}: ")]
    while kept and not kept[-1]:
        kept.pop()
    with open(TABLE, "w") as file:
        file.write("\n".join(kept + ["", f"// {target}: {processor()}."] + rows + [""] + lines[end:]) + "\n")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if os.getloadavg()[0] > 0.5:
        sys.exit(f"measure_kernels: error: the machine is busy (load {os.getloadavg()[0]:.1f})")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        sources = arguments.models
        if not sources:
            sources = [os.path.join(ROOT, "frontend", "zoo", name + ".kiln") for name in ZOO]
            for number, product in enumerate(PRODUCTS):
                sources.append(os.path.join(folder, f"p{number}.kiln"))
                with open(sources[-1], "w") as file:
                    file.write(productModel(*product))
        for number, source in enumerate(sources):
            print(f"{number + 1}/{len(sources)} {os.path.basename(source)}", file=sys.stderr)
            for shape, ratio in measure(arguments.build, source, arguments.rounds, folder):
                found.setdefault(shape, []).append(ratio)
    target = targetName(arguments.build)
    rows = []
    for shape, ratios in sorted(found.items()):
        template, *numbers = shape
        ratio = sorted(ratios)[len(ratios) // 2]  # a shape may occur in several kernels
        rows.append(f"KILN_MEASURED({target}, {template}, {', '.join(map(str, numbers))}, {ratio:.2f})")
    print("\n".join(rows))
    if arguments.write:
        write(target, rows)


if __name__ == "__main__":
    main()
