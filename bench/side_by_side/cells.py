"""The table: its rows, their goals against llama.cpp, and what the samples make of them. No measuring here."""
from dataclasses import dataclass
from statistics import median

GIGA = 1e9


@dataclass(frozen=True)
class Cell:
    key: str            # of the samples: 'prefill 512', 'decode 4096', 'first token', 'peak memory'
    title: str
    unit: str
    goal: float         # how many times better than llama.cpp
    limit: float = None  # and at most this much of the unit

    @property
    def kind(self):
        return self.key.split()[0]

    @property
    def length(self):
        return int(self.key.split()[1])

    @property
    def more_is_better(self):
        return self.kind in ('prefill', 'decode')


CELLS = [
    Cell('prefill 512', 'prefill of 512', 'tok/s', 6),
    Cell('prefill 2048', 'prefill of 2,048', 'tok/s', 6),
    Cell('prefill 16384', 'prefill of 16K', 'tok/s', 8),
    Cell('decode 512', 'decode after 512', 'tok/s', 1.25),
    Cell('decode 4096', 'decode after 4K', 'tok/s', 1.5),
    Cell('decode 16384', 'decode after 16K', 'tok/s', 2),
    Cell('first token', 'start to first token, 16-token prompt', 's', 2),
    Cell('peak memory', 'peak resident memory, 4K context', 'GB', 2, 3.2),
]
SHARE_GOALS = {'prefill': 0.6, 'decode': 0.9}


def best_variant(cell, variants):
    """The variant with the best median: {variant: samples} -> (name, median), or None."""
    medians = {name: median(values) for name, values in variants.items() if values}
    if not medians:
        return None
    name = (max if cell.more_is_better else min)(medians, key=medians.get)
    return name, medians[name]


def series(variants, kind):
    """Sorted (length, the best variant's median) of all that was measured of 'prefill' or 'decode'."""
    best = {}
    for figures in variants.values():
        for key, values in figures.items():
            if key.startswith(kind + ' ') and values:
                length = int(key.split()[1])
                best[length] = max(best.get(length, 0), median(values))
    return sorted(best.items())


def winners(variants, cells=CELLS):
    """The names of those variants that are the best one in some row: {variant: {cell key: [values]}}."""
    found = {best_variant(cell, {v: figures.get(cell.key, []) for v, figures in variants.items()}) for cell in cells}
    return {best[0] for best in found if best}


def ratio(cell, ours, theirs):
    """How many times better ours is."""
    return ours / theirs if cell.more_is_better else theirs / ours


def share_of_machine(cell, value, needs, limits):
    """Of the peak int8 rate for prefill, of the read bandwidth for decode; None for the others."""
    if limits is None or needs is None or cell.kind not in SHARE_GOALS:
        return None
    if cell.kind == 'prefill':
        return value * needs.prompt_macs(cell.length) / cell.length / (limits['int8_gmacs'] * GIGA)
    return value * needs.decode_bytes(cell.length) / (limits['read_gbytes'] * GIGA)


def best_limits(samples, threads):
    """The best of several measurements of the machine, each a list with one entry per number of threads."""
    entries = [entry for sample in samples for entry in sample if entry['threads'] == threads]
    if not entries:
        return None
    return {key: max(entry[key] for entry in entries) for key in entries[0]}


def table(samples, needs, limits, goals=True, cells=CELLS):
    """Rows of dicts. samples: {engine: {variant: {cell key: [values]}}}; cells no engine has samples of are left out."""
    rows = []
    for cell in cells:
        best = {engine: best_variant(cell, {v: figures.get(cell.key, []) for v, figures in variants.items()})
                for engine, variants in samples.items()}
        ours, theirs = best.get('gemma3n'), best.get('llama.cpp')
        if ours is None and theirs is None:
            continue
        row = {'key': cell.key, 'title': cell.title, 'unit': cell.unit, 'goal': cell.goal if goals else None,
               'ours': ours and ours[1], 'theirs': theirs and theirs[1], 'their_variant': theirs and theirs[0],
               'ratio': None, 'share': None, 'met': None,
               'counts': [len(samples.get(engine, {}).get(found[0], {}).get(cell.key, [])) if found else 0
                          for engine, found in (('gemma3n', ours), ('llama.cpp', theirs))]}
        row['others'] = {engine: found[1] for engine, found in best.items() if found and engine not in ('gemma3n', 'llama.cpp')}
        if ours:
            row['share'] = share_of_machine(cell, ours[1], needs, limits)
        if ours and theirs:
            row['ratio'] = ratio(cell, ours[1], theirs[1])
            row['met'] = row['ratio'] >= cell.goal and (cell.limit is None or ours[1] <= cell.limit)
        rows.append(row)
    return rows
