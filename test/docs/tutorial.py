#!/usr/bin/env python3
"""Does what frontend/README.md shows: writes its models, runs its commands, looks for the lines under them.

  tutorial.py README.md FOLDER

A block ```kiln begins with "# NAME.kiln" and goes to that file, ```sh is run by a shell that ends at the first failure, and each
line of the ```text that follows must be a line of what it printed, in this order. Exit 1 if something is otherwise.
"""
import os
import re
import subprocess
import sys


def main(page, folder):
    with open(page) as file:
        blocks = re.findall(r"^```(kiln|sh|text)\n(.*?)^```$", file.read(), re.M | re.S)
    os.makedirs(folder, exist_ok=True)
    printed, counts = None, {"kiln": 0, "sh": 0, "text": 0}
    for kind, body in blocks:
        counts[kind] += 1
        if kind == "kiln":
            name = re.match(r"# (\w+\.kiln)\n", body)
            if not name:
                sys.exit(f"FAIL: expected a file's name above:\n{body}")
            with open(os.path.join(folder, name[1]), "w") as file:
                file.write(body)
        elif kind == "sh":
            # The shell itself ends at no failure of a command behind "!", which must fail.
            lines = [f"if {line.split('#')[0][2:]}; then exit 3; fi" if line.startswith("! ") else line
                     for line in body.splitlines()]
            run = subprocess.run(["sh", "-ec", "\n".join(lines)], cwd=folder, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
            printed = iter(run.stdout.splitlines())
            if run.returncode:
                sys.exit(f"FAIL: exit {run.returncode} of:\n{body}{run.stdout}")
        else:
            for line in body.splitlines():
                if printed is None or line not in printed:
                    sys.exit(f"FAIL: not printed: {line}\n{run.stdout if printed else ''}")
    print("ok: " + ", ".join(f"{count} of {kind}" for kind, count in counts.items()))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
