"""lit's configuration of Kiln's suite; the build's paths come from lit.site.cfg.py."""
import os
import shutil
import subprocess

import lit.formats
import lit.util

config.name = "Kiln"
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.kiln_build, "test")
config.suffixes = [".kiln", ".mlir", ".test"]
config.excludes = ["Inputs", "unit", "fuzz", "lit.cfg.py", "README.md"]
# unit/ and fuzz/ hold programs, not files with RUN lines; unit.cfg.py makes a suite of the former.
config.test_format = lit.formats.ShTest(execute_external=True)

binaries = os.path.join(config.kiln_build, "bin")
tools = os.path.join(config.kiln_source, "tools", "dev")
cache = os.environ.get("KILN_CACHE") or os.path.expanduser("~/.cache/kiln")
assets = os.path.join(cache, "assets")

config.environment["PATH"] = os.pathsep.join(
    [binaries, config.llvm_tools, os.environ.get("PATH", "")])
config.environment["HOME"] = os.environ.get("HOME", "/root")
config.environment["KILN_CACHE"] = cache
# Kernels are compiled once a build, never taken from or left in the user's own cache.
config.environment["KILN_KERNEL_CACHE"] = os.path.join(config.kiln_build, "kernel-cache")
# Libraries for GPUs are the same where there is a ptxas and where there is none, unless a test asks for it.
config.environment["KILN_PTXAS"] = ""

roundTrip = " --verify-roundtrip" if lit_config.params.get("verify_roundtrip") else ""
config.substitutions += [
    ("%kiln-opt", "kiln-opt" + roundTrip),
    ("%zoo", os.path.join(config.kiln_source, "frontend", "zoo")),
    ("%assets", assets),
    ("%fetch", os.path.join(tools, "fetch")),
    ("%python-tests", os.path.join(tools, "venv") + " tests"),
    ("%tools", tools),
    ("%source", config.kiln_source),
    ("%build", config.kiln_build),
    ("%include", os.path.join(config.kiln_source, "runtime")),
    ("%ptxas", config.ptxas),
    ("%gpu-driver", os.path.join(config.kiln_build, "test", "gpu", "driver")),
    ("FileCheck", "FileCheck --enable-var-scope"),
]

# Features, for REQUIRES lines: a missing one skips the test, and the closing line counts it.
if shutil.which("nvidia-smi") and not subprocess.run(
        ["nvidia-smi", "-L"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
    config.available_features.add("cuda")
if os.path.exists(os.path.join(config.kiln_build, "lib", "kiln", "libkiln-halide.so")):
    config.available_features.add("halide")
if os.path.exists(config.ptxas):
    config.available_features.add("ptxas")
if config.kiln_sanitize:
    config.available_features.add("sanitize")
for name in os.listdir(assets) if os.path.isdir(assets) else []:
    config.available_features.add("asset-" + name)
