"""Fails unless a library holds, beside each PTX of its own, what ptxas makes of that.

  cubin.py PTXAS LIBRARY CHIP...
"""
import os
import re
import subprocess
import sys
import tempfile

assembler, library, *chips = sys.argv[1:]
with open(library, "rb") as file:
    data = file.read()
found = []
for text in re.findall(rb"[^\0]*\.address_size 64[^\0]*", data):
    chip = re.search(rb"\.target (\w+)", text).group(1).decode()
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "a.ptx"), os.path.join(folder, "a.cubin")
        with open(path, "wb") as file:
            file.write(text)
        subprocess.run([assembler, f"-arch={chip}", path, "-o", out], check=True)
        with open(out, "rb") as file:
            if file.read() not in data:
                sys.exit(f"the library has no such machine code for {chip}")
    found.append(chip)
if sorted(found) != sorted(chips):
    sys.exit(f"the library has PTX for {found}, expected {chips}")
