#!/usr/bin/env python3
"""Holds the page of all errors to what kilnc does, and both forms of errors to each other.

  diagnostics.py examples SOURCE-FOLDER   every wrong model of `kilnc --explain all` has errors of its number and
                                          of no other, every right one compiles
  diagnostics.py forms COMMAND...         the command's errors are the same as text and as JSON

Exit 1 with lines FAIL otherwise. Works in the current folder.
"""
import json
import os
import re
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


def main(what, *arguments):
    faults, counted = {"examples": examples, "forms": forms}[what](*arguments)
    print("\n".join(faults or ["ok: " + counted]))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
