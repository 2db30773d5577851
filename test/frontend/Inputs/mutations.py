#!/usr/bin/env python3
"""Measures where errors are reported: one token of a model is deleted, doubled, replaced by the one
beside it or misspelt, and the first error is expected on that line or the next that has text.

  mutations.py KILNC FOLDER COUNT SEED    prints the share of the illegal texts so reported

A mutation that leaves a legal program does not count. Exit 1 below 90 %, or if kilnc ends by a
signal or takes over 20 seconds; what is reported elsewhere is printed.
"""
import glob
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

TOKEN = re.compile(r'#[^\n]*|"(?:[^"\\\n]|\\.)*"|[A-Za-z_]\w*|[\d.]+(?:e-?\d+)?|\.\.\.|->|\*\*|//|'
                   r'[<>=!]=|<<|>>|[^\s\w]')
EXPECTED = 0.9


def misspelt(word, chance):
    """The identifier with two letters exchanged, or one left out or added."""
    at = chance.randrange(len(word))
    kind = chance.randrange(3)
    if kind == 0 and len(word) > 1:
        at = min(at, len(word) - 2)
        return word[:at] + word[at + 1] + word[at] + word[at + 2:]
    if kind == 1 and len(word) > 1:
        return word[:at] + word[at + 1:]
    return word[:at] + chance.choice("aeqz") + word[at:]


def mutate(text, chance):
    """A text with one token changed, with the line (from 1) and what was done."""
    tokens = [match for match in TOKEN.finditer(text) if not match[0].startswith("#")]
    at = chance.randrange(len(tokens))
    token = tokens[at]
    word = token[0]
    kinds = ["deleted", "doubled", "replaced"] + ["misspelt"] * bool(re.match(r"[A-Za-z_]", word))
    kind = chance.choice(kinds)
    new = {"deleted": "", "doubled": f"{word} {word}", "misspelt": word,
           "replaced": tokens[at - 1 if at else at + 1][0]}[kind]
    if kind == "misspelt":
        new = misspelt(word, chance)
    line = text.count("\n", 0, token.start()) + 1
    return text[:token.start()] + new + text[token.end():], line, f"{kind} '{word}' -> '{new}'"


def firstError(kilnc, path):
    """The line of the first error, None if the model is legal; 0 for one without a place."""
    run = subprocess.run([kilnc, path, "--emit=import", "--diagnostics=json"], timeout=20, check=False,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if run.returncode < 0:
        raise RuntimeError(f"{path}: kilnc ended by signal {-run.returncode}")
    if run.returncode == 0:
        return None
    for line in run.stderr.splitlines():
        error = json.loads(line)
        if error["severity"] == "error":
            same = error["file"] and os.path.samefile(error["file"], path)
            # What a library's code finds is told at the call that led there.
            places = [error] if same else [n for n in error["notes"] if n["file"] == path]
            return places[0]["line"] if places else 0
    return 0


def nextLine(text, line):
    """The next line after `line` that holds more than a comment."""
    lines = text.split("\n")
    after = line
    while after < len(lines) and not lines[after].split("#")[0].strip():
        after += 1
    return after + 1


def main(kilnc, folder, count, seed):
    chance = random.Random(int(seed))
    files = sorted(glob.glob(os.path.join(folder, "*.kiln")))
    illegal = right = 0
    with tempfile.TemporaryDirectory() as scratch:
        for path in files:  # some import others
            shutil.copy(path, scratch)
        while illegal < int(count):
            source = chance.choice(files)
            with open(source, encoding="utf-8") as file:
                text, line, what = mutate(file.read(), chance)
            path = os.path.join(scratch, os.path.basename(source))
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            got = firstError(kilnc, path)
            shutil.copy(source, path)
            if got is None:
                continue
            illegal += 1
            if line <= got <= nextLine(text, line):
                right += 1
            else:
                print(f"{os.path.basename(source)}:{line}: {what}: reported on line {got}")
    print(f"{right} of {illegal} on the line or the next")
    return right < EXPECTED * illegal


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
