"""Numbers that Python and the C++ tests make alike, bit for bit, so that no file has to hold them (tests/golden/shared_values.h)."""
import numpy as np


def _mix(x):
    """lowbias32: a bijection of uint32."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def _seed(name):
    h = 2166136261  # FNV-1a
    for byte in name.encode():
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h


def noise(name, n):
    """float64 [n], uniform in [-1/2, 1/2)."""
    bits = _mix(np.arange(n, dtype=np.uint32) + np.uint32(_seed(name)))
    return (bits >> np.uint32(8)).astype(np.float64) / (1 << 24) - 0.5


def tensor(name, shape, scale, offset):
    """float32 values of a tensor: offset + scale * noise."""
    return (offset + scale * noise(name, int(np.prod(shape)))).astype(np.float32).reshape(shape)


def _triangle(n, period):
    return np.abs((n % period) / period * 4 - 2) - 1


KINDS = ['voice', 'quiet', 'silence', 'clipped', 'offset']


def sound(kind, samples):
    """float32 samples at 16 kHz: three tones that swell and fade, faint noise, nothing, an overdriven wave, a constant."""
    n = np.arange(samples, dtype=np.int64)
    hiss = noise(kind, samples)
    if kind == 'voice':
        tones = 0.4 * _triangle(n, 113) + 0.2 * _triangle(n, 37) + 0.1 * _triangle(n, 11)
        x = (0.5 + 0.5 * _triangle(n, 8000)) * tones + 0.02 * hiss
    elif kind == 'quiet':
        x = 0.01 * hiss
    elif kind == 'silence':
        x = np.zeros(samples)
    elif kind == 'clipped':
        x = np.clip(3 * _triangle(n, 97) + 0.3 * hiss, -1, 1)
    else:
        x = 0.5 + 0.001 * hiss
    return x.astype(np.float32)
