"""Strangers' voices and rooms, made from the clips at hand when they are used: what the audio tower must hear through."""

import numpy as np
import torch

from . import speech

BINS = 513  # of the spectrum behind the mel filters, 0 to 8 kHz


def vocal_tract(rng, share=0.85):
    """Source bin of every spectrum bin: a longer or shorter vocal tract, and formants that move on their own too."""
    own = np.arange(BINS, dtype=np.float32)
    if rng.random() >= share:
        return own
    hertz = own * (speech.RATE / 2 / (BINS - 1))
    knots = np.array([0, 400, 900, 1600, 2600, 4000, 8000])
    octaves = np.clip(rng.normal(0, 0.11), -0.26, 0.26) + rng.normal(0, 0.05, len(knots))
    return np.clip(own * 2 ** np.interp(hertz, knots, octaves), 0, BINS - 1).astype(np.float32)


def reverberate(rng, y, share=0.25):
    """A small room: exponentially falling noise behind the direct sound."""
    if rng.random() >= share:
        return y
    n = int(rng.uniform(0.03, 0.2) * speech.RATE)
    tail = rng.standard_normal(n) * np.exp(-np.linspace(0, 6, n)) * rng.uniform(0.02, 0.12)
    tail[0] = 1.0
    size = -(-(len(y) + n) // 1024) * 1024
    return np.fft.irfft(np.fft.rfft(y, size) * np.fft.rfft(tail, size), size)[: len(y)].astype(np.float32)


def mask(rng, features, valid, share=0.5):
    """SpecAugment on log-mel features [B,N,128], in place: bands and short moments take the clip's mean."""
    for i in range(len(features)):
        if rng.random() >= share:
            continue
        n = int(valid[i].sum())
        mean = features[i, :n].mean()
        for _ in range(int(rng.integers(0, 3))):
            width = int(rng.integers(2, 15))
            low = int(rng.integers(0, 128 - width))
            features[i, :n, low : low + width] = mean
        for _ in range(int(rng.integers(0, 3))):
            width = int(rng.integers(1, 8))
            start = int(rng.integers(0, max(1, n - width)))
            features[i, start : start + width] = mean
    return features


def bins(rng, count):
    return torch.from_numpy(np.stack([vocal_tract(rng) for _ in range(count)]))
