"""What values decide the extent of."""
import numpy as np

from definitions import op
from values import make


@op()
def nonzero(x):
    return make("i64", np.argwhere(x.array != 0))


@op()
def unique(x, return_inverse=False, return_counts=False):
    """PyTorch's: no NaN equals another; of equal ones (the zeros) the first stands."""
    flat = x.array.reshape(-1)
    order = np.argsort(flat, kind="stable")
    begins = np.append(np.ones(min(flat.size, 1), bool), flat[order][1:] != flat[order][:-1])
    results = [make(x.dtype, flat[order][begins])]
    if return_inverse:
        inverse = np.empty(flat.size, np.int64)
        inverse[order] = np.cumsum(begins) - 1
        results.append(make("i64", inverse.reshape(x.array.shape)))
    if return_counts:
        results.append(make("i64", np.diff(np.append(np.flatnonzero(begins), flat.size))))
    return results if len(results) > 1 else results[0]


@op()
def nms(boxes, scores, iou_threshold):
    """torchvision's, box by box, in the type of the boxes."""
    kind = np.float32 if boxes.dtype == "f32" else np.float64
    box, limit = boxes.array.astype(kind), kind(iou_threshold)
    unknown = np.isnan(scores.array)
    order = list(np.lexsort((np.where(unknown, 0, -scores.array), ~unknown)))
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
    return make("i64", np.array(kept, np.int64))
