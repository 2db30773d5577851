"""Where fetched and trained files lie, for the scripts beside this one."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("KILN_CACHE") or os.path.expanduser("~/.cache/kiln")
ASSETS = os.path.join(CACHE, "assets")


def assetPath(name):
    """The path of a fetched asset, fetching it first; ends the program with fetch's exit code if
    that fails (77: skipped)."""
    result = subprocess.run([sys.executable, os.path.join(HERE, "fetch"), name],
                            stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(result.returncode)
    return result.stdout.strip()


def upToDate(folder, names):
    return all(os.path.exists(os.path.join(folder, name)) for name in names)


def saveArrays(folder, names, arrays):
    """Writes dictionaries as .npz and arrays as .npy, each under a temporary name first."""
    import numpy as np
    os.makedirs(folder, exist_ok=True)
    for name, array in zip(names, arrays):
        temporary = os.path.join(folder, f".{os.getpid()}.{name}")
        if isinstance(array, dict):
            np.savez(temporary, **array)
        else:
            np.save(temporary, array)
        os.replace(temporary, os.path.join(folder, name))
