# The entry points of programs.kiln beside loops in NumPy: programs.py LIB.so FOLDER
import subprocess
import sys

import numpy as np

library, folder = sys.argv[1:]
chance = np.random.default_rng(7)


def floats(*shape):
    return chance.standard_normal(shape).astype("f4")


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def compare(entry, inputs, expected):
    call = ["kiln-run", library, entry]
    for name, value in inputs.items():
        np.save(f"{folder}/{name}.npy", value)
        call += ["--input", f"{name}={folder}/{name}.npy"]
    for name in expected:
        call += ["--output", f"{name}={folder}/result_{name}.npy"]
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL)
    for name, want in expected.items():
        np.testing.assert_allclose(np.load(f"{folder}/result_{name}.npy"), want, rtol=1e-4, atol=1e-5, err_msg=f"{entry}: {name}")


def path(lengths, tags=5):
    emissions, turns = floats(max(lengths), len(lengths), tags), floats(tags, tags)
    mask = np.arange(max(lengths))[:, None] < np.array(lengths)
    scores, paths = [], np.zeros(mask.shape, "i8")
    for b, length in enumerate(lengths):
        score, back = emissions[0, b], []
        for e in emissions[1:length, b]:
            through = score[:, None] + turns + e
            back.append(through.argmax(0))
            score = through.max(0)
        tag = score.argmax()
        paths[length - 1 :, b] = tag
        for i in reversed(range(length - 1)):
            tag = back[i][tag]
            paths[i, b] = tag
        scores.append(score.max())
    compare("path", {"emissions": emissions, "turns": turns, "mask": mask}, {"score": np.array(scores), "tag": paths})


def kalman(steps):
    z, move, see = floats(steps, 2), floats(3, 3) * 0.5, floats(2, 3)
    x, p, found = np.zeros(3), np.eye(3), []
    for seen in z:
        x, p = move @ x, move @ p @ move.T + 0.1 * np.eye(3)
        gain = p @ see.T @ np.linalg.inv(see @ p @ see.T + 0.5 * np.eye(2))
        x, p = x + gain @ (seen - see @ x), (np.eye(3) - gain @ see) @ p
        found.append(x)
    compare("filter", {"z": z, "move": move, "see": see}, {"x": np.array(found), "p": p})


def distance(n, m):
    a, b = chance.integers(0, 3, n), chance.integers(0, 3, m)
    row = list(range(m + 1))
    for i, x in enumerate(a):
        new = [i + 1]
        for j, y in enumerate(b):
            new.append(min(row[j + 1] + 1, new[j] + 1, row[j] + int(x != y)))
        row = new
    compare("distance", {"a": a, "b": b}, {"d": np.array(row[-1])})


def accepted(k, vocab=6):
    draft, q, p = chance.integers(0, vocab, k), floats(k, vocab), floats(k + 1, vocab)
    u = chance.random(k + 1).astype("f4")
    likely, wanted, n = softmax(q), softmax(p), 0
    while n < k and u[n] < wanted[n, draft[n]] / likely[n, draft[n]]:
        n += 1
    row = np.maximum(wanted[n] - likely[n], 0) if n < k else wanted[n]
    tokens = np.full(k + 1, -1)
    tokens[:n] = draft[:n]
    tokens[n] = min((np.cumsum(row / row.sum()) < u[n]).sum(), vocab - 1)
    compare("accepted", {"draft": draft, "q": q, "p": p, "u": u}, {"tokens": tokens, "n": np.array(n)})


def kept(batch, share, vocab=6):
    logits = floats(batch, vocab)
    expected = np.zeros((batch, vocab), bool)
    for row, x in zip(expected, softmax(logits)):
        total = 0
        for i in np.argsort(-x, kind="stable"):
            if total > share:
                break
            row[i] = True
            total += x[i]
    compare("kept", {"logits": logits, "p": np.float32(share)}, {"kept": expected})


path([6, 2, 4])
path([1])
kalman(5)
distance(8, 6)
distance(0, 4)
distance(5, 1)
for k in (1, 4, 4, 4, 7):
    accepted(k)
kept(4, 0.7)
kept(2, 0.1)
