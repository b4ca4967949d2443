#!/usr/bin/env python3
"""Writes src/chat/jinja/unicode_case.cc's tables from this Python's Unicode database:
    python3 tools/unicode_case.py > src/chat/jinja/unicode_case_data.inc
"""
import sys
import unicodedata


def runs(mapping):
    """Ascending (first, last, stride, delta); the stride is 1 or 2."""
    out = []
    for c, target in sorted(mapping.items()):
        delta = target - c
        if out:
            first, last, stride, d = out[-1]
            step = c - last
            if d == delta and (step == stride or (first == last and step in (1, 2))):
                out[-1] = (first, c, step, d)
                continue
        out.append((c, c, 1, delta))
    return out


def emit_runs(name, table):
    print(f'constexpr CaseRun {name}[] = {{')
    line = '   '
    for first, last, stride, delta in table:
        item = f' {{0x{first:X}, 0x{last:X}, {stride}, {delta}}},'
        if len(line) + len(item) > 100:
            print(line)
            line = '   '
        line += item
    print(line + '\n};')


def emit_specials(name, table):
    print(f'constexpr CaseSpecial {name}[] = {{')
    line = '   '
    for c, text in sorted(table.items()):
        item = f' {{0x{c:X}, {{' + ', '.join(f'0x{ord(t):X}' for t in text) + '}},'
        if len(line) + len(item) > 100:
            print(line)
            line = '   '
        line += item
    print(line + '\n};')


characters = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
simple = {'upper': {}, 'lower': {}}
special = {'upper': {}, 'lower': {}, 'title': {}}
for c in characters:
    for way in ('upper', 'lower'):
        text = getattr(chr(c), way)()
        if len(text) > 1:
            special[way][c] = text
        elif text != chr(c):
            simple[way][c] = ord(text)
    if chr(c).title() != chr(c).upper():
        special['title'][c] = chr(c).title()
# Cased without a mapping of its own: str.title('x' + c + 'y') goes on with a small y.
mapped = set(simple['upper']) | set(simple['lower']) | set(special['upper']) | set(special['lower'])
cased = {c: c for c in characters if c not in mapped and (chr(c) + 'y').title()[-1] == 'y'}
print(f'// Made by tools/unicode_case.py from Unicode {unicodedata.unidata_version}. Do not edit.')
emit_runs('kUpper', runs(simple['upper']))
emit_runs('kLower', runs(simple['lower']))
emit_runs('kCasedOnly', runs(cased))
emit_specials('kUpperSpecial', special['upper'])
emit_specials('kLowerSpecial', special['lower'])
emit_specials('kTitleSpecial', special['title'])
