"""Random numbers by Philox4x32-10, from Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
whose known answers are checked first."""
import numpy as np

from definitions import op
from values import Tensor, make

MASK = 2 ** 32 - 1


def philox(counter, key):
    """The four words of one block, with integers of any size."""
    for _ in range(10):
        first, second = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [(second >> 32) ^ counter[1] ^ key[0], second & MASK,
                   (first >> 32) ^ counter[3] ^ key[1], first & MASK]
        key = [(key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK]
    return counter


assert philox([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
assert philox([MASK] * 4, [MASK] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


def units(shape, seed):
    """u of all words, in whole blocks."""
    seed = int(seed.array) if isinstance(seed, Tensor) else seed
    count = int(np.prod(shape))
    key = [seed & MASK, (seed >> 32) & MASK]
    words = [w for i in range((count + 3) // 4) for w in philox([i & MASK, i >> 32, 0, 0], key)]
    return np.array([(w >> 8) * 2.0 ** -24 for w in words]), count


@op("random.uniform")
def uniform(shape, seed):
    u, count = units(shape, seed)
    return make("f32", u[:count].reshape(shape))


@op("random.bernoulli")
def bernoulli(shape, p, seed):
    u, count = units(shape, seed)
    return make("bool", (u[:count] < p).reshape(shape))


@op("random.normal")
def normal(shape, seed):
    u, count = units(shape, seed)
    radius, angle = np.sqrt(-2 * np.log(1 - u[0::2])), 2 * np.pi * u[1::2]
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return make("f32", both.reshape(-1)[:count].reshape(shape))
