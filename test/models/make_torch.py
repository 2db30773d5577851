#!/usr/bin/env python3
"""Writes Inputs/torch.npz: for models of the zoo the names and shapes of PyTorch's weights, and what PyTorch gives in f64.

  python3 test/models/make_torch.py [--full FOLDER CASE...]   # needs torch, torchvision, numpy; the tests need only numpy

Weights and arguments are made from their names (compare_torch.py), so the file holds results only. With --full the models
have their published sizes, and FOLDER/CASE gets weights.npz, the arguments and all of each result, for kiln-run --compare.
To add a model: a line in `cases`; modules that torchvision lacks stand in torch_models.py.
"""
import json
import os
import sys

import numpy as np
import torch
import torchvision

import torch_models
from compare_torch import argument, sample, weight

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Inputs")


def published(name, **options):
    """torchvision's classifier; small ones have 16 classes."""
    return lambda full: getattr(torchvision.models, name)(num_classes=1000 if full else 16, **options)


def classifier(model, module, small=64, big=224, batch=2, options=None):
    size = lambda full: big if full else small
    return dict(model=model, module=module, options=options or (lambda full: {}),
                set=lambda full: {} if full else {"size": small, "classes": 16},
                entries=lambda full: {"predict": ({"image": ("image", [batch, 3, size(full), size(full)])}, ["logits"])})


def vgg(name):
    def module(full):
        m = getattr(torchvision.models, name)(num_classes=1000 if full else 16, init_weights=False)
        if not full:
            m.classifier[0], m.classifier[3] = torch.nn.Linear(25088, 32), torch.nn.Linear(32, 32)
            m.classifier[6] = torch.nn.Linear(32, 16)
        return m
    case = classifier("vgg", module, 32)
    small = case["set"]
    more = {} if name.startswith("vgg16") else {"convs": "[1,1,2,2,2]"}
    if name.endswith("bn"):
        more["batch_norm"] = "true"
    case["set"] = lambda full: {**small(full), **({} if full else {"hidden": 32}), **more}
    return case


def plain(model, module, set, entries):
    return dict(model=model, module=module, set=set, entries=entries)


def translator(norm_first):
    sizes = {"source_words": 30, "target_words": 20, "encoder_layers": 1, "decoder_layers": 2, "hidden": 32, "heads": 4,
             "inner": 48, "positions": 40, "context": 24}
    more = {"norm_first": "true"} if norm_first else {}
    return plain(
        "transformer", lambda full: torch_models.Translator(norm_first=norm_first) if full else
        torch_models.Translator(30, 20, 1, 2, 32, 4, 48, 40, norm_first),
        lambda full: {**({"context": 24} if full else sizes), **more},
        lambda full: {"score": ({"source": (30, [7]), "target": (20, [9])}, ["logits"]),
                      "translate": ({"source": (30, [7]), "max_new": (24, [])}, ["target", "count"])})


def cases():
    image = lambda *shape: ("image", list(shape))
    return {
        "vgg11": vgg("vgg11"), "vgg16_bn": vgg("vgg16_bn"),
        "densenet121": classifier("densenet121", published("densenet121")),
        "shufflenet_v2_x1_0": classifier("shufflenet_v2_x1_0", published("shufflenet_v2_x1_0")),
        "convnext_tiny": classifier("convnext_tiny", published("convnext_tiny")),
        "efficientnet_b0": classifier("efficientnet_b0", published("efficientnet_b0")),
        "squeezenet1_1": classifier("squeezenet1_1", published("squeezenet1_1")),
        "googlenet": classifier("googlenet", published("googlenet", aux_logits=False, init_weights=False)),
        "swin_t": plain(
            "swin_t", lambda full: torchvision.models.swin_t() if full else
            torchvision.models.SwinTransformer([4, 4], 24, [2, 2, 2, 2], [1, 2, 3, 4], [7, 7], num_classes=16),
            lambda full: {} if full else {"classes": 16, "size": 92, "dim": 24, "depths": "[2,2,2,2]", "heads": "[1,2,3,4]"},
            lambda full: {"predict": ({"image": image(*((2, 3, 224, 224) if full else (2, 3, 92, 92)))}, ["logits"])}),
        "spatial_transformer": plain(
            "spatial_transformer", lambda full: torch_models.SpatialTransformer(), lambda full: {},
            lambda full: {"predict": ({"image": image(3, 1, 28, 28)}, ["logits"]),
                          "straighten": ({"image": image(3, 1, 28, 28)}, ["straight"])}),
        "ssd300_vgg16": plain(
            "ssd300_vgg16", lambda full: torch_models.Ssd(91 if full else 5), lambda full: {} if full else {"classes": 5},
            lambda full: {"detect": ({"image": image(1, 3, 300, 300)}, ["boxes", "scores"])}),
        "mlp_mixer": plain(
            "mlp_mixer", lambda full: torch_models.Mixer() if full else torch_models.Mixer(16, 64, 16, 48, 3),
            lambda full: {} if full else {"classes": 16, "size": 64, "dim": 48, "depth": 3},
            lambda full: {"predict": ({"image": image(*((2, 3, 224, 224) if full else (2, 3, 64, 64)))}, ["logits"])}),
        "unet": plain(
            "unet", lambda full: torch_models.Unet(64 if full else 8), lambda full: {} if full else {"size": 48, "width": 8},
            lambda full: {"predict": ({"image": image(*((1, 3, 256, 256) if full else (2, 3, 48, 48)))}, ["logits"])}),
        "unet_shallow": plain(
            "unet", lambda full: torch_models.Unet(32 if full else 8, depth=3),
            lambda full: {"width": 32, "depth": 3} if full else {"size": 24, "width": 8, "depth": 3},
            lambda full: {"predict": ({"image": image(*((1, 3, 256, 256) if full else (2, 3, 24, 24)))}, ["logits"])}),
        "dlrm": plain(
            "dlrm", lambda full: torch_models.Dlrm(13, 26, 10000, 64, [512, 256], [512, 256]) if full else
            torch_models.Dlrm(5, 3, 20, 4, [9, 6], []),
            lambda full: {"tables": 26, "rows": 10000, "width": 64, "bottom": "[512,256]", "top": "[512,256]"} if full else
            {"dense": 5, "tables": 3, "rows": 20, "width": 4, "bottom": "[9,6]", "top": "[]"},
            lambda full: {"predict": ({"dense_x": image(6, 13 if full else 5), "category": (20, [6, 26 if full else 3])},
                                      ["probability"])}),
        "vae": plain(
            "vae", lambda full: torch_models.Vae(), lambda full: {},
            lambda full: {"encode": ({"image": image(2, 3, 64, 64)}, ["mu", "logvar"]),
                          "decode": ({"code": image(2, 128)}, ["image"]),
                          "reconstruct": ({"image": image(2, 3, 64, 64), "noise": image(2, 128)}, ["result"])}),
        "ncf": plain(
            "ncf", lambda full: torch_models.Ncf() if full else torch_models.Ncf(30, 20, 4),
            lambda full: {} if full else {"users": 30, "items": 20, "factors": 4},
            lambda full: {"predict": ({"user": (30, [9]), "item": (20, [9])}, ["score"]),
                          "recommend": ({"user": (30, [])}, ["item", "score"])}),
        "dbn": plain(
            "dbn", lambda full: torch_models.Dbn([784, 500, 500, 2000] if full else [50, 40, 30, 60]),
            lambda full: {} if full else {"sizes": "[50,40,30,60]"},
            lambda full: {e: ({"visible": image(3, 784 if full else 50)}, [r]) for e, r in
                          [("features", "hidden"), ("reconstruct", "result"), ("classify", "probability")]}),
        "text_classifier": plain(
            "text_classifier", lambda full: torch_models.TextClassifier() if full else
            torch_models.TextClassifier(50, 32, 4, 64, 2),
            lambda full: {} if full else {"vocabulary": 50, "dim": 32, "heads": 4, "inner": 64, "depth": 2},
            lambda full: {"predict": ({"ids": (50, [3, 11]), "mask": ("length", [3, 11])}, ["logits"])}),
        "detr": plain(
            "detr", lambda full: torch_models.Detr() if full else torch_models.Detr(7, 10, 2, 32, 4, 64),
            lambda full: {} if full else {"classes": 7, "queries": 10, "depth": 2, "dim": 32, "heads": 4, "inner": 64,
                                          "height": 64, "width": 96},
            lambda full: {e: ({"image": image(*((1, 3, 800, 1066) if full else (2, 3, 64, 96)))}, r) for e, r in
                          [("predict", ["logits", "boxes"]), ("detect", ["boxes", "label", "score"])]}),
        "transformer": translator(False), "transformer_first": translator(True),
        "lstm": plain(
            "lstm", lambda full: torch_models.Lstm(*((256, 512, 2) if full else (6, 10, 2))),
            lambda full: {} if full else {"size": 6, "hidden": 10},
            lambda full: {"run": ({"x": image(*((128, 1, 256) if full else (9, 2, 6)))}, ["y"])}),
        "lstm_classifier": plain(
            "lstm_classifier", lambda full: torch_models.LstmClassifier() if full else
            torch_models.LstmClassifier(50, 4, 12, 20), lambda full: {} if full else
            {"vocabulary": 50, "dim": 12, "hidden": 20},
            lambda full: {"predict": ({"ids": (50, [3, 128] if full else [3, 9])}, ["logits"])}),
        "gru_tagger": plain(
            "gru_tagger", lambda full: torch_models.GruTagger() if full else torch_models.GruTagger(50, 7, 12, 20),
            lambda full: {} if full else {"vocabulary": 50, "tags": 7, "dim": 12, "hidden": 20},
            lambda full: {e: ({"ids": (50, [128, 3] if full else [9, 3])}, r) for e, r in
                          [("scores", ["logits"]), ("predict", ["tag", "probability"])]}),
        "char_rnn": plain(
            "char_rnn", lambda full: torch_models.CharRnn() if full else torch_models.CharRnn(30, 24),
            lambda full: {} if full else {"characters": 30, "hidden": 24},
            lambda full: {"step": ({"character": (30, [])}, ["logits"]), "read": ({"text": (30, [40])}, ["logits"]),
                          "write": ({"character": (30, []), "count": (250, [])}, ["text"])}),
        "seq2seq": plain(
            "seq2seq", lambda full: torch_models.Seq2Seq() if full else torch_models.Seq2Seq(30, 5, 24),
            lambda full: {} if full else {"source_words": 30, "target_words": 5, "hidden": 24},
            lambda full: {"score": ({"source": (30, [4, 7]), "target": (5, [4, 6])}, ["logits"]),
                          "translate": ({"source": (30, [4, 7])}, ["target", "length"])}),
        "beam": plain(
            "seq2seq", lambda full: torch_models.Seq2Seq() if full else torch_models.Seq2Seq(30, 12, 24),
            lambda full: {} if full else {"source_words": 30, "target_words": 12, "hidden": 24},
            lambda full: {"beam": ({"source": (30, [9])}, ["target", "length", "score"])}),
        "resemblyzer": plain(
            "resemblyzer", lambda full: torch_models.Resemblyzer() if full else torch_models.Resemblyzer(24, 20),
            lambda full: {} if full else {"hidden": 24, "size": 20},
            lambda full: {"embed": ({"mels": image(2, 160 if full else 12, 40)}, ["place"])}),
    }


def results(case, full):
    """The weights' shapes, and for each entry its arguments' kinds and its results."""
    module = case["module"](full).double().eval()
    shapes = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
    values = {name: weight(name, shape) for name, shape in shapes.items()}
    module.load_state_dict({name: torch.from_numpy(np.asarray(value)).to(torch.float64 if value.dtype == np.float32 else
                                                                         torch.int64) for name, value in values.items()})
    entries = {}
    for entry, (kinds, names) in case["entries"](full).items():
        tensors = [torch.from_numpy(np.asarray(argument(n, *k))) for n, k in kinds.items()]
        tensors = [t.double() if t.is_floating_point() else t for t in tensors]
        call = module if entry == "predict" or not hasattr(module, entry) else getattr(module, entry)
        with torch.no_grad():
            given = call(*tensors)
        given = given if isinstance(given, tuple) else (given,)
        entries[entry] = (kinds, dict(zip(names, (g.numpy() for g in given), strict=True)))
    return shapes, values, entries


def as_stored(value):
    return value.astype(np.float32) if value.dtype == np.float64 else value


def write_full(folder, name, case):
    """FOLDER/NAME/calls has a line MODEL|OPTIONS OF kilnc|ENTRY|OPTIONS OF kiln-run for each entry point."""
    folder = os.path.join(folder, name)
    os.makedirs(folder, exist_ok=True)
    _, values, entries = results(case, True)
    np.savez(f"{folder}/weights.npz", **values)
    options = " ".join(f"--set {key}={value}" for key, value in case["set"](True).items())
    with open(f"{folder}/calls", "w") as calls:
        for entry, (kinds, given) in entries.items():
            words = []
            for argname, kind in kinds.items():
                np.save(f"{folder}/{entry}.{argname}.npy", argument(argname, *kind))
                words.append(f"--input {argname}={folder}/{entry}.{argname}.npy")
            for result, value in given.items():
                np.save(f"{folder}/{entry}.{result}.npy", as_stored(value))
                words.append(f"--compare {result}={folder}/{entry}.{result}.npy")
            calls.write("|".join([case["model"], options, entry, " ".join(words)]) + "\n")


def main():
    if sys.argv[1:2] == ["--full"]:
        chosen = cases()
        for name in sys.argv[3:] or chosen:
            write_full(sys.argv[2], name, chosen[name])
        return
    stored, described = {}, {}
    for name, case in cases().items():
        shapes, _, entries = results(case, False)
        described[name] = {"model": case["model"], "set": case["set"](False), "weights": shapes, "entries": {}}
        for entry, (kinds, given) in entries.items():
            keys = {result: f"{name}.{entry}.{result}" for result in given}
            described[name]["entries"][entry] = {"arguments": kinds, "results": keys}
            for result, value in given.items():
                stored[keys[result]] = as_stored(sample(value))
                print(f"{keys[result]}: {value.shape}, up to {np.abs(value).max():.3g}, deviation {value.std():.3g}")
    text = json.dumps(described, separators=(",", ":")).encode()
    np.savez_compressed(os.path.join(HERE, "torch.npz"), cases=np.frombuffer(text, np.uint8), **stored)


if __name__ == "__main__":
    main()
