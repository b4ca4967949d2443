"""Random weights under which every tensor of a Gemma 3n text model matters and float32 rounding stays small.

Wild weights (all norms one) make attention nearly one-hot and amplify rounding a thousandfold: two correct float32
implementations then differ by 0.01 and a test can prove nothing. Here scores have a spread of one to three, what a layer
adds is a quarter of what passes by, logits have a spread near one.
"""
import math
import zlib

import numpy as np

_POST_NORMS = ('post_attention_layernorm', 'post_feedforward_layernorm', 'post_laurel_norm', 'post_per_layer_input_norm')


def _generator(seed, name):
    # One stream per tensor: adding or removing a tensor leaves the others as they were.
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))


def tame(name, shape, seed, coupling=1.0):
    """float32 values of the tensor `name` (any prefix). coupling: of the AltUp streams; deep models need less of it."""
    noise = _generator(seed, name).standard_normal(shape, dtype=np.float64)
    if name.endswith('altup.correct_output_scale'):
        values = 0.8 + 0.3 * noise
    elif any(n in name for n in _POST_NORMS):
        values = 0.25 * (1 + 0.3 * noise)
    elif 'q_norm' in name or 'k_norm' in name:
        values = 0.6 * (1 + 0.2 * noise)
    elif 'norm' in name:
        values = 1 + 0.15 * noise
    elif 'altup.modality_router' in name:
        values = 0.7 * math.sqrt(shape[1]) * noise  # the router divides its input by the width: without this tanh(0)
    elif 'altup.prediction_coefs' in name:
        values = 0.1 * coupling * noise
    elif 'altup.correction_coefs' in name:
        values = 0.25 * coupling * noise
    else:  # projections, and tables whose rows are scaled by sqrt(width) when looked up
        values = noise / math.sqrt(shape[-1])
    return values.astype(np.float32)
