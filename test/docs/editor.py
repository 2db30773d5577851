#!/usr/bin/env python3
"""Compares the editors' lists of words with the lexer's, and reads all models with the TextMate grammar.

  editor.py SOURCE-FOLDER [EXTRA-KEYWORD]

Exit 1 if a list lacks a keyword of Tokens.def or has another one, or a keyword of a model is not coloured as one.
"""
import glob
import json
import os
import re
import sys


def words(pattern):
    return set(re.findall(r"\w+", re.sub(r"\\.", " ", pattern)))


def compare(what, got, want):
    for word in sorted(got ^ want):
        print(f"FAIL: {what} {'has' if word in got else 'lacks'} '{word}'")
    return got == want


def kind_of(rules, line, at):
    """The rule that colours the word at this place, as an editor finds it: the first match, of the first rule."""
    place = 0
    while place <= at:
        found = [(m.start(), i, m, name) for i, (name, rule) in enumerate(rules) if (m := rule.search(line, place))]
        start, _, match, name = min(found, default=(at + 1, 0, None, ""))
        if start > at:
            return None
        if match.end() > at:
            return name
        place = max(match.end(), place + 1)
    return None


def main(source, *extra):
    path = lambda *parts: os.path.join(source, *parts)
    with open(path("frontend", "syntax", "Tokens.def")) as file:
        keywords = set(re.findall(r"^KEYWORD\((\w+)\)", file.read(), re.M)) | set(extra)
    with open(path("tools", "editor", "kiln.tmLanguage.json")) as file:
        grammar = json.load(file)
    for part in ("package.json", "language-configuration.json"):
        with open(path("tools", "editor", "vscode", part)) as file:
            json.load(file)
    with open(path("tools", "editor", "vim", "syntax", "kiln.vim")) as file:
        vim = dict(re.findall(r"^syntax keyword (\w+) (.*)$", file.read(), re.M))
    parts = grammar["repository"]
    types = words(parts["type"]["match"])
    good = compare("the grammar", set().union(*(words(p["match"]) for p in parts["keyword"]["patterns"])), keywords)
    good &= compare("Vim", set(" ".join(text for name, text in vim.items() if name != "kilnType").split()), keywords)
    good &= compare("Vim's types", set(vim["kilnType"].split()), types)
    rules = []
    for include in grammar["patterns"]:
        part = parts[include["include"][1:]]
        for rule in part.get("patterns", [part]) if "begin" not in part else [{"match": r'"(\\.|[^"\\])*("|$)'}]:
            rules.append((include["include"][1:], re.compile(rule["match"])))
    count = 0
    for model in sorted(glob.glob(path("frontend", "*", "*.kiln"))):
        with open(model) as file:
            for number, line in enumerate(file, 1):
                code = re.sub(r'"(\\.|[^"\\])*"', lambda m: " " * len(m[0]), line.rstrip("\n")).split("#")[0]
                for match in re.finditer(r"(?<![.\w])[a-z]+\b", code):
                    if match[0] not in keywords:
                        continue
                    count += 1
                    if kind_of(rules, line, match.start()) not in ("keyword", "declaration"):
                        print(f"FAIL: {os.path.basename(model)}:{number}: '{match[0]}' is not coloured as a keyword")
                        good = False
    print(f"{'ok' if good else 'FAIL'}: {len(keywords)} keywords, {count} places")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
