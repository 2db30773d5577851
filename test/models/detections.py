"""Whether `find` of a detector gives what follows from the boxes and probabilities that `detect` gives.

  detections.py FOLDER   with all.npy, probability.npy; boxes.npy, scores.npy, labels.npy

From torchvision's description of its postprocessing, class by class."""
import sys

import numpy as np


def share(a, b):
    low, high = np.maximum(a[:2], b[:, :2]), np.minimum(a[2:], b[:, 2:])
    inner = np.prod(np.maximum(high - low, 0), axis=1)
    area = lambda box: (box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1])
    return inner / (area(a) + area(b) - inner)


def detections(boxes, probability):
    found = []
    for label in range(1, probability.shape[1]):
        order = np.argsort(-probability[:, label], kind="stable")[:400]
        order = order[probability[order, label] > 0.01]
        while len(order):
            best, order = order[0], order[1:]
            found.append((probability[best, label], label, best))
            order = order[~(share(boxes[best], boxes[order]) > 0.45)]
    return sorted(found, key=lambda each: -each[0])[:200]


def main():
    read = lambda name: np.load(f"{sys.argv[1]}/{name}.npy")
    boxes, probability = read("all")[0].astype(np.float64), read("probability")[0]
    want = detections(boxes, probability)
    scores, labels = read("scores"), read("labels")
    order = np.lexsort((labels, -scores))  # equal scores in any order
    want.sort(key=lambda each: (-each[0], each[1]))
    same = len(want) == len(scores) and all(
        score == scores[i] and label == labels[i] and np.allclose(boxes[best], read("boxes")[i], atol=1e-3)
        for (score, label, best), i in zip(want, order))
    print(f"{len(want)} detections of {len(set(labels.tolist()))} classes, {'the same' if same else 'others'}")


if __name__ == "__main__":
    main()
