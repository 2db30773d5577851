#!/usr/bin/env python3
"""Fails where something that a user or an engineer can name has no words or no test.

  tools/dev/check_coverage.py [FILE]

FILE is what a whole run of `conformance --coverage FILE` wrote. By it every op must have passed on
every element type that it accepts, with both generators. Words in comments count for nothing:
- a constraint tag of the ops ('matmul-c1') must stand at a check in ir/, and in a test right above a
  line that expects the text of that check;
- a diagnostic of frontend/*.def in a line that expects it, or in the code of a unit test;
- an option of passes/Options.h or of a program in a RUN line;
- a pass in a RUN line, or in the code of a unit test.
"""
import re
import sys

from sources import report, sources, text

DEFINITION = re.compile(r"^def(?:m)? (\w+) *:\s*\w+<\s*\"([\w.-]+)\"", re.M)
DIAGNOSTIC = re.compile(r"^KILN_DIAGNOSTIC\(\s*(\w+),\s*\d+,\s*\"([\w-]+)\",\s*\"(.*)\",$", re.M)
PROGRAM_FLAG = re.compile(r"cl::(?:opt|list)<[^;{(]*?> *\w* *\s*\w+[({]\s*\"([\w-]+)\"")
TAG = re.compile(r"\b[a-z]\w*-c\d+\b")
FLAG = re.compile(r"(?<!\w)-{1,2}[A-Za-z][\w-]*")
OPTION_FIELD = re.compile(r"^  (?:[\w:<>, ]+?)[ &*](\w+)(?: = [^;]*|\{[^;]*\})?;", re.M)


LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
# How MLIR refuses what breaks a trait or the type of an operand.
BY_TRAITS = ["op failed to verify that all of", "must have the same shape and base type",
             "must be tensor of", "must be ranked tensor of"]
MACRO = re.compile(r"^#define (KILN_\w+)\(.*(?:\\\n.*)*", re.M)
FUNCTION = re.compile(r"^(?!static [\w:<>]+ \w+\[)[\w:<> *&]*?\b((?:\w+::)*\w+)\([^;{}]*\) (?:const )?\{\n(.*?)^\}",
                      re.M | re.S)


class Tests:
    """What the tests do: RUN lines, lines that expect a text, the code of C++ tests."""

    def __init__(self):
        self.expected, self.runs, self.code = [], [], []
        self.tagged = {}  # tag -> the expectations right below a line that names it
        for path in [p for p in sources() if p.startswith("test/")]:
            if path.endswith((".cpp", ".h")):
                self.code.append(re.sub(r"//.*", "", text(path)))
            elif path.endswith((".kiln", ".mlir", ".test", ".c", ".sh")):
                self.readLines(text(path).split("\n"), path.endswith(".sh"))
        self.words = set(re.findall(r"[A-Za-z_][\w-]*", "\n".join(self.code)))
        self.codeText = "\n".join(self.code)

    def readLines(self, lines, isScript):
        tags = set()
        for line in lines:
            if isScript or re.search(r"\bRUN:", line):
                self.runs.append(line)
            elif re.search(r"\bexpected-error|\b[A-Z][A-Z0-9-]*(?:-NEXT|-DAG|-SAME)?: .*\S", line):
                self.expected.append(line)
                for tag in tags:
                    self.tagged.setdefault(tag, []).append(line)
            else:
                tags = set(TAG.findall(line))

    def passes(self, flag):
        """Whether a RUN line passes the flag."""
        pattern = re.compile(r"(?<![\w-])-?" + re.escape(flag) + r"(?![\w-])")
        return any(pattern.search(line) for line in self.runs)

    def expects(self, words):
        return any(words in line for line in self.expected)


class Checks:
    """The texts with which ir/ refuses, by the tag that stands beside the check."""

    def __init__(self):
        self.lines, self.bodies = [], {}
        for path in sources(".cpp", ".h"):
            if path.startswith("ir/"):
                content = text(path)
                for name, body in FUNCTION.findall(content):
                    self.bodies.setdefault(name.split("::")[-1], []).append(body)
                for macro in MACRO.finditer(content):
                    self.bodies.setdefault(macro.group(1), []).append(macro.group(0))
                self.lines += content.split("\n") + [""] * 8

    def literals(self, code, depth=0):
        """The texts of a piece of code and of the functions that it calls, of two words or more
        and ten letters."""
        for literal in LITERAL.findall(code):
            words = literal.replace('\\"', '"').strip(" '")
            if " " in words and len(words) > 10:
                yield words
        if depth < 2:
            for name in set(re.findall(r"\b(\w+)\(", code)):
                for body in self.bodies.get(name, ()):
                    yield from self.literals(body, depth + 1)

    def texts(self, tag):
        """Where MLIR checks by an op's traits, its words will do. None where the tag stands at no check."""
        found = None
        for number, line in enumerate(self.lines):
            if tag in TAG.findall(line):
                begin = number
                while begin and not re.match(r".*[;{}]( *//.*)?$|\s*$", self.lines[begin - 1]):
                    begin -= 1
                found = (found or set(BY_TRAITS)) | set(
                    self.literals("\n".join(self.lines[begin:number + 8])))
        return found



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
    for path in [p for p in sources(".td") if p.startswith("ir/ops/")]:
        for name, body in definitions(path):
            if undocumented(body):
                yield f"{path}: op '{name}' has no summary"
        for tag in sorted(set(TAG.findall(text(path)))):
            texts = checks.texts(tag)
            if texts is None:
                yield f"{path}: constraint '{tag}' stands at no check"
            elif not any(words in line for line in tests.tagged.get(tag, ()) for words in texts):
                yield f"{path}: constraint '{tag}': no test makes it fail and expects its text"


def primitives(path):
    """Each op on each type that the front end accepts must have passed with each generator, by the
    lines that `conformance --coverage` writes: 'generator G', 'op O', 'legal O TYPE', 'passed O TYPE
    G LEVEL'."""
    with open(path) as file:
        lines = [line.split() for line in file]
    generators = [line[1] for line in lines if line[0] == "generator"]
    legal = {tuple(line[1:3]) for line in lines if line[0] == "legal"}
    passed = {tuple(line[1:4]) for line in lines if line[0] == "passed"}
    if not generators or not legal:
        yield f"{path}: conformance wrote no line"
    for op in [line[1] for line in lines if line[0] == "op"]:
        if not any(name == op for name, _ in legal):
            yield f"op '{op}': conformance has no legal case"
    for op, dtype in sorted(legal):
        for generator in generators:
            if (op, dtype, generator) not in passed:
                yield f"op '{op}' on {dtype}: no case passed by {generator}"


def passes(tests):
    for path in [p for p in sources(".td") if p.startswith("passes/")]:
        for name, body in definitions(path):
            for part in ("let summary", "let description"):
                if part not in body:
                    yield f"{path}: pass '{name}' has no '{part}'"
            if not tests.passes("-" + name) and not any(name in run for run in tests.runs) and \
                    name not in tests.words:
                yield f"{path}: no test runs the pass '{name}'"


def diagnostics(tests):
    for path in [p for p in sources(".def") if p.startswith("frontend/")]:
        for code, name, words in DIAGNOSTIC.findall(text(path)):
            if not words:
                yield f"{path}: diagnostic '{name}' has no words"
            if not tests.expects(f"[{name}]") and not tests.words & {name, code}:
                yield f"{path}: no test expects the diagnostic '{name}'"


def options(tests):
    """Fields of the passes' options, by the flags in their comments; flags of the programs."""
    path = "passes/Options.h"
    for match in OPTION_FIELD.finditer(text(path)):
        line = text(path)[match.start():].split("\n", 1)[0]
        comment = line.partition("//")[2]
        if not comment:
            yield f"{path}: option '{match.group(1)}' has no words"
        flags = FLAG.findall(comment)
        # A field without a flag is set by programs; a test that links them names it.
        if not all(map(tests.passes, flags)) or (not flags and match.group(1) not in tests.words):
            yield f"{path}: no test passes the option '{match.group(1)}'"
    for path in [p for p in sources(".cpp") if re.fullmatch(r"tools/kiln[\w-]*/\w+\.cpp", p)]:
        for flag in PROGRAM_FLAG.findall(text(path)):
            short = len(flag) == 1
            if not (any(re.search(rf" -{flag}", run) for run in tests.runs) if short
                    else tests.passes("-" + flag)):
                yield f"{path}: no test passes the option '{flag}'"


def main():
    tests, checks = Tests(), Checks()
    faults = [*opsAndTags(tests, checks), *passes(tests), *diagnostics(tests), *options(tests)]
    if len(sys.argv) > 1:
        faults += primitives(sys.argv[1])
    else:
        print("check_coverage: without the file of 'conformance --coverage', ops are not looked at")
    return report("check_coverage", faults)


if __name__ == "__main__":
    sys.exit(main())
