"""What the checks beside this file share: the list of files and the closing report."""
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def sources(*suffixes):
    """Paths, relative to the root, of all files that git tracks or would track."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT,
                            stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    return [p for p in sorted(set(listed))
            if p and p.endswith(suffixes or "") and os.path.isfile(os.path.join(ROOT, p))]


def text(path):
    with open(os.path.join(ROOT, path), errors="replace") as file:
        return file.read()


def report(name, faults):
    """Prints every fault and a closing line; the exit code."""
    for fault in faults:
        print(f"{name}: error: {fault}")
    print(f"{name}: " + (f"{len(faults)} faults" if faults else "fine"))
    return 1 if faults else 0
