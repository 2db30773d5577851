#!/usr/bin/env python3
"""Checks models of the zoo that generate, against what PyTorch gave (Inputs/generators.npz, by make_generators.py).

  check_generators.py generators.npz ZOO FOLDER [--weight-of CASE NAME] CASE [KILNC OPTION...]
  check_generators.py --resume LIB.so STATE COUNT      # in a process of its own

On one thread and on two: the logits of a whole sequence and of single steps, generation in one call and by steps, two
conversations at once, one that goes on in another process, chance by its definition, and 1,000 steps that allocate nothing.
Prints the largest error as a part of PyTorch's largest result; exit 1 above 2e-5 or where tokens differ.
"""
import ctypes
import json
import os
import subprocess
import sys

import numpy as np

from compare_torch import LIMIT, argument, weight

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "tools", "dev"), os.path.join(HERE, "..", "truth")]
from kiln_library import Allocate, Deallocate, Instance  # noqa: E402

MAXIMA = {"N": 2, "T": 32}


def error(got, want):
    return np.abs(got.astype(np.float64) - want).max() / np.abs(want).max() if got.shape == want.shape else np.inf


def expect(what, got, want):
    if not np.array_equal(got, want):
        raise SystemExit(f"FAIL: {what}: expected {want}, got {got}")


def follow(model, logits, count, end=60):
    """The most probable tokens, by single steps."""
    tokens = []
    while len(tokens) < count and end not in tokens:
        tokens.append(int(np.argmax(logits)))
        logits = model.call("step", tokens[-1])
    return tokens


def generated(model, prompt, count):
    tokens, length = model.call("generate", prompt, count)
    expect("what is behind the last token", tokens[length:].any(), False)
    return list(tokens[:length])


def draw(model, prompt, count, temperature, top_p, seed, top_k=8, end=60):
    """What `sample` is to give, by single steps in f64."""
    from numbers_of_seeds import units
    u, logits, tokens = units([count], seed)[0], model.call("prefill", prompt), []
    while len(tokens) < count and end not in tokens:
        best = np.argsort(-logits, kind="stable")[:top_k]
        p = np.exp((logits[best] - logits.max()) / np.float64(temperature))
        p /= p.sum()
        p[np.cumsum(p) - p >= top_p] = 0
        tokens.append(int(best[np.searchsorted(np.cumsum(p), u[len(tokens)] * p.sum(), "right")]))
        logits = model.call("step", tokens[-1])
    return tokens


def decode(path, folder, threads, truth):
    errors = []
    new = lambda: Instance(path, threads, maxima=MAXIMA)
    model, other = new(), new()
    for i, length in enumerate([1, 5, 11]):
        ids, want = truth[f"ids.{i}"], truth[f"logits.{i}"]
        prompt, rest = ids[:length], list(ids[length:])
        rest = rest[:rest.index(60) + 1] if 60 in rest else rest
        errors.append(error(model.call("logits", np.stack([ids, ids]))[1], want))
        # The logits of each prefix, the prompt in one piece and in two, beside another conversation.
        model.reset()
        errors.append(error(model.call("prefill", prompt), want[length - 1]))
        for at in range(length, len(ids)):
            other.call("step", at)
            errors.append(error(model.call("step", ids[at]), want[at]))
        model.reset()
        for part in np.split(prompt, [length // 2]) if length > 1 else [prompt]:
            logits = model.call("prefill", part)
        errors.append(error(logits, want[length - 1]))
        expect("tokens by steps", follow(model, logits, 12), rest)
        other.reset()
        expect("tokens in one call", generated(other, prompt, 12), rest)
        other.reset()
        expect("tokens after reset", generated(other, prompt, 3), rest[:3])
        if len(rest) < 12:
            continue
        # The conversation goes on in this process, and in another.
        state = other.state()
        with open(f"{folder}/state", "wb") as file:
            file.write(state)
        expect("tokens that follow", generated(other, [1, 2], 7), resumed(path, f"{folder}/state", 7))
        other.set_state(state)
        expect("tokens after state_set", follow(other, other.call("prefill", [1, 2]), 7), resumed(path, f"{folder}/state", 7))
    for temperature, top_p, seed in [(1, 1, 3), (1.5, 0.7, 4), (0.3, 0.9, 2 ** 40 + 5), (5, 0.01, 6)]:
        model.reset(), other.reset()
        tokens, count = model.call("sample", prompt, 20, temperature, top_p, seed)
        expect(f"tokens by chance {seed}", list(tokens[:count]), draw(other, prompt, 20, temperature, top_p, seed))
    count_allocations(path, threads)
    full(new(), prompt)
    return errors


def resumed(path, state, count):
    got = subprocess.run([sys.executable, __file__, "--resume", path, state, str(count)], check=True, capture_output=True, text=True)
    return json.loads(got.stdout)


def count_allocations(path, threads):
    """1,000 steps call no allocator: not the one given, and the library has no other."""
    libc = ctypes.CDLL(None)
    libc.aligned_alloc.restype, libc.aligned_alloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t] * 2
    libc.free.argtypes = [ctypes.c_void_p]
    counts = [0]

    def allocate(context, size, alignment):
        counts[0] += 1
        return libc.aligned_alloc(alignment, -(-size // alignment) * alignment)

    model = Instance(path, threads, (Allocate(allocate), Deallocate(lambda context, data, size: libc.free(data))), MAXIMA)
    step, _ = model.bind("step", 5)
    step()
    before = list(counts)
    for _ in range(999):
        step()
    if not before[0] or counts != before:
        raise SystemExit(f"FAIL: {counts[0] - before[0]} allocations in 999 steps, {before[0]} before")
    model.close()


def full(model, prompt):
    """A conversation that has no more room says so, and may be reset."""
    want = generated(model, prompt, 5)
    try:
        for _ in range(1100 // 32):
            model.call("prefill", np.arange(32))
        model.call("prefill", np.arange(32))
    except RuntimeError as e:
        expect("status and state", str(e).split(":")[0], "status 6")
    else:
        raise SystemExit("FAIL: no error where the conversation is full")
    model.reset()
    expect("tokens after an error", generated(model, prompt, 5), want)


def translate(path, folder, threads, truth):
    model, other = [Instance(path, threads) for _ in range(2)]
    errors = []
    for _ in range(2):  # a new text takes the place of the old one
        errors.append(error(model.call("encode", truth["text"]), truth["encode"]))
        other.call("encode", truth["ids"])
        for token, want in zip(truth["ids"], truth["logits"]):
            errors.append(error(model.call("step", token), want))
    answer = list(truth["answer"])
    answer = answer[:answer.index(1) + 1] if 1 in answer else answer
    for _ in range(2):
        expect("tokens of the answer", generated(other, truth["text"], 12), answer)
    return errors


def hear(path, folder, threads, truth):
    new = lambda: Instance(path, threads, maxima=MAXIMA)
    model, other, ids = new(), new(), truth["ids"]
    errors = []
    for length in (1, 2, 30):  # new sound takes the place of the old one
        errors.append(error(model.call("encode", truth["mel"]), truth["encode"]))
        errors.append(error(model.call("prefill", ids[:length]), truth["logits"][length - 1]))
        other.call("encode", truth["mel"] * 0 + length)
        for token, want in zip(ids[length:], truth["logits"][length:]):
            errors.append(error(model.call("step", token), want))
    answer = list(truth["answer"])
    answer = answer[:answer.index(60) + 1] if 60 in answer else answer
    for _ in range(2):
        expect("tokens of the transcript", generated(other, truth["mel"], 12), answer)
    model.call("encode", truth["mel"])
    expect("tokens by steps", follow(model, model.call("prefill", [3, 7]), 12), answer)
    return errors


def diffuse(path, folder, threads, truth):
    model, noise = Instance(path, threads), argument("noise", "image", [2, 3, 8, 8])
    return [error(model.call("predict", noise, 5), truth["predict"]), error(model.call("sample", noise, 7), truth["sample"])]


def imagine(path, folder, threads, truth):
    return [error(Instance(path, threads).call("sample", truth["shown"], 20, 5), truth["sample"])]


def main(file, zoo, folder, *words):
    changed = words[1:3] if words[0] == "--weight-of" else None
    case, *options = words[3:] if changed else words
    results = np.load(file)
    about = json.loads(bytes(results["cases"]))[case]
    truth = {key[len(case) + 1:]: results[key] for key in results if key.startswith(case + ".")}
    weights = {name: weight(name, shape) for name, shape in about["weights"].items()}
    if changed:
        weights[changed[1]] = weights[changed[1]] * np.float32(1.25)
    os.makedirs(folder, exist_ok=True)
    np.savez(f"{folder}/weights.npz", **weights)
    path = f"{folder}/lib{case}{len(os.listdir(folder))}.so"
    command = ["kilnc", f"{zoo}/{case}.kiln", "--weights", f"{folder}/weights.npz", "-o", path, *options]
    for name, value in about["set"].items():
        command += ["--set", f"{name}={value}"]
    subprocess.run(command, check=True)
    check = {"ddpm": diffuse, "dbn": imagine, "t5": translate, "whisper": hear}.get(case, decode)
    worst = np.max([check(path, folder, threads, truth) for threads in (1, 2)])
    print(f"{'ok' if worst <= LIMIT else 'FAIL'}: {' '.join([case, *options])}: {worst:.1e}", flush=True)
    return not worst <= LIMIT


if __name__ == "__main__":
    if sys.argv[1] == "--resume":
        model = Instance(sys.argv[2], 1, maxima=MAXIMA)
        with open(sys.argv[3], "rb") as file:
            model.set_state(file.read())
        print(json.dumps([int(token) for token in generated(model, [1, 2], int(sys.argv[4]))]))
    else:
        sys.exit(main(*sys.argv[1:]))
