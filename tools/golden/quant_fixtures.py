#!/usr/bin/env python3
"""Writes tests/golden/quants/quants.bin: blocks of every stored dtype with the float32 values that the gguf package
decodes them to, rows with the bytes that it quantises them to, and rows with the bytes that ggml's own K-quant search
finds for them. Needs numpy, gguf and llama-cpp-python (for ggml's library); the tests need only the file.

    quant_fixtures.py tests/golden/quants/quants.bin

Format, little endian: "G3NQ", uint32 record count; each record: 8-byte name padded with zeros, uint32 kind (0 decode,
1 encode, 2 search), uint32 values, uint32 bytes, the bytes, the float32 values. A decode record's bytes are the input;
of the others the values are. A search record's bytes need not be reproduced: its error is the mark to meet.
"""
import ctypes
import pathlib
import struct
import sys

import gguf
import llama_cpp
import numpy as np

T = gguf.GGMLQuantizationType
DECODE = [T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL, T.IQ4_XS]
ENCODE = [T.F16, T.BF16, T.Q8_0, T.Q4_0]
# Byte offsets of the half-precision fields in a block: random bytes there would make infinities.
HALVES = {T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q4_K: [0, 2], T.Q5_K: [0, 2],
          T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0]}


def random_blocks(rng, qtype, values):
    elements, size = gguf.GGML_QUANT_SIZES[qtype]
    count = values // elements
    if qtype == T.F32:
        return rng.standard_normal(values).astype(np.float32).view(np.uint8)
    if qtype == T.F16:
        halves = np.arange(0, 1 << 16, 1 << 7, dtype=np.uint16) + 37  # every exponent, both signs
        return halves[np.isfinite(halves.view(np.float16))].view(np.uint8)
    if qtype == T.BF16:
        return (np.arange(0, 1 << 16, 1 << 7, dtype=np.uint16) + 37).view(np.uint8)
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for i, offset in enumerate(HALVES[qtype]):
        scale = np.exp(rng.uniform(-9, 1, count)) * rng.choice([-1, 1], count)
        scale[0] = 3e-6 * (i + 1)  # a subnormal half
        blocks[:, offset:offset + 2] = scale.astype(np.float16).view(np.uint8).reshape(count, 2)
    return blocks.reshape(-1)


def encode_rows(rng, qtype):
    rows = [rng.standard_normal(256), 0.02 * rng.standard_t(3, 256), rng.uniform(-1e-6, 1e-6, 64), np.zeros(32),
            np.full(32, -0.75), np.linspace(-4, 4, 64), np.eye(1, 32, 5)[0] * 1e-3, rng.integers(-8, 8, 96) * 0.5]
    if qtype in (T.F16, T.BF16):
        bits = rng.integers(0, 1 << 32, 2048, dtype=np.uint32).view(np.float32)
        rows += [bits[np.isfinite(bits) & (np.abs(bits) < 6e4)], np.ldexp(1 + rng.integers(0, 4096, 256) / 4096, -15),
                 np.array([65504, -65504, 65519.99, 6e-8, 2.98e-8, 2.99e-8, -0.0, 1.00048828125, 1.00146484375])]
    return np.concatenate([np.asarray(r, np.float32) for r in rows])


def search(qtype, values):
    ggml = ctypes.CDLL(str(next(pathlib.Path(llama_cpp.__file__).parent.glob('lib/libggml-base.so*'))))
    elements, size = gguf.GGML_QUANT_SIZES[qtype]
    raw = np.zeros(values.size // elements * size, np.uint8)
    function = {T.Q4_K: ggml.quantize_row_q4_K_ref, T.Q6_K: ggml.quantize_row_q6_K_ref}[qtype]
    function(values.ctypes.data_as(ctypes.c_void_p), raw.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(values.size))
    return raw


def main():
    rng = np.random.default_rng(20240611)
    records = []
    for qtype in DECODE:
        raw = random_blocks(rng, qtype, 2048 if gguf.GGML_QUANT_SIZES[qtype][0] == 256 else 256)
        if qtype in (T.F32, T.F16):
            values = raw.view(np.float32 if qtype == T.F32 else np.float16).astype(np.float32)
        else:
            values = gguf.quants.dequantize(raw, qtype)
        records.append((qtype.name, 0, values.astype(np.float32), raw.tobytes()))
    for qtype in ENCODE:
        values = encode_rows(rng, qtype)
        raw = gguf.quants.quantize(values, qtype)
        records.append((qtype.name, 1, values, raw.tobytes()))
    for qtype in (T.Q4_K, T.Q6_K):
        for row in (0.02 * rng.standard_normal(1024), 0.02 * rng.standard_t(3, 1024), rng.uniform(0, 2, 1024)):
            values = row.astype(np.float32)
            records.append((qtype.name, 2, values, search(qtype, values).tobytes()))
    with open(sys.argv[1], 'wb') as out:
        out.write(b'G3NQ' + struct.pack('<I', len(records)))
        for name, kind, values, raw in records:
            out.write(struct.pack('<8sIII', name.encode(), kind, values.size, len(raw)) + raw + values.tobytes())
    print(f'{len(records)} records')


if __name__ == '__main__':
    main()
