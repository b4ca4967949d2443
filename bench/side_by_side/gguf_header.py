"""The head of a GGUF file: its metadata and where each tensor lies. Standard library only; for files one trusts."""
import math
import struct
from dataclasses import dataclass

# type number -> name, values in a block, bytes of a block
TYPES = {0: ('F32', 1, 4), 1: ('F16', 1, 2), 2: ('Q4_0', 32, 18), 3: ('Q4_1', 32, 20), 6: ('Q5_0', 32, 22),
         7: ('Q5_1', 32, 24), 8: ('Q8_0', 32, 34), 10: ('Q2_K', 256, 84), 11: ('Q3_K', 256, 110), 12: ('Q4_K', 256, 144),
         13: ('Q5_K', 256, 176), 14: ('Q6_K', 256, 210), 30: ('BF16', 1, 2)}
SCALARS = {0: 'B', 1: 'b', 2: 'H', 3: 'h', 4: 'I', 5: 'i', 6: 'f', 7: '?', 10: 'Q', 11: 'q', 12: 'd'}
STRING, ARRAY = 8, 9


@dataclass
class Tensor:
    name: str
    shape: tuple  # innermost first, as GGUF has it: (in, out, ...)
    kind: str
    bytes: int

    @property
    def elements(self):
        return math.prod(self.shape)


class _Reader:
    def __init__(self, file):
        self.file = file

    def scalar(self, code):
        size = struct.calcsize('<' + code)
        return struct.unpack('<' + code, self.file.read(size))[0]

    def text(self):
        return self.file.read(self.scalar('Q')).decode('utf-8', 'replace')

    def value(self, kind):
        if kind == STRING:
            return self.text()
        if kind != ARRAY:
            return self.scalar(SCALARS[kind])
        element, count = self.scalar('I'), self.scalar('Q')
        if element in SCALARS:
            size = struct.calcsize('<' + SCALARS[element])
            return list(struct.unpack(f'<{count}{SCALARS[element]}', self.file.read(count * size)))
        return [self.value(element) for _ in range(count)]


def read_header(path):
    """Returns (metadata as a dict, list of Tensor)."""
    with open(path, 'rb') as file:
        reader = _Reader(file)
        if file.read(4) != b'GGUF':
            raise ValueError(f'{path}: expected a GGUF file')
        reader.scalar('I')
        tensors, values = reader.scalar('Q'), reader.scalar('Q')
        metadata = {}
        for _ in range(values):
            key = reader.text()
            metadata[key] = reader.value(reader.scalar('I'))
        found = []
        for _ in range(tensors):
            name = reader.text()
            shape = tuple(reader.scalar('Q') for _ in range(reader.scalar('I')))
            kind, block, size = TYPES[reader.scalar('I')]
            reader.scalar('Q')
            found.append(Tensor(name, shape, kind, math.prod(shape) // block * size))
    return metadata, found
