"""What values decide the extent of: results have room for all, zeros behind those that count, and
the number of these comes last."""
import numpy as np

from definitions import op
from values import make


def padded(found, shape):
    room = np.zeros(shape, found.dtype)
    room[: len(found)] = found
    return room


@op()
def nonzero(x):
    rows = np.argwhere(x.array != 0)
    return [make("i64", padded(rows, (x.array.size, x.array.ndim))), make("i64", np.array(len(rows)))]


@op()
def unique(x, return_inverse=False, return_counts=False):
    """PyTorch's: no NaN equals another."""
    values, inverse, counts = np.unique(x.array.reshape(-1), return_inverse=True, return_counts=True, equal_nan=False)
    none = np.zeros(0, np.int64)
    return [make(x.dtype, padded(values, x.array.size)),
            make("i64", inverse.reshape(x.array.shape) if return_inverse else none),
            make("i64", padded(counts, x.array.size) if return_counts else none),
            make("i64", np.array(len(values)))]


@op()
def nms(boxes, scores, iou_threshold):
    """torchvision's, box by box."""
    kind = np.float32 if boxes.dtype == "f32" else np.float64
    box, limit = boxes.array.astype(kind), kind(iou_threshold)
    order = list(np.argsort(np.where(np.isnan(scores.array), -np.inf, -scores.array), kind="stable"))
    kept = []

    def area(b):
        return (b[2] - b[0]) * (b[3] - b[1])

    def share(a, b):
        inner = max(min(a[2], b[2]) - max(a[0], b[0]), kind(0)) * max(min(a[3], b[3]) - max(a[1], b[1]), kind(0))
        return inner / (area(a) + area(b) - inner)

    with np.errstate(all="ignore"):
        while order:
            best = order.pop(0)
            kept.append(best)
            order = [i for i in order
                     if np.isnan(box[[best, i]]).any() or not share(box[best], box[i]) > limit]
    return [make("i64", padded(np.array(kept, np.int64), len(box))), make("i64", np.array(len(kept)))]
