#!/usr/bin/env python3
"""Trains the perceptron of frontend/zoo/mlp_digits.kiln on scikit-learn's 8 x 8 digits.

  tools/dev/venv tests tools/dev/train_digits.py [FOLDER]

Writes to FOLDER (the asset cache if not given) mlp_digits.npz, weights named and oriented [out, in]
as PyTorch does, and the held-back fifth: mlp_digits_images.npy f32 [N, 64] in 0..1,
mlp_digits_labels.npy i64 [N]. Does nothing if they are there. Prints the held-back accuracy.
"""
import os
import sys

from assets import ASSETS, assetPath, saveArrays, upToDate

NAMES = ["mlp_digits.npz", "mlp_digits_images.npy", "mlp_digits_labels.npy"]


def main(folder):
    if upToDate(folder, NAMES):
        return 0
    import numpy as np
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    rows = np.loadtxt(assetPath("digits.csv.gz"), delimiter=",")
    images, labels = (rows[:, :-1] / 16).astype(np.float32), rows[:, -1].astype(np.int64)
    trainX, testX, trainY, testY = train_test_split(
        images, labels, test_size=0.2, random_state=0, stratify=labels)
    network = MLPClassifier((128,), activation="relu", max_iter=300, random_state=0)
    network.fit(trainX, trainY)
    accuracy = network.score(testX, testY)
    print(f"train_digits: {accuracy:.4f} of {len(testY)} held-back images are right")
    if accuracy < 0.96:
        print("train_digits: error: expected at least 0.96", file=sys.stderr)
        return 1
    weights = {}
    for index, (matrix, bias) in enumerate(zip(network.coefs_, network.intercepts_), 1):
        weights[f"fc{index}.weight"] = np.ascontiguousarray(matrix.T, dtype=np.float32)
        weights[f"fc{index}.bias"] = bias.astype(np.float32)
    saveArrays(folder, NAMES, [weights, testX, testY])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ASSETS))
