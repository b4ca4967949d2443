#!/usr/bin/env python3
"""Speed against context length, both engines, from the newest sweep of a model in bench/results/: plot_lengths.py OUT.svg

    bench/compare_peers.py model.gguf --python peers/bin/python --sweep --results bench/results
    bench/plot_lengths.py docs/speed.svg [--model model.gguf] [--results bench/results]

Needs matplotlib.
"""
import argparse
import glob
import json
import os

import matplotlib

matplotlib.use('agg')
import matplotlib.pyplot as plt  # noqa: E402

from side_by_side.cells import series  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
COLOURS = {'gemma3n': '#1a73e8', 'llama.cpp': '#e8710a'}


def newest_sweep(folder, model):
    found = []
    for path in glob.glob(os.path.join(folder, '*.jsonl')):
        with open(path) as file:
            found += [record for record in map(json.loads, file) if record['sweep'] and model in ('', record['model'])]
    if not found:
        raise SystemExit(f'{folder}: no record of compare_peers.py --sweep' + (f' of {model}' if model else ''))
    return max(found, key=lambda record: record['time'])


def label(length):
    return f'{round(length / 1024)}K' if length >= 1024 else str(length)


def draw(record, path):
    plt.rcParams.update({'font.size': 11, 'svg.fonttype': 'none', 'axes.spines.top': False, 'axes.spines.right': False,
                         'svg.hashsalt': 'gemma3n'})
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8))
    for axis, kind, title in zip(axes, ('prefill', 'decode'), ('Prefill of a prompt', 'Decode after a context')):
        lengths = set()
        for engine, variants in record['samples'].items():
            points = series(variants, kind)
            if points:
                axis.plot(*zip(*points), marker='o', markersize=4, color=COLOURS.get(engine), label=engine)
                lengths |= {n for n, _ in points}
        axis.set_xscale('log', base=2)
        axis.set_xticks(sorted(lengths), [label(n) for n in sorted(lengths)], rotation=45)
        axis.minorticks_off()
        axis.set_ylim(bottom=0)
        axis.set_title(f'{title}, tokens/s')
        axis.grid(axis='y', color='#dddddd')
        axis.legend(frameon=False)
    cpu = record['processor']['model'].replace('(R)', '').replace('(TM)', '')
    figure.supxlabel(f'tokens; {record["model"]}, {cpu}, {record["threads"]} threads', fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={'Date': None})


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('out')
    ap.add_argument('--model', default='')
    ap.add_argument('--results', default=os.path.join(HERE, 'results'))
    args = ap.parse_args()
    draw(newest_sweep(args.results, args.model), args.out)


if __name__ == '__main__':
    main()
