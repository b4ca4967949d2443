#!/usr/bin/env python3
"""Checks that the object files built with wide instruction sets define no weak symbol that code for every processor could
be linked to: check_kernel_symbols.py LIBRARY.a [NM]. Names in gemma3n::simd, avx2 or avx512 are their own."""
import re
import subprocess
import sys

OWN = re.compile(r'gemma3n::(simd|avx2|avx512)::')

library, nm = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else 'nm'
output = subprocess.run([nm, '-C', '--defined-only', library], capture_output=True, text=True, check=True).stdout
member, members, tables, bad, initialisers = '', 0, 0, [], []
for line in output.splitlines():
    if line.endswith(':'):
        member = line[:-1]
        members += 1
        continue
    match = re.match(r'\S*\s+(\w)\s+(.*)', line)
    # Both tables' files are named table.cc.o: recognise a wide one by what it defines.
    if match and 'kTable' in match[2] and OWN.search(match[2]):
        tables += 1
    if match and match[1] in 'WVu' and not OWN.search(match[2]):
        bad.append((members, member, match[2]))
    if match and match[2].startswith('_GLOBAL__sub_I'):
        initialisers.append((members, member, match[2]))

# Which members are wide: those that define a table of their own.
wide, number = set(), 0
for line in output.splitlines():
    if line.endswith(':'):
        number += 1
    elif 'kTable' in line and OWN.search(line):
        wide.add(number)

failures = [f'{name}: {symbol} is weak' for index, name, symbol in bad if index in wide]
failures += [f'{name}: runs code before main ({symbol})' for index, name, symbol in initialisers if index in wide]
print('\n'.join(failures + [f'{len(wide)} wide object files checked, {len(failures)} failures']))
sys.exit(bool(failures))
