#!/usr/bin/env python3
"""Writes Inputs/functional.npz: calls of the module `functional` beside what PyTorch 2.15 and torchvision 0.29.2 give in f64.

  python3 test/truth/make_functional.py     # needs torch, torchvision and numpy; the tests need neither

compare_functional.py reads it: each call stands in a model with fixed extents, with extents that a call tells, and in f16.
Inputs are exact in f16. To add a case: a `case(...)`, and run this again.
"""
import json
import os

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.ops as ops

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Inputs")
INF, NAN = float("inf"), float("nan")
torch.manual_seed(1)
IN, CASES = {}, []


def random(*shape, steps=32):
    return torch.round(torch.randn(*shape, dtype=torch.float64) * steps) / steps


def rand(*shape, steps=64):
    """From [0, 1], ends left out."""
    return (torch.floor(torch.rand(*shape, dtype=torch.float64) * (steps - 1)) + 0.5) / steps


def tensor(name, dims, value):
    """dims: what a call tells has a letter, a number is fixed."""
    IN[name] = (dims.split(), value)
    return value


def case(name, call, *results, half=True, fixed=False, counted=False):
    """A call on operands, each $NAME. half: in f16 too; fixed: with fixed extents only; counted: the values decide how many
    elements the result has."""
    CASES.append({"name": name, "call": call, "half": half, "fixed": fixed, "counted": counted, "count": len(results),
                  "results": [r.detach() for r in results]})


def statistics():
    x = tensor("x", "N M", random(5, 7))
    cube = tensor("cube", "A B C", random(3, 4, 6))
    holed = tensor("holed", "N M", torch.where(torch.arange(35).reshape(5, 7) % 9 == 4, NAN, x))
    for end, words, more in [("", "", {}), ("_rows", ", 1", {"dim": 1}), ("_biased", ", axis = 0, correction = 0", {"dim": 0, "correction": 0}),
                             ("_kept", ", -1, keepdims = true", {"dim": -1, "keepdim": True})]:
        case("std" + end, f"F.std($x{words})", torch.std(x, **more))
        case("var" + end, f"F.var($x{words})", torch.var(x, **more))
    case("var_two", "F.var($cube, [0, 2])", torch.var(cube, (0, 2)))
    case("std_mean", "F.std_mean($cube, 1)", *torch.std_mean(cube, 1))
    case("var_mean", "F.var_mean($cube)", *torch.var_mean(cube))
    case("median", "F.median($x, 1)", torch.median(x, 1).values)
    case("median_even", "F.median($cube, -1, keepdims = true)", torch.median(cube, -1, keepdim=True).values)
    case("median_holed", "F.median($holed, 0)", torch.median(holed, 0).values)
    case("nanmedian", "F.nanmedian($holed, 1)", torch.nanmedian(holed, 1).values)
    case("nansum", "F.nansum($holed, 0)", torch.nansum(holed, 0))
    case("nansum_all", "F.nansum($holed)", torch.nansum(holed))
    case("nanmean", "F.nanmean($holed, -1, keepdims = true)", torch.nanmean(holed, -1, keepdim=True))
    case("kthvalue", "F.kthvalue($x, 2, 0)", *torch.kthvalue(x, 2, 0))
    case("kthvalue_kept", "F.kthvalue($x, 7, keepdims = true)", *torch.kthvalue(x, 7, keepdim=True))
    for n, dim in ((1, -1), (2, 0), (1, 1)):
        case(f"diff{n}_{dim % 3}", f"F.diff($cube, {n}, {dim})", torch.diff(cube, n, dim))
    ordered = tensor("ordered", "N M", torch.sort(x, 1).values)
    steps = tensor("steps", "S", torch.tensor([-0.5, 0.25, 0.25, 1.5]))
    for right in (False, True):
        end = f"_{right}".lower()
        case("searchsorted" + end, f"F.searchsorted($ordered, $x, {str(right).lower()})", torch.searchsorted(ordered, x, right=right))
        case("bucketize" + end, f"F.bucketize($cube, $steps, right = {str(right).lower()})",
             torch.bucketize(cube, steps.double(), right=right))
    for kind in ("linear", "lower", "higher", "midpoint", "nearest"):
        case("quantile_" + kind, f'F.quantile($cube, 0.3, 1, interpolation = "{kind}")',
             torch.quantile(cube, 0.3, 1, interpolation=kind))
    case("quantile_most", "F.quantile($cube, 0.9, keepdims = true)", torch.quantile(cube, 0.9, -1, keepdim=True))
    case("quantile_holed", "F.quantile($holed, 0.5, 1)", torch.quantile(holed, 0.5, 1))
    case("cov", "F.cov($x)", torch.cov(x))
    case("corrcoef", "F.corrcoef($x)", torch.corrcoef(x))
    case("cummax", "F.cummax($cube, 2)", *torch.cummax(cube, 2))
    case("cummax_holed", "F.cummax($holed, 0)", *torch.cummax(holed, 0))
    case("cummin", "F.cummin($cube, -2)", *torch.cummin(cube, -2))
    case("logcumsumexp", "F.logcumsumexp($cube, 1)", torch.logcumsumexp(cube, 1))
    case("count_nonzero", "F.count_nonzero(trunc($x), 0)", torch.count_nonzero(torch.trunc(x), 0))
    ids = tensor("ids", "K", torch.tensor([3, 0, 3, 1, 5, 3]))
    case("bincount", "F.bincount($ids, 7)", torch.bincount(ids, minlength=7), half=False)
    slices = tensor("slices", "K M", random(6, 7))
    for name in ("amax", "amin", "mean"):
        for self in (True, False):
            case(f"index_reduce_{name}{self:d}", f'F.index_reduce($holed, $ids % 5, $slices, "{name}", {str(self).lower()})',
                 torch.index_reduce(holed, 0, ids % 5, slices, name, include_self=self))
    marks = tensor("marks", "K M", torch.arange(42).reshape(6, 7) * 5 % 11)
    for name in ("amax", "amin", "mean", "sum", "prod"):
        for axis, self in ((0, True), (0, False), (-1, False)):
            case(f"scatter_reduce_{name}{axis % 2}{self:d}", f'F.scatter_reduce($holed, {axis}, $marks[:5] % 4, $slices[:5], "{name}", {str(self).lower()})',
                 torch.scatter_reduce(holed, axis, marks[:5] % 4, slices[:5], name, include_self=self))
    case("scatter_reduce_more", 'F.scatter_reduce($x, 0, $marks % 5, $slices, "prod")', torch.scatter_reduce(x, 0, marks % 5, slices, "prod"))


def norms():
    x, cube = IN["x"][1], IN["cube"][1]
    y = tensor("y", "N M", random(5, 7))
    for p in (0, 1, 2, 3, 2.5, INF, -INF):
        name = str(p).replace("-", "least_").replace(".", "_")
        case(f"norm_{name}", f"F.norm($x, {p}, 1)", torch.linalg.vector_norm(x, p, 1))
        if p != -INF:
            case(f"cdist_{name}", f"F.cdist($points, $others, {p})", torch.cdist(POINTS, OTHERS, p))
    case("norm", "F.norm($cube)", torch.norm(cube))
    case("norm_fro", 'F.norm($cube, 2, [1, 2], keepdims = true)', torch.norm(cube, "fro", (1, 2), True))
    case("vector_norm", "F.vector_norm($cube, 3, axis = [0, 2])", torch.linalg.vector_norm(cube, 3, (0, 2)))
    case("normalize", "F.normalize($cube)", F.normalize(cube))
    case("normalize_one", "F.normalize($x, 1, -1)", F.normalize(x, 1, -1))
    case("normalize_eps", "F.normalize($x * 0, eps = 0.5)", F.normalize(x * 0, eps=0.5))
    case("cosine", "F.cosine_similarity($x, $y)", F.cosine_similarity(x, y))
    case("cosine_0", "F.cosine_similarity($x * 0, $y, 0)", F.cosine_similarity(x * 0, y, 0))
    case("pairwise", "F.pairwise_distance($x, $y)", F.pairwise_distance(x, y))
    case("pairwise_1", "F.pairwise_distance($x, $y, 1, keepdims = true)", F.pairwise_distance(x, y, 1, keepdim=True))


POINTS = tensor("points", "B P K", random(2, 4, 3))
OTHERS = tensor("others", "B R K", random(2, 5, 3))


def elements():
    x, y = IN["x"][1], IN["y"][1]
    a = tensor("edges", "E", torch.tensor([0, 1, INF, -INF, NAN, INF, 30, -INF, -2], dtype=torch.float64))
    b = tensor("edges2", "E", torch.tensor([0, 0, INF, -INF, 1, -INF, -40, 3, NAN], dtype=torch.float64))
    u = tensor("u", "N M", rand(5, 7))
    for name, function in [("logaddexp", torch.logaddexp), ("logaddexp2", torch.logaddexp2), ("hypot", torch.hypot)]:
        case(name, f"F.{name}($x, $y)", function(x, y))
        case(name + "_edges", f"F.{name}($edges, $edges2)", function(a, b))
    case("xlogy", "F.xlogy($u, $u)", torch.xlogy(u, u))
    case("xlogy_edges", "F.xlogy($edges, $edges2)", torch.xlogy(a, b))
    case("logit", "F.logit($u)", torch.logit(u))
    case("logit_eps", "F.logit($u, 0.25)", torch.logit(u, 0.25))
    case("lerp", "F.lerp($x, $y, 0.25)", torch.lerp(x, y, 0.25))
    case("lerp_far", "F.lerp($x, $y, 0.75)", torch.lerp(x, y, 0.75))
    case("addcmul", "F.addcmul($x, $y, $u, 0.5)", torch.addcmul(x, y, u, value=0.5))
    case("addcdiv", "F.addcdiv($x, $y, $u, value = 2)", torch.addcdiv(x, y, u, value=2))
    case("frac", "F.frac($x)", torch.frac(x))
    case("sinc", "F.sinc($u)", torch.sinc(u))
    case("sinc_0", "F.sinc($u * 0)", torch.sinc(u * 0))
    case("nan_to_num", "F.nan_to_num($edges, 2.0, 3.0, -4.0)", torch.nan_to_num(a, 2, 3, -4))
    case("isclose", "F.isclose($x, $y, 0.5, 0.25)", torch.isclose(x, y, 0.5, 0.25), half=False)
    case("isclose_edges", "F.isclose($edges, $edges, equal_nan = true)", torch.isclose(a, a, equal_nan=True))
    case("allclose", "F.allclose($x, $x)", torch.tensor(torch.allclose(x, x)))
    case("masked_fill", "F.masked_fill($x, $x > $y, -1)", x.masked_fill(x > y, -1))
    case("zeros_like", "F.zeros_like($edges)", torch.zeros_like(a))
    case("ones_like", "F.ones_like($edges)", torch.ones_like(a))
    case("full_like", "F.full_like($edges, 2.5)", torch.full_like(a, 2.5))
    cube = IN["cube"][1]
    half = cube.chunk(2, 2)
    case("glu", "F.glu($cube)", F.glu(cube))
    case("geglu", "F.geglu($cube, 2)", half[0] * F.gelu(half[1]))
    case("swiglu", "F.swiglu($cube)", F.silu(half[0]) * half[1])


def matrices():
    x, y, cube, points, others = (IN[n][1] for n in ("x", "y", "cube", "points", "others"))
    square = tensor("square", "B S S", random(2, 4, 4))
    v, w = tensor("v", "K", random(3)), tensor("w", "J", random(4))
    for k in (0, -2, 3):
        name = str(k).replace("-", "under")
        case("tril" + name, f"F.tril($cube, {k})", torch.tril(cube, k))
        case("triu" + name, f"F.triu($x, {k})", torch.triu(x, k))
        case("diagonal" + name, f"F.diagonal($cube, {k})", torch.diagonal(cube, k, 1, 2), fixed=True)
        case("diag_embed" + name, f"F.diag_embed($x, {k})", torch.diag_embed(x, k))
    case("diagonal_square", "F.diagonal($square)", torch.diagonal(square, 0, 1, 2))
    case("trace", "F.trace($x)", torch.trace(x))
    case("outer", "F.outer($v, $w)", torch.outer(v, w))
    case("dot", "F.dot($v, $v)", torch.dot(v, v))
    case("mv", "F.mv($points[0], $v)", torch.mv(points[0], v))
    case("bmm", "F.bmm($points, transpose($others))", torch.bmm(points, others.mT))
    case("addmm", "F.addmm($square[0, 0], $points[0], transpose($points[1]), 0.5, 2)",
         torch.addmm(square[0, 0], points[0], points[1].T, beta=0.5, alpha=2), fixed=True)
    case("baddbmm", "F.baddbmm($square, $points, transpose($points), alpha = -1)",
         torch.baddbmm(square, points, points.mT, alpha=-1), fixed=True)
    case("kron", "F.kron($points[0], $others[1])", torch.kron(points[0], others[1]))
    case("cross", "F.cross($triples, roll($triples, 1, axis = 0))", torch.linalg.cross(TRIPLES, TRIPLES.roll(1, 0)))
    case("chunk", "F.chunk($cube, 2, 1)", *torch.chunk(cube, 2, 1))
    for axis in (0, 1, -1, -2):
        case("repeat" + str(axis).replace("-", "_"), f"F.repeat_interleave($cube, 3, {axis})", cube.repeat_interleave(3, axis))
    for indexing in ("ij", "xy"):
        case("meshgrid_" + indexing, f'F.meshgrid($v, $w, indexing = "{indexing}")', *torch.meshgrid(v, w, indexing=indexing))
    case("linspace", "F.linspace(-1, 2.5, 9)", torch.linspace(-1, 2.5, 9, dtype=torch.float64), half=False)
    case("linspace_one", "F.linspace(3, 7, 1)", torch.linspace(3, 7, 1, dtype=torch.float64), half=False)
    case("logspace", "F.logspace(-1, 1, 4)", torch.logspace(-1, 1, 4, dtype=torch.float64), half=False)


TRIPLES = tensor("triples", "Q 3", random(5, 3))


def images():
    image = tensor("image", "N C H W", random(2, 4, 6, 5))
    signal = tensor("signal", "N C L", random(2, 4, 9))
    case("lrn", "F.local_response_norm($image, 3)", F.local_response_norm(image, 3))
    case("lrn_more", "F.local_response_norm($signal, 2, 0.5, 0.5, 2.0)", F.local_response_norm(signal, 2, 0.5, 0.5, 2))
    case("lp1", "F.lp_pool1d($signal, 3, 2)", F.lp_pool1d(signal, 3, 2))
    case("lp2", "F.lp_pool2d($image, 2, 3, 2)", F.lp_pool2d(image, 2, 3, 2))
    case("lp2_ceil", "F.lp_pool2d($image, 2, [2, 3], ceil_mode = true)", F.lp_pool2d(image, 2, (2, 3), ceil_mode=True))
    solid = tensor("solid", "N C D H W", random(2, 2, 4, 5, 3))
    lp3 = lambda kernel, **words: torch.stack([torch.nn.LPPool3d(2, kernel, **words)(s[None])[0] for s in solid])
    case("lp3", "F.lp_pool3d($solid, 2, 2)", lp3(2))
    case("lp3_more", "F.lp_pool3d($solid, 2, [2, 3, 1], [1, 2, 2])", lp3((2, 3, 1), stride=(1, 2, 2)))
    for number, (words, more) in enumerate([
            ("2", {"kernel_size": 2}), ("[3, 2], [1, 2], [2, 1], [2, 3]", {"kernel_size": (3, 2), "dilation": (1, 2),
                                                                       "padding": (2, 1), "stride": (2, 3)})]):
        columns = F.unfold(image, **more)
        case(f"unfold{number}", f"F.unfold($image, {words})", columns)
        tensor(f"columns{number}", "N %d %d" % columns.shape[1:], columns)
        case(f"fold{number}", f"F.fold($columns{number}, [6, 5], {words})", F.fold(columns, (6, 5), **more))
    for groups in (2, 4):
        case(f"channel_shuffle{groups}", f"F.channel_shuffle($image, {groups})", F.channel_shuffle(image, groups))
    grid = tensor("grid", "N P Q 2", random(2, 3, 4, 2))
    for mode in ("bilinear", "nearest"):
        for padding in ("zeros", "border", "reflection"):
            for corners in (False, True):
                case(f"grid_{mode}_{padding}{corners:d}",
                     f'F.grid_sample($image, $grid, "{mode}", "{padding}", {str(corners).lower()})',
                     F.grid_sample(image, grid, mode, padding, corners), half=mode == "bilinear")
    theta = tensor("theta", "N 2 3", random(2, 2, 3))
    for corners in (False, True):
        case(f"affine_grid{corners:d}", f"F.affine_grid($theta, [2, 4, 3, 5], {str(corners).lower()})",
             F.affine_grid(theta, [2, 4, 3, 5], corners))


def losses():
    x, y, u, cube = (IN[n][1] for n in ("x", "y", "u", "cube"))
    u2 = tensor("u2", "N M", rand(5, 7))
    signs = tensor("signs", "N M", torch.where(random(5, 7) > 0, 1.0, -1.0).double())
    for name, words, more in [
            ("mse_loss", "", {}), ("l1_loss", "", {}), ("smooth_l1_loss", ", beta = 0.5", {"beta": 0.5}),
            ("huber_loss", ", delta = 0.75", {"delta": 0.75}), ("soft_margin_loss", "", {})]:
        for reduction in ("mean", "sum", "none"):
            target, value = ("$signs", signs) if name == "soft_margin_loss" else ("$y", y)
            case(f"{name}_{reduction}", f'F.{name}($x, {target}, reduction = "{reduction}"{words})',
                 getattr(F, name)(x, value, reduction=reduction, **more))
    for reduction in ("mean", "none"):
        r = f', reduction = "{reduction}"'
        case("bce_" + reduction, f"F.binary_cross_entropy($u, $u2{r})", F.binary_cross_entropy(u, u2, reduction=reduction))
        case("logits_" + reduction, f"F.binary_cross_entropy_with_logits($x, $u2{r})",
             F.binary_cross_entropy_with_logits(x, u2, reduction=reduction))
        case("logits_scaled_" + reduction, f"F.binary_cross_entropy_with_logits($x * 40, $u2, pos_weight = 2.5{r})",
             F.binary_cross_entropy_with_logits(x * 40, u2, pos_weight=torch.tensor(2.5), reduction=reduction))
        case("poisson_" + reduction, f"F.poisson_nll_loss($x, $u * 4, full = true{r})",
             F.poisson_nll_loss(x, u * 4, full=True, reduction=reduction))
        case("gaussian_" + reduction, f"F.gaussian_nll_loss($x, $y, $u, full = true{r})",
             F.gaussian_nll_loss(x, y, u, full=True, reduction=reduction))
    case("bce_ends", "F.binary_cross_entropy(floor($u + 0.5), $u2)", F.binary_cross_entropy(torch.floor(u + 0.5), u2))
    case("poisson_plain", "F.poisson_nll_loss($u, $u2, log_input = false)", F.poisson_nll_loss(u, u2, log_input=False))
    for reduction in ("mean", "sum", "none", "batchmean"):
        case("kl_" + reduction, f'F.kl_div($x, $u, "{reduction}")', F.kl_div(x, u, reduction=reduction))
    case("kl_log", "F.kl_div($x, $y, log_target = true)", F.kl_div(x, y, log_target=True))
    case("hinge", "F.hinge_embedding_loss($x, $signs)", F.hinge_embedding_loss(x, signs))
    case("ranking", "F.margin_ranking_loss($x, $y, $signs, 0.5)", F.margin_ranking_loss(x, y, signs, 0.5))
    case("triplet", "F.triplet_margin_loss($x, $y, $u)", F.triplet_margin_loss(x, y, u))
    case("triplet_swap", "F.triplet_margin_loss($x, $y, $u, swap = true, p = 1)", F.triplet_margin_loss(x, y, u, swap=True, p=1))
    case("cosine_embedding", "F.cosine_embedding_loss($x, $y, $signs[:, 0], 0.25)",
         F.cosine_embedding_loss(x, y, signs[:, 0], 0.25))
    target = tensor("target", "N", torch.tensor([6, 0, 3, 3, 1]))
    places = tensor("places", "A C", torch.tensor([[3, 1, 0, 2, -100, 1]] * 2 + [[2, -100, 1, 1, 0, 3]]))
    weights, four = tensor("weights", "M", rand(7) + 0.5), tensor("four", "B", rand(4) + 0.5)
    for reduction in ("mean", "sum", "none"):
        r = f', reduction = "{reduction}"'
        case("nll_" + reduction, f"F.nll_loss(log_softmax($x), $target{r})", F.nll_loss(F.log_softmax(x, 1), target, reduction=reduction))
        case("ce_" + reduction, f"F.cross_entropy($x, $target{r})", F.cross_entropy(x, target, reduction=reduction))
        case("ce_weights_" + reduction, f"F.cross_entropy($x, $target, $weights{r}, label_smoothing = 0.25)",
             F.cross_entropy(x, target, weights, reduction=reduction, label_smoothing=0.25))
        case("ce_places_" + reduction, f"F.cross_entropy($cube, $places, $four{r}, label_smoothing = 0.25)",
             F.cross_entropy(cube, places, four, reduction=reduction, label_smoothing=0.25))
        case("ce_ignored_" + reduction, f"F.cross_entropy($x, $target as i32, ignore_index = 3{r})",
             F.cross_entropy(x, target, ignore_index=3, reduction=reduction))
    case("ce_soft", "F.soft_cross_entropy($x, $u)", F.cross_entropy(x, u))


def signals():
    for name in ("hann", "hamming", "blackman", "bartlett"):
        function = getattr(torch, name + "_window")
        case(name, f"F.{name}_window(10)", function(10, dtype=torch.float64), half=False)
        case(name + "_odd", f"F.{name}_window(7, false)", function(7, False, dtype=torch.float64), half=False)
    wave, window = tensor("wave", "N T", random(2, 20)), tensor("window", "8", rand(8))
    case("rfft", "F.rfft($wave, 12)", torch.view_as_real(torch.fft.rfft(wave, 12)))
    case("stft", "F.stft($wave, 8, 3, $window)", torch.view_as_real(torch.stft(wave, 8, 3, window=window, return_complex=True)))
    case("stft_plain", "F.stft($wave, 8, 4, center = false, normalized = true)",
         torch.view_as_real(torch.stft(wave, 8, 4, window=torch.ones(8).double(), center=False, normalized=True, return_complex=True)))


def boxes():
    def some(count):
        corner = rand(count, 2, steps=16) * 8
        return torch.cat([corner, corner + rand(count, 2, steps=16) * 6 + 0.25], 1)
    a, b = tensor("boxes", "G 4", some(12)), tensor("boxes2", "E 4", some(9))
    for one in ("xyxy", "xywh", "cxcywh"):
        for other in ("xyxy", "xywh", "cxcywh"):
            case(f"convert_{one}_{other}", f'F.box_convert($boxes, "{one}", "{other}")', ops.box_convert(a, one, other))
    case("box_area", "F.box_area($boxes)", ops.box_area(a))
    case("box_iou", "F.box_iou($boxes, $boxes2)", ops.box_iou(a, b))
    case("giou", "F.generalized_box_iou($boxes, $boxes2)", ops.generalized_box_iou(a, b))
    case("clip", "F.clip_boxes_to_image($boxes - 2, [5, 7])", ops.clip_boxes_to_image(a - 2, (5, 7)))
    case("small", "F.remove_small_boxes($boxes, 2.5)", ops.remove_small_boxes(a, 2.5), counted=True)
    scores = tensor("scores", "G", torch.randperm(12).double() / 16)
    kinds = tensor("kinds", "G", torch.arange(12) * 5 % 3)
    case("batched_nms", "F.batched_nms($boxes, $scores, $kinds, 0.25)", ops.batched_nms(a, scores, kinds, 0.25), half=False,
         counted=True)


def positions():
    """Where PyTorch has none: by the papers' formulas."""
    place, dim = torch.arange(9).double()[:, None], torch.arange(0, 10, 2).double()
    angle = place / 10000 ** (dim / 10)
    case("sinusoidal", "F.sinusoidal_positions(9, 10)", torch.stack([angle.sin(), angle.cos()], 2).reshape(9, 10), half=False)

    def slopes(n):  # the paper's code
        if n & (n - 1) == 0:
            return [2 ** (-8 * (i + 1) / n) for i in range(n)]
        near = 2 ** (n.bit_length() - 1)
        return slopes(near) + slopes(2 * near)[0::2][:n - near]
    for heads in (8, 12, 1):
        case(f"alibi{heads}", f"F.alibi_slopes({heads})", torch.tensor(slopes(heads), dtype=torch.float64), half=False)


def write():
    def text(words):
        return np.array(list(words.encode()), dtype=np.uint8)
    arrays = {"in." + name: np.array(value.tolist(), str(value.dtype).split(".")[1]).reshape(value.shape)
              for name, (_, value) in IN.items()}
    rows = []
    for c in CASES:
        for i, value in enumerate(c.pop("results")):
            arrays[f"out.{c['name']}.{i}"] = np.array(value.tolist(), str(value.dtype).split(".")[1]).reshape(value.shape)
        rows.append(c)
    arrays["meta.version"] = text(torch.__version__)
    arrays["meta.cases"] = text(json.dumps({"dims": {name: dims for name, (dims, _) in IN.items()}, "cases": rows}))
    np.savez_compressed(os.path.join(HERE, "functional.npz"), **arrays)


for part in (statistics, norms, elements, matrices, images, losses, signals, boxes, positions):
    part()
write()
print(len(CASES), "cases by PyTorch", torch.__version__)
