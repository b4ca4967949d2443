"""What a run leaves behind: a line of JSON and a table in Markdown, under bench/results/ by date and processor."""
import datetime
import json
import os
import re
import subprocess

from side_by_side.cells import SHARE_GOALS, series


def processor():
    """What lscpu says of the processor: {'model', 'cores', 'flags'}; empty without lscpu."""
    try:
        out = subprocess.run(['lscpu', '--json'], capture_output=True, text=True, env=dict(os.environ, LC_ALL='C')).stdout
        fields = {}

        def walk(entries):
            for entry in entries:
                fields[entry['field'].rstrip(':')] = entry['data']
                walk(entry.get('children', []))

        walk(json.loads(out)['lscpu'])
    except (OSError, ValueError, KeyError):
        return {'model': 'unknown processor', 'cores': '?', 'flags': ''}
    interesting = re.compile(r'^(avx|amx|fma|f16c|asimd|i8mm|bf16|sve|sme|fphp)')
    flags = ' '.join(flag for flag in (fields.get('Flags') or '').split() if interesting.match(flag))
    return {'model': fields.get('Model name', 'unknown processor'), 'cores': fields.get('CPU(s)', '?'), 'flags': flags}


def file_stem(cpu, now):
    name = re.sub(r'[^a-z0-9]+', '-', re.sub(r'\((r|tm)\)', '', cpu['model'].lower())).strip('-')
    return f'{now:%Y-%m-%d}-{name}'


def number(value, unit):
    if value is None:
        return '-'
    return f'{value:.2f} {unit}' if unit != 'tok/s' else f'{value:.1f} {unit}'


def percent(share, kind):
    if share is None:
        return ''
    goal = SHARE_GOALS[kind]
    return f'{100 * share:.0f} % ({goal:.0%} {"met" if share >= goal else "not met"})'


def markdown(rows):
    others = sorted({engine for row in rows for engine in row['others']})
    lines = ['| work | gemma3n | llama.cpp | ratio | goal | | of the machine |' + ''.join(f' {name} |' for name in others),
             '|---|---|---|---|---|---|---|' + '---|' * len(others)]
    for row in rows:
        variant = f' ({row["their_variant"]})' if row['their_variant'] else ''
        met = {None: '', True: 'met', False: 'not met'}[row['met'] if row['goal'] else None]
        goal = '' if row['goal'] is None else f'{row["goal"]:g}x'
        ratio = '-' if row['ratio'] is None else f'{row["ratio"]:.2f}x'
        lines.append(f'| {row["title"]} | {number(row["ours"], row["unit"])} | {number(row["theirs"], row["unit"])}{variant} '
                     f'| {ratio} | {goal} | {met} | {percent(row["share"], row["key"].split()[0])} |' +
                     ''.join(f' {number(row["others"].get(name), row["unit"])} |' for name in others))
    return '\n'.join(lines)


def lengths_table(samples):
    columns = [(f'{kind}, {engine}', dict(series(variants, kind))) for kind in ('prefill', 'decode')
               for engine, variants in samples.items()]
    lines = ['| tokens | ' + ' | '.join(title for title, _ in columns) + ' |', '|---' * (len(columns) + 1) + '|']
    for length in sorted({n for _, found in columns for n in found}):
        lines.append(f'| {length:,} | ' + ' | '.join(number(found.get(length), 'tok/s') for _, found in columns) + ' |')
    return '\n'.join(lines)


def preamble(record):
    cpu, limits = record['processor'], record['limits'] or {}
    lines = [f'{cpu["model"]}, {cpu["cores"]} processors ({cpu["flags"]}); {record["threads"]} threads.']
    for about in record['engines']:
        known = [about[key] for key in ('engine', 'version', 'commit', 'binding', 'system', 'arguments') if about.get(key)]
        lines.append(', '.join(known) + '.')
    for threads, found in sorted(limits.items()):
        rates = ', '.join(f'{kind} {found[kind + "_gmacs"]:,.0f} GMAC/s' for kind in ('int8', 'bf16', 'float32')
                          if kind + '_gmacs' in found)
        plural = 's' if int(threads) > 1 else ''
        lines.append(f'The machine with {threads} thread{plural}: {rates}, reads {found["read_gbytes"]:.1f} GB/s.')
    return '\n'.join(lines)


def section(record):
    text = f'## {os.path.basename(record["model"])}, {record["time"]}\n\n{preamble(record)}\n'
    if record['interrupted']:
        text += '\nInterrupted: what had been measured until then.\n'
    runs = {row['title']: [count for count in row['counts'] if count] for row in record['rows']}
    most = max((max(counts) for counts in runs.values()), default=0)
    fewer = [f'{title}: {min(counts)}' for title, counts in runs.items() if min(counts) < most]
    if record['sweep']:
        text += f'\n{lengths_table(record["samples"])}\n'
    text += f'\n{markdown(record["rows"])}\n\nMedians of up to {most} runs in turns'
    return text + (f' ({", ".join(fewer)})' if fewer else '') + f'. {record["command"]}\n'


def save(record, folder):
    """Appends to the day's files of this processor; returns their common path without suffix."""
    os.makedirs(folder, exist_ok=True)
    stem = os.path.join(folder, file_stem(record['processor'], datetime.datetime.fromisoformat(record['time'])))
    with open(stem + '.jsonl', 'a') as file:
        file.write(json.dumps(record) + '\n')
    new = not os.path.exists(stem + '.md')
    with open(stem + '.md', 'a') as file:
        file.write(('# Beside llama.cpp\n\n' if new else '\n') + section(record))
    return stem
