#!/usr/bin/env python3
"""Checks the table of the language's rules against the reference and the tests.

A row of test/rules.tsv: rule, section of the reference in frontend/README.md (a paragraph of
'Meaning' or a rule of 'Grammar'), test file, a string that the file holds. Exit 1 with a line for
each fault.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = "test/rules.tsv"
REFERENCE = "frontend/README.md"


def sections(text):
    """The paragraphs of the chapter on meaning, by their bold heads, and the rules of the grammar."""
    chapters = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", text, re.M))
    meaning = re.findall(r"^- \*\*(.+?)\.?\*\*", chapters["Meaning"], re.M)
    grammar = re.findall(r"^(\w+) +=", chapters["Grammar"], re.M)
    return meaning + grammar


def faults(known, rows):
    seen, files = set(), {}
    for number, row in enumerate(rows, 1):
        cells = row.split("\t")
        if len(cells) != 4 or not all(cells):
            yield number, f"expected 4 cells, got {len(cells)}"
            continue
        rule, section, path, string = cells
        if section not in known:
            yield number, f"the reference has no section '{section}'"
        for key in (rule, (path, string)):
            if key in seen:
                yield number, f"'{key}' stands twice"
            seen.add(key)
        if path not in files:
            try:
                with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                    files[path] = file.read()
            except OSError as error:
                files[path] = ""
                yield number, f"'{path}': {error.strerror}"
        if string not in files[path]:
            yield number, f"'{path}' does not hold '{string}'"


def main():
    with open(os.path.join(ROOT, REFERENCE), encoding="utf-8") as file:
        known = sections(file.read())
    with open(os.path.join(ROOT, TABLE), encoding="utf-8") as file:
        rows = file.read().splitlines()
    found = [f"{TABLE}:{number}: {text}" for number, text in faults(known, rows)]
    covered = {row.split("\t")[1] for row in rows if row.count("\t") == 3}
    found += [f"{REFERENCE}: no rule of the section '{each}' is in {TABLE}"
              for each in known if each not in covered]
    for each in found:
        print(f"check_rules: error: {each}")
    print(f"check_rules: {len(found)} faults" if found else f"check_rules: fine, {len(rows)} rules")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
