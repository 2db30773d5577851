#!/usr/bin/env python3
"""What whisper.kiln needs around it: weights, log-mel features of audio, text of tokens.

  whisper.py weights MODEL.bin OUT.npz       a CTranslate2 file of Whisper under Hugging Face's names, as f16
  whisper.py features AUDIO.wav OUT.npy      f32[80, 3000] of at most 30 seconds, 16 kHz, one channel, 16 bits
  whisper.py text LIB.so FEATURES.npy VOCABULARY.txt THREADS    what the compiled model hears

`features` follows the published definition: frames of 400 samples every 160 under Hann's window, 80 bands of Slaney's mel scale,
log10 of powers, at most 8 below the largest, (x + 4) / 4.
"""
import os
import struct
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "dev"))
from audio import RATE, STEP, bands, powers, sound_of  # noqa: E402
from kiln_library import Instance  # noqa: E402


class Reader:
    """Little-endian numbers, texts with their length before them, arrays."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, kind):
        value, = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize(kind)
        return value

    def bytes(self, count):
        self.at += count
        return self.data[self.at - count:self.at]

    def text(self):
        return self.bytes(self.number("H")).rstrip(b"\0").decode()


def read_ctranslate2(path):
    """The arrays of a file of version 6, by name."""
    with open(path, "rb") as file:
        r = Reader(file.read())
    version, kind, _ = r.number("I"), r.text(), r.number("I")
    if (version, kind) != (6, "WhisperSpec"):
        raise SystemExit(f"'{path}': expected version 6 of WhisperSpec, found version {version} of {kind}")
    types = ["f4", "i1", "i2", "i4", "f2"]
    arrays = {}
    for _ in range(r.number("I")):
        name, shape = r.text(), [0] * r.number("B")
        shape = [r.number("I") for _ in shape]
        kind, count = r.number("B"), r.number("I")
        arrays[name] = np.frombuffer(r.bytes(count), types[kind]).reshape(shape)
    return arrays


def attention(name, out, *pieces):
    """Products that were put into one are taken apart; the keys' has no bias."""
    weights = np.concatenate([p["weight"] for p in pieces[:-1]]).reshape(3, -1, pieces[0]["weight"].shape[1])
    biases = np.concatenate([p["bias"] for p in pieces[:-1]]).reshape(3, -1)
    assert not biases[1].any(), name
    for part, weight, bias in zip("qkv", weights, biases):
        out[f"{name}.{part}_proj.weight"] = weight
        if part != "k":
            out[f"{name}.{part}_proj.bias"] = bias
    out[f"{name}.out_proj.weight"], out[f"{name}.out_proj.bias"] = pieces[-1]["weight"], pieces[-1]["bias"]


def weights(path, target):
    stored, out = read_ctranslate2(path), {}
    linear = lambda name: {"weight": stored[name + "/weight"], "bias": stored[name + "/bias"]}

    def norm(name, source):
        out[name + ".weight"], out[name + ".bias"] = stored[source + "/gamma"], stored[source + "/beta"]

    for side in ("encoder", "decoder"):
        out[f"{side}.embed_positions.weight"] = stored[f"{side}/position_encodings/encodings"]
        norm(f"{side}.layer_norm", f"{side}/layer_norm")
        for i in range(sum(name.startswith(f"{side}/layer_") and name.endswith("ffn/linear_0/bias") for name in stored)):
            name, source = f"{side}.layers.{i}", f"{side}/layer_{i}"
            kinds = [("self_attn", "self_attention", 2)] + [("encoder_attn", "attention", 3)] * (side == "decoder")
            for kind, stem, count in kinds:
                attention(f"{name}.{kind}", out, *[linear(f"{source}/{stem}/linear_{j}") for j in range(count)])
                norm(f"{name}.{kind}_layer_norm", f"{source}/{stem}/layer_norm")
            norm(f"{name}.final_layer_norm", f"{source}/ffn/layer_norm")
            for j in range(2):
                out.update({f"{name}.fc{j + 1}.{key}": x for key, x in linear(f"{source}/ffn/linear_{j}").items()})
    out.update({f"encoder.conv{i}.{key}": x for i in (1, 2) for key, x in linear(f"encoder/conv{i}").items()})
    out["decoder.embed_tokens.weight"] = stored["decoder/embeddings/weight"]
    np.savez(target, **out)


def features(path, target, seconds=30):
    sound = sound_of(path)[:seconds * RATE]
    power = powers(np.pad(sound, (0, seconds * RATE - len(sound))), mode="reflect")[:seconds * RATE // STEP]
    mel = np.log10(np.maximum(bands(80) @ power.T, 1e-10))
    np.save(target, ((np.maximum(mel, mel.max() - 8) + 4) / 4).astype(np.float32))


def text(library, features, vocabulary, threads):
    """Tokens stand one a line, each byte as a visible character: most as themselves, the others from U+0100 on."""
    with open(vocabulary, encoding="utf-8") as file:
        words = file.read().split("\n")
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    byte = {chr(b): b for b in shown} | {chr(256 + i): b for i, b in enumerate(sorted(set(range(256)) - set(shown)))}
    tokens, count = Instance(library, int(threads)).call("generate", np.load(features), 200)
    said = [words[t] for t in tokens[:count]]
    print(b"".join(bytes(byte[c] for c in w) for w in said if not w.startswith("<|")).decode().strip())


if __name__ == "__main__":
    actions = {"weights": weights, "features": features, "text": text}
    if len(sys.argv) < 4 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    actions[sys.argv[1]](*sys.argv[2:])
