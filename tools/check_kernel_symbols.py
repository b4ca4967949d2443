#!/usr/bin/env python3
"""Checks that the object files built with wide instruction sets define no weak symbol that code for every processor could
be linked to: check_kernel_symbols.py LIBRARY.a [NM]. Names in gemma3n::simd and in an instruction set's namespace are
their own."""
import re
import subprocess
import sys

OWN = re.compile(r'gemma3n::(simd|avx2|avxvnni|avx512|avx512vnni|avx512bf16|amx|neon|neondot|neoni8mm|neonbf16)::')
# What a wide object file defines: a table or a part of one.
TABLE = re.compile(r'::(kTable|kFloat32|kInt8|kBFloat16|kFewRows|kManyRows\w*)\b')

library, nm = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else 'nm'
output = subprocess.run([nm, '-C', '--defined-only', library], capture_output=True, text=True, check=True).stdout
members = []  # (name, [(kind, symbol)]); several are named table.cc.o
for line in output.splitlines():
    match = re.match(r'\S*\s+(\w)\s+(.*)', line)
    if line.endswith(':'):
        members.append((line[:-1], []))
    elif match:
        members[-1][1].append(match.groups())

wide = [member for member in members if any(TABLE.search(s) and OWN.search(s) for _, s in member[1])]
failures, definers = [], {}
for name, symbols in wide:
    for kind, symbol in symbols:
        if kind in 'WVu' and not OWN.search(symbol):
            failures.append(f'{name}: {symbol} is weak')
        if kind in 'WVu' and definers.setdefault(symbol, name) is not name:
            failures.append(f'{name}: {symbol} is weak, and {definers[symbol]} defines it with other flags')
        if symbol.startswith('_GLOBAL__sub_I'):
            failures.append(f'{name}: runs code before main ({symbol})')
print('\n'.join(failures + [f'{len(wide)} wide object files checked, {len(failures)} failures']))
sys.exit(bool(failures))
