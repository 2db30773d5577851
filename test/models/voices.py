#!/usr/bin/env python3
"""Whose voice it is, by the compiled resemblyzer.kiln: the least and largest cosine of recordings of a reader, and with another's.

  voices.py LIB.so THREADS OTHER.wav READER.wav...

As the published program hears: 40 bands of powers of a sound at -30 dB at least, windows of 160 frames, 1.3 a second; the places
of a recording's windows are averaged. Silence is not cut out, so a recording should have more than two windows.
"""
import itertools
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "dev"))
from audio import RATE, STEP, bands, powers, sound_of  # noqa: E402
from kiln_library import Instance  # noqa: E402

FRAMES, EACH = 160, round(RATE / 1.3 / STEP)  # of a window, and from one to the next


def windows(path):
    """[N, 160, 40]; the last one is left out if less than three quarters of it are sound."""
    sound = sound_of(path)
    sound = sound * max(1, 10 ** -1.5 / np.sqrt(np.mean(sound ** 2)))
    count = 1 + max(0, (len(sound) - 3 * FRAMES * STEP // 4) // (EACH * STEP))
    frames = (count - 1) * EACH + FRAMES
    mels = powers(np.pad(sound, (0, max(0, frames * STEP - len(sound)))), mode="constant") @ bands(40).T
    return np.stack([mels[i * EACH:i * EACH + FRAMES] for i in range(count)]).astype(np.float32)


def main(library, threads, *paths):
    instance = Instance(library, int(threads))
    places = [instance.call("embed", windows(path)).mean(axis=0) for path in paths]
    other, *reader = [place / np.linalg.norm(place) for place in places]
    for name, cosines in (("the same", [a @ b for a, b in itertools.combinations(reader, 2)]),
                          ("another", [a @ other for a in reader])):
        print(f"{name}: {min(cosines):.2f} to {max(cosines):.2f}")


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
