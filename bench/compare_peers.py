#!/usr/bin/env python3
"""gemma3n beside llama.cpp on one GGUF file, in turns: speed, start and memory, with the machine's own limits.

    compare_peers.py MODEL.gguf --gemma3n build/release/bin/gemma3n --python peers/bin/python [--quick | --full | --sweep]

--quick (default): prefill of 512 and 2,048, decode after 512 and 4K, start to first token, peak memory: some ten minutes
--full:  prefill of 16K and decode after it, too (llama.cpp takes a quarter of an hour for each)
--sweep: lengths from 1 to 32K once, for bench/plot_lengths.py

Each engine works in a process of its own per pass, the engines in turns. Of llama.cpp's settings (--variants) the better one
counts in each row; what is best in none after the first turn is not run again. Interrupted by Control-C or SIGTERM, it
reports what it has. Python's standard library only; llama.cpp runs under --python, which needs llama-cpp-python. Progress on
stderr, the table on stdout, both appended to bench/results/.
"""
import argparse
import datetime
import json
import os
import shlex
import signal
import sys

from side_by_side import engines
from side_by_side.cells import CELLS, best_limits, table, winners
from side_by_side.needs import needs_of
from side_by_side.report import processor, save, section
from side_by_side.settle import settle

HERE = os.path.dirname(os.path.abspath(__file__))
SWEEP = [1, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 32512]  # the last leaves room in the context of 32K for what is decoded
FIRST_TOKEN_PROMPT = 16
MEMORY_LENGTH = 4096  # a pass that ends here tells the peak memory


def note(*words):
    print(f'{datetime.datetime.now():%H:%M:%S}', *words, file=sys.stderr, flush=True)


class Comparison:
    def __init__(self, args, ours, peers):
        self.args = args
        self.engines = [ours, *peers]
        self.samples = {engine.name: {variant: {} for variant in engine.variants} for engine in self.engines}
        self.notes, self.limits, self.dropped = {}, [], set()
        self.prompt = engines.text_of_tokens(ours, args.model, FIRST_TOKEN_PROMPT)

    def add(self, engine, variant, key, value):
        self.samples[engine.name][variant].setdefault(key, []).append(value)
        note(f'{engine.name:9} {variant:10} {key:14} {value:.3f}')

    def turns(self):
        every = [(engine, variant) for engine in self.engines for variant in engine.variants]
        return [turn for turn in every if turn not in self.dropped]

    def drop_losers(self):
        """What was best in no row of the first turn is not run again."""
        for engine, variant in self.turns():
            if variant not in winners(self.samples[engine.name]) and len(engine.variants) > 1:
                self.dropped.add((engine, variant))
                note(f'{engine.name:9} {variant:10} is the best in no row: dropped')

    def measure_machine(self):
        if self.args.limits:
            self.limits.append(json.loads(engines.run([self.args.limits, '--json', self.args.threads])))
            note('machine  ', self.limits[-1])

    def run_pass(self, lengths, decode):
        for engine, variant in self.turns():
            note(f'{engine.name:9} {variant:10} lengths {lengths} ...')
            figures = engine.measure(self.args.model, lengths, decode, variant)
            self.notes[f'{engine.name} {variant}'.strip()] = figures['notes']
            for key, value in figures.items():
                if key.startswith(('prefill', 'decode')) and value:
                    self.add(engine, variant, key, value)
            if max(lengths) == MEMORY_LENGTH:
                self.add(engine, variant, 'peak memory', figures['peak_bytes'] / 1e9)

    def run_first_token(self):
        for engine, variant in self.turns():
            if (seconds := engine.first_token(self.args.model, *self.prompt, variant)) is not None:
                self.add(engine, variant, 'first token', seconds)

    def run(self):
        args = self.args
        if args.settle:
            note('settling memory ...')
            settle(args.model)
            for engine, variant in self.turns():  # their own memory is new as well, and comes slowly once
                engine.first_token(args.model, *self.prompt, variant)
        engines.warm_page_cache(args.model)
        if args.sweep:
            self.measure_machine()
            return self.run_pass(args.lengths or SWEEP, args.decode)
        for i in range(max(args.repeats, args.start_repeats, args.long_repeats if args.full else 0)):
            self.measure_machine()
            if i < args.start_repeats:
                self.run_first_token()
            if i < args.repeats:
                self.run_pass(args.lengths or [512, 2048, MEMORY_LENGTH], args.decode)
            if args.full and i < args.long_repeats:
                self.run_pass([16384], args.decode)
            if i == 0:
                self.drop_losers()

    def record(self, interrupted):
        args = self.args
        limits = {str(n): best_limits(self.limits, n) for n in (1, args.threads) if self.limits}
        needs = needs_of(args.model)
        return {'time': datetime.datetime.now().isoformat(timespec='seconds'), 'model': os.path.basename(args.model),
                'file_bytes': os.path.getsize(args.model), 'threads': args.threads, 'processor': processor(),
                'engines': [engine.about() for engine in self.engines], 'notes': self.notes, 'limits': limits,
                'samples': self.samples, 'interrupted': interrupted, 'sweep': args.sweep,
                'needs': {'prompt_macs': {n: needs.prompt_macs(n) / n for n in (512, 2048, 16384)},
                          'decode_bytes': {n: needs.decode_bytes(n) for n in (512, 4096, 16384)}},
                'command': shlex.join(['compare_peers.py', *map(os.path.basename, sys.argv[1:])]),
                'rows': table(self.samples, needs, limits.get(str(args.threads)), cells=CELLS)}


def parse():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('model')
    ap.add_argument('--gemma3n', default=os.path.join(HERE, '../build/release/bin/gemma3n'))
    ap.add_argument('--arguments', default='', help='more arguments for gemma3n, such as "--precision f32"')
    ap.add_argument('--limits', help='the program peak_bench (default: beside gemma3n, if there)')
    ap.add_argument('--python', default=sys.executable, help='a Python with llama-cpp-python')
    ap.add_argument('--alone', action='store_true', help='without llama.cpp')
    ap.add_argument('--variants', nargs='+', default=['flash', 'no flash'], choices=engines.Llama.OPTIONS,
                    help="llama.cpp's settings to try")
    ap.add_argument('--mistralrs-python', help='a Python with mistralrs, to run it, too')
    ap.add_argument('--mistralrs-model', help='a hub directory for it, in place of the GGUF file')
    ap.add_argument('--openvino-python', help='a Python with openvino and optimum-intel, to run them, too')
    ap.add_argument('--openvino-model', help='what optimum-cli exported (see side_by_side/openvino_child.py)')
    ap.add_argument('--threads', type=int, default=os.cpu_count())
    mode = ap.add_mutually_exclusive_group()
    for name in ('quick', 'full', 'sweep'):
        mode.add_argument(f'--{name}', action='store_true')
    ap.add_argument('--lengths', type=int, nargs='+', help='of the passes, ascending, in place of the usual ones')
    ap.add_argument('--decode', type=int, default=32, help='tokens decoded after each length')
    ap.add_argument('--repeats', type=int, default=3)
    ap.add_argument('--start-repeats', type=int, default=5)
    ap.add_argument('--long-repeats', type=int, default=1, help='of 16K')
    ap.add_argument('--settle', action='store_true',
                    help='first write once to nearly all free memory and read the file anew: in a virtual machine')
    ap.add_argument('--results', default=os.path.join(HERE, 'results'), help="a folder, or '' to keep nothing")
    args = ap.parse_args()
    if not os.path.isfile(args.model):
        ap.error(f'{args.model}: expected a GGUF file, which "gemma3n quantize" writes from any checkpoint')
    beside = os.path.join(os.path.dirname(args.gemma3n), 'peak_bench')
    args.limits = args.limits or (beside if os.path.exists(beside) else None)
    return args


def main():
    args = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ours = engines.Gemma3n(args.gemma3n, args.threads, shlex.split(args.arguments))
    peers = [] if args.alone else engines.llama_if_there(args.python, args.threads, args.variants)
    if args.mistralrs_python:
        peers.append(engines.MistralRs(args.mistralrs_python, args.threads, args.mistralrs_model))
    if args.openvino_python:
        peers.append(engines.OpenVino(args.openvino_python, args.threads, args.openvino_model))
    interrupted = False
    comparison = Comparison(args, ours, peers)
    try:
        comparison.run()
    except KeyboardInterrupt:
        interrupted = True
    except engines.EngineFailed as error:
        interrupted = True
        note(error)
    record = comparison.record(interrupted)
    print(section(record))
    if args.results:
        note('kept in', save(record, args.results) + '.{jsonl,md}')
    return 1 if interrupted else 0


if __name__ == '__main__':
    sys.exit(main())
