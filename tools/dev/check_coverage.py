#!/usr/bin/env python3
"""Fails where something that a user or an engineer can name has no words or no test.

Looked at: constraint tags of the ops' descriptions ('matmul-c1': the check in a .cpp and a test),
ops (summary, description, a test), passes (summary, description, a test), diagnostics of
frontend/*.def and options of passes/Options.h (words, a test). A test names a thing if the name
stands in a file under test/, as itself.
"""
import re
import sys

from sources import report, sources, text

DEFINITION = re.compile(r"^def(?:m)? (\w+) *:\s*\w+<\s*\"([\w.-]+)\"", re.M)
DIAGNOSTIC = re.compile(r"^KILN_DIAGNOSTIC\(\s*(\w+),\s*\"([\w-]+)\",\s*\"(.*)\"\s*\)", re.M)
OPTION_MACRO = re.compile(r"^KILN_OPTION\(\s*\w[^,]*,\s*(\w+)", re.M)
OPTION_FIELD = re.compile(r"^  (?:[\w:<>, ]+?)[ &*](\w+)(?: = [^;]*|\{[^;]*\})?;", re.M)


class Names:
    """All words of a set of files, by the way names are made: letters, digits, _ - and dots."""

    def __init__(self, paths):
        self.words = set()
        for path in paths:
            for word in re.findall(r"[A-Za-z_][\w.-]*", text(path)):
                word = word.rstrip(".-")
                self.words.add(word)
                self.words.update(re.split(r"\.", word))
                self.words.add(word.split("=")[0].lstrip("-"))

    def has(self, *names):
        return any(name in self.words for name in names)


def kebab(name):
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "-" + m.group(1).lower(), name)


def definitions(path):
    """(name, body) of each definition of a .td file; the body ends where the next one begins."""
    content = text(path)
    matches = list(DEFINITION.finditer(content))
    for match, following in zip(matches, matches[1:] + [None]):
        end = following.start() if following else len(content)
        yield match.group(2), content[match.start():end]


def undocumented(body):
    """A definition has a summary (let, or a text among its parameters that has spaces)."""
    return "let summary" not in body and not re.search(r"\"[^\"]+ [^\"]+\"", body)


def opsAndTags(tests, checks):
    for path in sources(".td"):
        if not path.startswith("ir/ops/"):
            continue
        for name, body in definitions(path):
            if undocumented(body):
                yield f"{path}: op '{name}' has no summary"
            if not tests.has(name, "kiln." + name):
                yield f"{path}: op '{name}' stands in no test"
        for tag in sorted(set(re.findall(r"\b[a-z][\w]*-c\d+\b", text(path)))):
            if not checks.has(tag):
                yield f"{path}: constraint '{tag}' stands at no check"
            if not tests.has(tag):
                yield f"{path}: constraint '{tag}' stands in no test"


def passes(tests):
    for path in [p for p in sources(".td") if p.startswith("passes/")]:
        for name, body in definitions(path):
            for part in ("let summary", "let description"):
                if part not in body:
                    yield f"{path}: pass '{name}' has no '{part}'"
            if not tests.has(name):
                yield f"{path}: pass '{name}' stands in no test"


def diagnostics(tests):
    for path in [p for p in sources(".def") if p.startswith("frontend/")]:
        for code, name, words in DIAGNOSTIC.findall(text(path)):
            if not words:
                yield f"{path}: diagnostic '{name}' has no words"
            if not tests.has(name, code):
                yield f"{path}: diagnostic '{name}' stands in no test"


def options(tests):
    path = "passes/Options.h"
    if path not in sources(".h"):
        return
    content = text(path)
    for match in list(OPTION_MACRO.finditer(content)) or list(OPTION_FIELD.finditer(content)):
        before = content[:match.start()].rstrip().rsplit("\n", 1)[-1]
        line = content[match.start():content.index("\n", match.start())]
        if "//" not in before and "//" not in line and '"' not in line:
            yield f"{path}: option '{match.group(1)}' has no words"
        if not tests.has(match.group(1), kebab(match.group(1))):
            yield f"{path}: option '{match.group(1)}' stands in no test"


def main():
    tests = Names([p for p in sources() if p.startswith("test/")])
    checks = Names([p for p in sources(".cpp", ".td") if p.startswith("ir/") and
                    p.endswith(".cpp")])
    faults = [*opsAndTags(tests, checks), *passes(tests), *diagnostics(tests), *options(tests)]
    return report("check_coverage", faults)


if __name__ == "__main__":
    sys.exit(main())
