"""Writes .safetensors files byte for byte the same on every run: no metadata, tensors in the given order, no alignment."""
import json
import struct

import numpy as np

_NUMPY = {'F32': np.float32, 'F16': np.float16}


def bf16_bits(values):
    """float32 array -> uint16 bits of the nearest bfloat16 (ties to even). Values must be finite."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def encode(values, dtype):
    """Little-endian bytes of a float array as 'F32', 'F16' or 'BF16'."""
    if dtype == 'BF16':
        return bf16_bits(values).astype('<u2').tobytes()
    return np.ascontiguousarray(values, _NUMPY[dtype]).tobytes()


def write(path, tensors):
    """tensors: list of (name, dtype, array); dtype: 'F32', 'F16' or 'BF16'. Returns the bytes of tensor data."""
    header, blobs, offset = {}, [], 0
    for name, dtype, values in tensors:
        blob = encode(values, dtype)
        header[name] = {'dtype': dtype, 'shape': list(np.shape(values)), 'data_offsets': [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    head = json.dumps(header, separators=(',', ':')).encode()
    head += b' ' * (-len(head) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(head)))
        f.write(head)
        f.writelines(blobs)
    return offset
