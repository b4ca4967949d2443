#!/usr/bin/env python3
"""llama.cpp through llama-cpp-python's C calls (no Python between them): one process, one JSON line per figure.

    llama_child.py --about                                            versions and the processor's features in use
    llama_child.py MODEL.gguf --lengths 512 2048 --decode 32 ...      prefill to each length, then decode from there
    llama_child.py MODEL.gguf --first-token ID ID ...                 start to first token, by the system's monotonic clock
    llama_child.py MODEL.gguf --logits OUT.npy --tokens ID ...              logits of every position, float32

Runs under whichever Python has llama-cpp-python; side_by_side.llama starts it.
"""
import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time


def peak_resident_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


START = time.monotonic()
try:
    import llama_cpp as lib
    import numpy as np
except ImportError as error:
    sys.exit(f'llama-cpp-python is not to be had in {sys.executable}: {error}')
IMPORTED, BARE_BYTES = time.monotonic(), peak_resident_bytes()
FLASH = {'auto': -1, 'off': 0, 'on': 1}


def say(**figures):
    print(json.dumps(figures), flush=True)


class Model:
    def __init__(self, args, outputs=1):
        self.log, self.stderr = tempfile.TemporaryFile('w+'), os.dup(2)
        os.dup2(self.log.fileno(), 2)  # llama.cpp's many words; some of them are wanted
        lib.llama_backend_init()
        params = lib.llama_model_default_params()
        params.n_gpu_layers, params.use_extra_bufts = 0, args.repack
        self.model = lib.llama_model_load_from_file(args.model.encode(), params)
        if not self.model:
            self.fail('llama.cpp cannot load the model')
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = args.context, args.batch, args.batch
        params.n_threads = params.n_threads_batch = args.threads
        params.flash_attn_type, params.swa_full = FLASH[args.flash], args.swa_full
        params.no_perf = True
        self.context = lib.llama_init_from_model(self.model, params)
        if not self.context:
            self.fail('llama.cpp cannot make a context')
        self.batch, self.context_size = args.batch, args.context
        self.vocab = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model))

    def lines(self):
        self.log.seek(0)
        return [line.strip() for line in self.log]

    def fail(self, what):
        os.dup2(self.stderr, 2)
        sys.exit(f'{what}: ' + ' / '.join(self.lines()[-4:]))

    def feed(self, tokens):
        """Appends tokens; returns when they are computed."""
        for i in range(0, len(tokens), self.batch):
            part = (lib.llama_token * min(self.batch, len(tokens) - i))(*tokens[i:i + self.batch])
            if lib.llama_decode(self.context, lib.llama_batch_get_one(part, len(part))) != 0:
                self.fail(f'llama_decode failed at token {i} of {len(tokens)}')
        lib.llama_synchronize(self.context)

    def last_logits(self):
        return np.ctypeslib.as_array(lib.llama_get_logits_ith(self.context, -1), shape=(self.vocab,))

    def forget(self):
        lib.llama_memory_clear(lib.llama_get_memory(self.context), True)

    def buffers(self):
        return [line for line in self.lines() if 'buffer size' in line]


def measure_lengths(args):
    start = time.monotonic()
    model = Model(args)
    loaded = time.monotonic() - start
    rng, seconds, prefilled, position = random.Random(args.seed), 0.0, 0, 0
    word = lambda: rng.randrange(1000, model.vocab - 1000)  # neither special nor of another medium
    model.feed([2] + [word() for _ in range(15)])  # to warm up
    model.feed([word()])
    model.forget()
    for length in args.lengths:
        prompt = [word() for _ in range(length - position)]
        start, busy = time.monotonic(), time.process_time()
        model.feed(prompt)
        token = int(model.last_logits().argmax())
        seconds, prefilled = seconds + time.monotonic() - start, prefilled + len(prompt)
        busy = time.process_time() - busy
        start = time.monotonic()
        for _ in range(args.decode):
            model.feed([token])
            token = int(model.last_logits().argmax())
        decode = time.monotonic() - start
        position = length + args.decode
        say(length=length, prefill=prefilled / seconds, decode=args.decode / decode if args.decode else None,
            prefill_processor_seconds=busy)
    say(load_seconds=loaded, peak_bytes=peak_resident_bytes() - BARE_BYTES, buffers=model.buffers())


def first_token(args):
    model = Model(args)
    model.feed(args.first_token)
    token = int(model.last_logits().argmax())
    done = time.monotonic()
    say(seconds=done - IMPORTED, import_seconds=IMPORTED - START, token=token)


def all_logits(args):
    model = Model(args)
    rows = []
    for token in args.tokens if args.one_by_one else ():
        model.feed([token])
        rows.append(model.last_logits().copy())
    if not args.one_by_one:
        n = len(args.tokens)
        batch = lib.llama_batch_init(n, 0, 1)
        batch.n_tokens = n
        for i, token in enumerate(args.tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, i, 1, 0, 1
        if lib.llama_decode(model.context, batch) != 0:
            model.fail(f'llama_decode failed on a batch of {n}')
        rows = [np.ctypeslib.as_array(lib.llama_get_logits_ith(model.context, i), shape=(model.vocab,)).copy()
                for i in range(n)]
    np.save(args.logits, np.stack(rows))


def about():
    version = getattr(lib, 'llama_version', lambda: b'')()
    say(engine='llama.cpp', binding=f'llama-cpp-python {lib.__version__}', version=(version or b'').decode(),
        system=lib.llama_print_system_info().decode().strip())


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('model', nargs='?')
    ap.add_argument('--tokens', nargs='+', type=int, default=[])
    ap.add_argument('--about', action='store_true')
    ap.add_argument('--lengths', nargs='+', type=int)
    ap.add_argument('--first-token', nargs='+', type=int)
    ap.add_argument('--logits')
    ap.add_argument('--one-by-one', action='store_true', help='logits by decoding, not as one batch')
    ap.add_argument('--decode', type=int, default=32)
    ap.add_argument('--threads', type=int, default=2)
    ap.add_argument('--context', type=int, default=4096)
    ap.add_argument('--batch', type=int, default=512)
    ap.add_argument('--flash', choices=FLASH, default='auto')
    ap.add_argument('--swa-full', action='store_true', help='sliding layers keep the whole context')
    ap.add_argument('--no-repack', dest='repack', action='store_false')
    ap.add_argument('--seed', type=int, default=1)
    args = ap.parse_args()
    if args.about:
        about()
    elif args.logits:
        all_logits(args)
    elif args.first_token:
        first_token(args)
    else:
        measure_lengths(args)


if __name__ == '__main__':
    main()
