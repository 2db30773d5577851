"""Recordings as models hear them: 16 kHz, powers of frames, bands of Slaney's mel scale."""
import wave

import numpy as np

RATE = 16000
SIZE, STEP = 400, 160  # samples of a frame, and from one to the next


def sound_of(path):
    """The samples of a WAVE file, -1 to 1."""
    try:
        file = wave.open(path)
    except (wave.Error, EOFError) as e:
        raise SystemExit(f"'{path}': expected a WAVE file: {e}") from e
    with file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise SystemExit(f"'{path}': expected 16 kHz, one channel, 16 bits")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def powers(sound, mode):
    """[frames, 201]: under Hann's window, each frame around its place, borders padded as `mode` says."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, SIZE // 2, mode=mode), SIZE)[::STEP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SIZE) / SIZE)
    return np.abs(np.fft.rfft(frames * window)) ** 2


def hertz(mel):
    """Slaney's scale: linear to 1000 Hz (15 mel), then 27 steps for a factor of 6.4."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def bands(count):
    """[count, 201]: triangles of area 1 between equal steps of the scale up to half the rate."""
    top = 15 + 27 * np.log(RATE / 2 / 1000) / np.log(6.4)
    edges = hertz(np.linspace(0, top, count + 2))[:, None]
    f = np.linspace(0, RATE / 2, SIZE // 2 + 1)
    rising, falling = (f - edges[:-2]) / np.diff(edges[:-1], axis=0), (edges[2:] - f) / np.diff(edges[1:], axis=0)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
