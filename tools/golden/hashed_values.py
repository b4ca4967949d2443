"""Values of checkpoints too big to commit: a formula of a tensor's name and an index into it.

tests/unit/model/hashed_checkpoint.h states the same formula for the tests; both give the same bits.
"""
import math

import numpy as np


def hash_bits(name, indices):
    """24 random-looking bits for each index: FNV-1a of the name, then MurmurHash3's finalizer."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 & 0xFFFFFFFF
    h = np.uint32(seed) ^ (np.array(indices, np.uint32, ndmin=1) * np.uint32(0x9E3779B1))
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return (h ^ (h >> np.uint32(16))) >> np.uint32(8)


def hash_unit(name, indices):
    """Evenly spread over [-0.5, 0.5), exact in float32."""
    return hash_bits(name, indices).astype(np.float32) / np.float32(1 << 24) - np.float32(0.5)


def hashed_values(name, shape):
    """float32 values of a tensor: norms near one, small layer scales, matrices that keep the size of what they multiply."""
    n = math.prod(shape)
    vector = len(shape) < 2
    scale = name.endswith('gamma')
    offset = 0.0 if not vector or name.endswith('bias') else 0.25 if scale else 1.0
    fan_in = math.prod(shape[1:])
    factor = (0.125 if scale else 0.5) if vector else 2.0 ** round(0.5 * math.log2(12 / fan_in))
    return (np.float32(offset) + np.float32(factor) * hash_unit(name, np.arange(n))).reshape(shape)
