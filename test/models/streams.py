#!/usr/bin/env python3
"""Calls models with states in streams and compares with one call for all, or with others.

  streams.py characters LIB                 char_rnn: steps, one call for all and its own writing agree
  streams.py speech LIB MODEL.onnx          silero_vad with the ONNX file's weights against ONNX Runtime
  streams.py weights MODEL.onnx OUT.npz     those weights under the names of silero_vad.kiln
  streams.py words LIB                      g2p's published words

LIB's entry points and their arguments stand in the order of the model's file. Exit 1 if something differs.
"""
import ctypes as c
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "dev"))
from kiln_library import Model, Options  # noqa: E402


class Stream:
    """An instance of a model."""

    def __init__(self, path, threads=1):
        self.model = Model.in_dll(c.CDLL(os.path.abspath(path)), "kiln_model_v1")
        size = c.sizeof(Options) + 8 * self.model.numMaxima
        memory, error = c.create_string_buffer(size), c.create_string_buffer(512)
        options = Options.from_buffer(memory)
        options.structSize, options.threads = size, threads
        options.error, options.errorSize = c.cast(error, c.c_char_p), len(error)
        self.instance = c.c_void_p()
        if self.model.create(c.addressof(memory), c.byref(self.instance)):
            raise RuntimeError(error.value.decode())

    def call(self, entry, arguments, results, dims=()):
        """Results are arrays that the call fills; gives the first."""
        arrays = [np.ascontiguousarray(a) for a in arguments] + results
        buffers = (c.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
        if self.model.call(self.instance, entry, (c.c_int64 * max(1, len(dims)))(*dims), buffers):
            raise RuntimeError(self.model.lastError(self.instance).decode())
        return results[0]

    def reset(self):
        c.CFUNCTYPE(None, c.c_void_p)(self.model.reset)(self.instance)


def near(what, got, want, limit=1e-5):
    error = np.abs(np.asarray(got, np.float64) - want).max() / np.abs(want).max()
    print(f"{'ok' if error <= limit else 'FAIL'}: {what}: {error:.1e}")
    return error <= limit


def characters(library):
    text, count = np.random.RandomState(1).randint(0, 30, 40), 30
    whole, one, other = Stream(library), Stream(library), Stream(library, 2)
    row = lambda: np.empty(count, np.float32)
    step = lambda stream, character: stream.call(0, [np.int64(character)], [row()])
    read = lambda stream, part: stream.call(1, [part], [np.empty((len(part), count), np.float32)], [len(part)])
    want, stepped, read_aside = read(whole, text), [], []
    for n, character in enumerate(text):  # two instances by turns, one of them in other pieces
        stepped.append(step(one, character))
        if n % 8 == 7:
            read_aside.append(read(other, text[n - 7:n + 1]))
    good = near("steps", stepped, want) and near("pieces", np.concatenate(read_aside), want)
    written = whole.call(2, [np.int64(7), np.int64(20)], [np.empty(256, np.int64)])
    last, wanted = 7, np.zeros(256, np.int64)
    for n in range(20):
        last = wanted[n] = step(one, last).argmax()
    good &= near("writing", written, wanted, 0)
    good &= near("states behind it", step(whole, 5), step(one, 5).astype(np.float64))
    whole.reset()
    return good and near("reset", read(whole, text), want, 0)


def initializers(path):
    import onnx
    return {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}


def weights(path, out):
    """ONNX has an LSTM's gates in the order i, o, f, c; PyTorch i, f, c, o."""
    stored = initializers(path)
    gates = lambda w: np.concatenate([np.split(w, 4)[k] for k in (0, 2, 3, 1)])
    lstm = {w.shape: [] for w in stored.values()}
    for name, w in stored.items():
        if "LSTM" in name:
            lstm[w.shape].append(w[0])
    (ih, hh), (bias,) = lstm[1, 512, 128], lstm[1, 1024]
    renamed = {"stft_conv.weight": stored["stft.forward_basis_buffer"], "lstm_cell.weight_ih": gates(ih),
               "lstm_cell.weight_hh": gates(hh), "lstm_cell.bias_ih": gates(bias[:512]),
               "lstm_cell.bias_hh": gates(bias[512:]), "final_conv.weight": stored["output.weight"],
               "final_conv.bias": stored["output.bias"]}
    for k in range(4):
        for part in ("weight", "bias"):
            renamed[f"conv{k + 1}.{part}"] = stored[f"encoder.{k}.{part}"]
    np.savez(out, **renamed)
    return True


def sound(frames):
    """Hiss, then a hummed vowel that swells and falls in it, then hiss."""
    t = np.arange(512 * frames) / 16000
    hum = sum(np.sin(2 * np.pi * (120 * t + np.sin(6 * np.pi * t)) * k) / k for k in range(1, 12))
    inside = (t > t[-1] / 3) & (t < t[-1] * 5 / 6)
    return (0.02 * np.random.RandomState(0).randn(t.size) +
            0.1 * hum * (0.5 + 0.5 * np.sin(8 * np.pi * t)) * inside).astype(np.float32)


def speech(library, path):
    import onnxruntime
    frames = 60
    pieces = sound(frames).reshape(frames, 512)
    before = np.concatenate([np.zeros((1, 64), np.float32), pieces[:-1, -64:]])
    state = np.zeros((1, 1, 128), np.float32)
    session = onnxruntime.InferenceSession(path)
    want = session.run(None, {"input": np.concatenate([before, pieces], 1), "h": state, "c": state})[0].reshape(-1)
    print(f"speech in hiss: {want[5:18].max():.2f}, in a hum: {want[25:48].mean():.2f}")
    push = lambda stream: [float(stream.call(0, [piece], [np.empty((), np.float32)])) for piece in pieces]
    return np.all([near(f"{threads} threads", push(Stream(library, threads)), want.astype(np.float64))
                   for threads in (1, 2)])


def words(library):
    stream = Stream(library)
    sounds = ["<pad>", "<unk>", "<s>", "</s>"] + [
        v + s for v in ("AA AE AH AO AW AY".split()) for s in "012"] + "B CH D DH".split() + [
        "EH0", "EH1", "EH2", "ER0", "ER1", "ER2", "EY0", "EY1", "EY2", "F", "G", "HH",
        "IH0", "IH1", "IH2", "IY0", "IY1", "IY2", "JH", "K", "L", "M", "N", "NG", "OW0", "OW1", "OW2", "OY0", "OY1",
        "OY2", "P", "R", "S", "SH", "T", "TH", "UH0", "UH1", "UH2", "UW", "UW0", "UW1", "UW2", "V", "W", "Y", "Z", "ZH"]
    for word in ("hello", "compiler", "tensor"):
        phonemes, count = np.empty(20, np.int64), np.empty((), np.int64)
        stream.call(0, [np.array([ord(letter) - ord("a") + 3 for letter in word] + [2])], [phonemes, count],
                    [len(word) + 1])
        print(word, *(sounds[k] for k in phonemes[:count]))
    return len(sounds) == 74


if __name__ == "__main__":
    function = {"characters": characters, "speech": speech, "weights": weights, "words": words}[sys.argv[1]]
    sys.exit(0 if function(*sys.argv[2:]) else 1)
