#!/usr/bin/env python3
"""Measures resamplers to 16 kHz: resamplers.py. Needs numpy, soxr (PyPI) and ffmpeg with its soxr.

For 44.1 and 48 kHz in: the gain of tones up to the band's edge, how far a tone's result is from the formula, and what is left
of tones above 8 kHz. All in double precision, one second, the first and last tenth left out.
"""
import subprocess

import numpy as np
import soxr


def aresample(options):
    def resample(x, rate):
        done = subprocess.run(['ffmpeg', '-v', 'error', '-f', 'f64le', '-ar', str(rate), '-ac', '1', '-i', '-', '-af',
                               f'aresample=16000:{options}', '-f', 'f64le', '-c:a', 'pcm_f64le', '-'], input=x.tobytes(),
                              stdout=subprocess.PIPE, check=True)
        return np.frombuffer(done.stdout)
    return resample


CANDIDATES = {
    'libsoxr HQ': lambda x, rate: soxr.resample(x, rate, 16000, quality='HQ'),
    'libsoxr VHQ': lambda x, rate: soxr.resample(x, rate, 16000, quality='VHQ'),
    'swresample, default': aresample('internal_sample_fmt=dblp'),
    'swresample, 64 taps, cutoff 0.95': aresample('internal_sample_fmt=dblp:filter_size=64:cutoff=0.95'),
    'swresample, 256 taps, cutoff 0.97': aresample('internal_sample_fmt=dblp:filter_size=256:cutoff=0.97:kaiser_beta=12'),
}


def tone(hertz, rate):
    return np.sin(2 * np.pi * hertz * np.arange(rate) / rate)


def decibels(x):
    return 20 * np.log10(max(np.sqrt(2 * np.mean(x[1600:14400] ** 2)), 1e-10))


for rate in (44100, 48000):
    for name, resample in CANDIDATES.items():
        gains = [decibels(resample(tone(f, rate), rate)) for f in (6500, 7000, 7300, 7600)]
        errors = [decibels(resample(tone(f, rate), rate)[:16000] - tone(f, 16000)) for f in (440, 1000, 3000, 6000, 7000)]
        aliases = [decibels(resample(tone(f, rate), rate)) for f in (8200, 8700, 9000, 10000, 12000, 15000)]
        print(f'{rate} {name:34} gain at 6.5, 7, 7.3, 7.6 kHz {" ".join(f"{g:7.3f}" for g in gains)} dB; '
              f'worst error to 6 kHz {max(errors[:4]):6.1f}, at 7 kHz {errors[4]:6.1f} dB; '
              f'left of 8.2 kHz {aliases[0]:6.1f}, 8.7 kHz {aliases[1]:6.1f}, 9 kHz and up {max(aliases[2:]):6.1f} dB')
