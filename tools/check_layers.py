#!/usr/bin/env python3
"""Checks that includes follow the arrows of the architecture: check_layers.py [ROOT]. Prints each arrow that does not."""
import pathlib
import re
import sys

ALLOWED = {
    'base': set(),
    'tensor': {'base'},
    'kernels': {'tensor', 'base'},
    'formats': {'tensor', 'base'},
    'tokenizer': {'base'},
    'media': {'base'},
    'model': {'kernels', 'formats', 'tensor', 'base'},
    'sampling': {'base'},
    'chat': {'tokenizer', 'formats', 'base'},
    'constraint': {'formats', 'base'},
    'convert': {'model', 'kernels', 'formats', 'tokenizer', 'tensor', 'base'},
    'runtime': {'model', 'media', 'chat', 'sampling', 'constraint', 'tokenizer', 'kernels', 'formats', 'tensor', 'base'},
    'server': {'runtime', 'chat', 'tokenizer', 'media', 'formats', 'base'},
    'cli': {'runtime', 'server', 'media', 'convert', 'tokenizer', 'base'},
}

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else '.')
bad = checked = 0
for path in sorted((root / 'src').rglob('*')):
    if path.suffix not in ('.h', '.cc'):
        continue
    room = path.relative_to(root / 'src').parts[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#include "([a-z_0-9]+)/', line)
        if not match or match[1] in ('gemma3n', room):
            continue
        checked += 1
        if match[1] not in ALLOWED.get(room, set()):
            print(f'{path.relative_to(root)}:{number}: {room} may not see {match[1]}')
            bad += 1
print(f'{checked} includes across rooms checked, {bad} against the arrows')
sys.exit(bad > 0 or checked == 0)
