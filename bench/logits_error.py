#!/usr/bin/env python3
"""How far logits are from float32 on the same file, of gemma3n's fast arithmetic and of llama.cpp's, side by side.

    peers/bin/python bench/logits_error.py MODEL.gguf [--tokens 48] [--way "Q8 cache=--kv q8"]

The reference is gemma3n with `--precision f32`, which tests prove against transformers. Two ways through the model are compared: the
prompt as one batch (prefill), and token by token (decode). Per way: the difference's rms over the logits' rms about each position's
mean, the mean Kullback-Leibler divergence from the reference in nats, and how often the most probable token is the same.
llama.cpp also differs where it deviates from the model: the variance of sparse gates over F - 1, GELU from a table.
Needs numpy and llama-cpp-python. Random words unless --prompt gives a text.
"""
import argparse
import json
import os
import random
import shlex
import sys
import tempfile

import numpy as np

from side_by_side import engines

HERE = os.path.dirname(os.path.abspath(__file__))


def ours(args, tokens, flags):
    with tempfile.TemporaryDirectory() as folder:
        ids, out = os.path.join(folder, 'ids.json'), os.path.join(folder, 'logits.npy')
        with open(ids, 'w') as file:
            json.dump(tokens, file)
        engines.run([args.gemma3n, 'logits', '--model', args.model, '--threads', args.threads, '--tokens', ids, '--output', out,
                     '--context', 1024, *flags])
        return np.load(out)


def llama(args, tokens, flags):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, 'logits.npy')
        engines.run([sys.executable, os.path.join(HERE, 'side_by_side/llama_child.py'), args.model, '--threads', args.threads,
                     '--context', 1024, *flags, '--logits', out, '--tokens', *tokens])
        return np.load(out)


def log_softmax(logits):
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def compare(logits, exact):
    """(relative rms, divergence in nats, agreement of the best) of [T, V] against [T, V]."""
    vocab = min(logits.shape[1], exact.shape[1])
    a, b = logits[:, :vocab].astype(np.float64), exact[:, :vocab].astype(np.float64)
    spread = np.sqrt(((b - b.mean(-1, keepdims=True))**2).mean())
    p, q = log_softmax(b), log_softmax(a)
    return (np.sqrt(((a - b)**2).mean()) / spread, (np.exp(p) * (p - q)).sum(-1).mean(), (a.argmax(-1) == b.argmax(-1)).mean())


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('model')
    ap.add_argument('--gemma3n', default=os.path.join(HERE, '../build/release/bin/gemma3n'))
    ap.add_argument('--tokens', type=int, default=48)
    ap.add_argument('--prompt', help='a text in place of random words')
    ap.add_argument('--threads', type=int, default=os.cpu_count())
    ap.add_argument('--reference', default='--precision f32', help="gemma3n's arguments for float32")
    ap.add_argument('--way', action='append', default=[], metavar='NAME=ARGS', help='another way to run gemma3n')
    ap.add_argument('--alone', action='store_true', help='without llama.cpp')
    ap.add_argument('--llama-variants', nargs='+', default=['flash', 'no flash'], choices=engines.Llama.OPTIONS)
    args = ap.parse_args()
    if args.prompt:
        tokens = engines.Gemma3n(args.gemma3n, args.threads).tokenize(args.model, args.prompt)
    else:
        rng = random.Random(1)
        tokens = [2] + [rng.randrange(1000, 250000) for _ in range(args.tokens - 1)]
    ways = [('gemma3n', ours, [])] + [(f'gemma3n, {name}', ours, shlex.split(flags))
                                      for name, _, flags in (way.partition('=') for way in args.way)]
    if not args.alone:
        ways += [(f'llama.cpp, {v}', llama, engines.Llama.OPTIONS[v]) for v in args.llama_variants]
    exact = ours(args, tokens, shlex.split(args.reference))
    print(f'{os.path.basename(args.model)}, {len(tokens)} tokens, against {args.gemma3n} {args.reference}\n')
    print('| | as one batch: error, divergence, same best | token by token |\n|---|---|---|')
    for name, run, flags in ways:
        cells = []
        for slow in (False, True):
            one_by_one = [] if not slow else ['--prefill-chunk', 1] if run is ours else ['--one-by-one']
            error, divergence, same = compare(run(args, tokens, flags + one_by_one), exact)
            cells.append(f'{100 * error:.3f} %, {divergence:.1e}, {same:.0%}')
        print(f'| {name} | {cells[0]} | {cells[1]} |', flush=True)


if __name__ == '__main__':
    main()
