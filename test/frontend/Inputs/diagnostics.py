#!/usr/bin/env python3
"""Holds the page of all errors to what kilnc does, and both forms of errors to each other.

  diagnostics.py examples SOURCE-FOLDER   every wrong model of `kilnc --explain all` has errors of its number and
                                          of no other, every right one compiles
  diagnostics.py forms COMMAND...         the command's errors are the same as text and as JSON
  diagnostics.py counted SOURCE-FOLDER    the errors that tests expect, each once however its names, types and numbers
                                          differ: all have a place, and how many have notes

Exit 1 with lines FAIL otherwise. Works in the current folder.
"""
import glob
import json
import os
import re
import shlex
import subprocess
import sys

MAX_SIZE, MAX_DEPTH = 4 << 20, 256
MODEL = "model Net() {{\n  fn run(x: f32[4]) -> f32[4] {{ return {} }}\n}}\n"
# What a small file cannot show: (wrong, right).
GENERATED = {"K0102": ("#" * (MAX_SIZE + 1), MODEL.format("x")),
             "K0205": (MODEL.format("-" * (MAX_DEPTH + 1) + "x"), MODEL.format("-" * (MAX_DEPTH // 2) + "x"))}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def sections(page):
    """Yields (number, name, wrong, right); models of one that shows none are those of GENERATED."""
    for part in re.split(r"^## ", page, flags=re.M)[1:]:
        number, name = re.match(r"(K\d{4}) ([\w-]+): \S", part).groups()
        models = [re.sub(r"^    ", "", each, flags=re.M)
                  for each in re.findall(r"^(?:Wrong|Right):\n\n((?:    .*\n)+)", part, re.M)]
        yield number, name, *(models or GENERATED[number])


def examples(source):
    faults, table = [], {}
    for number, name, wrong, right in sections(run("kilnc", "--explain", "all").stdout):
        table[name] = number
        for expected, model in [({f"[{name}] [{number}]"}, wrong), (set(), right)]:
            with open("example.kiln", "w", encoding="utf-8") as file:
                file.write(model)
            done = run("kilnc", "example.kiln", "--emit=import")
            got = {line[line.rindex(" [", 0, line.rindex(" [")) + 1:]
                   for line in re.findall(r"^.*\berror: .*\[K\d{4}\]$", done.stderr, re.M)}
            if got != expected or done.returncode != bool(expected):
                faults.append(f"FAIL: {number}: expected {expected or 'no error'}, got {done.stderr}")
        for asked in (number.lower(), name):
            if not run("kilnc", "--explain", asked).stdout.startswith(f"{number} {name}: "):
                faults.append(f"FAIL: --explain {asked}")
    with open(os.path.join(source, "frontend/syntax/Diagnostics.def"), encoding="utf-8") as file:
        kinds = len(re.findall(r"^KILN_DIAGNOSTIC\(", file.read(), re.M))
    if len(table) != kinds:
        faults.append(f"FAIL: {kinds} kinds of errors, {len(table)} on the page")
    return faults, f"{kinds} kinds of errors"


HEAD = re.compile(r"^(?:(.+?):(\d+):(\d+): |kilnc: )?(error|warning|note): (.*)$")


def text_form(stderr):
    """The lines with places, as tuples like those of json_form()."""
    for line in stderr.split("\n"):
        if match := HEAD.match(line):
            file, row, column, severity, message = match.groups()
            code = re.search(r" \[([\w-]+)\] \[(K\d{4})\]$", message)
            yield (file, int(row) if row else None, int(column) if column else None, severity,
                   code and code[2], code and code[1], message[:code.start()] if code else message)


def json_form(stderr):
    for line in stderr.splitlines():
        it = json.loads(line)
        assert list(it) == ["file", "line", "column", "end", "severity", "code", "name", "message", "notes"], line
        if it["end"]:
            assert (it["end"]["line"], it["end"]["column"]) >= (it["line"], it["column"]), line
        yield tuple(it[key] for key in ("file", "line", "column", "severity", "code", "name", "message"))
        for note in it["notes"]:
            yield note["file"], note["line"], note["column"], "note", None, None, note["message"]


def forms(*command):
    text, objects = run(*command), run(*command, "--diagnostics=json")
    # A message of several lines begins on the line with the place.
    want = list(text_form(text.stderr))
    got = [each[:-1] + (each[-1].split("\n")[0],) for each in json_form(objects.stderr)]
    faults = [] if got == want and got else [f"FAIL: text:\n{want}\nJSON:\n{got}"]
    if text.returncode != objects.returncode or text.stdout != objects.stdout:
        faults.append("FAIL: exit status or output differ")
    return faults, f"{sum(each[3] != 'note' for each in got)} errors, {sum(each[3] == 'note' for each in got)} notes"


WRONG = re.compile(r"^# RUN: not kilnc (%s|%S/Inputs/[\w-]+\.kiln) ([^|>]*)2>&1 \| FileCheck", re.M)
TYPE = r"\b(?:f64|f32|f16|bf16|f8e4m3|f8e5m2|i64|i32|i16|i8|u8|bool)\b(?:\[[^\]]*\])?"
VARIES = re.compile(r"'[^']*'|" + TYPE + r"|\[[^\]]*\]|\([^)]*\)|-?\d+(?:\.\d+)?")
LEAST, LEAST_NOTES = 150, 0.6


def counted(source):
    kinds, faults = {}, []
    for path in glob.glob(os.path.join(source, "test", "*", "*.kiln")):
        with open(path, encoding="utf-8") as file:
            runs = WRONG.findall(file.read())
        for model, options in runs:
            model = model.replace("%S", os.path.dirname(path)).replace("%s", path)
            for line in run("kilnc", model, *shlex.split(options.replace("%t", "wrong")), "--diagnostics=json").stderr.splitlines():
                error = json.loads(line)
                if error["severity"] != "error":
                    continue
                if not error["line"]:
                    faults.append(f"FAIL: {path}: no place: {error['message']}")
                kind = VARIES.sub("?", error["message"])
                kinds[kind] = kinds.get(kind, False) or bool(error["notes"])
    noted = sum(kinds.values())
    if len(kinds) < LEAST or noted < LEAST_NOTES * len(kinds):
        faults.append(f"FAIL: {len(kinds)} errors, {noted} with notes: " + "; ".join(k for k in kinds if not kinds[k]))
    return faults, f"{len(kinds)} errors with places, {noted} with notes"


def main(what, *arguments):
    faults, counts = {"examples": examples, "forms": forms, "counted": counted}[what](*arguments)
    print("\n".join(faults or ["ok: " + counts]))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
