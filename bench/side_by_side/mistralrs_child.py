#!/usr/bin/env python3
"""mistral.rs on a GGUF file, or on a hub directory with weights quantised at load: one process, one JSON line per figure.

    mistralrs_child.py --about
    mistralrs_child.py MODEL.gguf --mmproj TOWERS.gguf --hub HUB_DIR --lengths 512 --decode 32
    mistralrs_child.py HUB_DIR --isq q4k --lengths 512

Speeds are those that mistral.rs counts itself. RAYON_NUM_THREADS says how many threads. Needs mistralrs (pip).
"""
import argparse
import importlib.metadata
import json
import os
import resource
import time

import mistralrs

# Ordinary words, most of them one token each.
WORDS = 'the house of the old man at the sea was full of books and maps that no one had read for many years'.split()


def say(**figures):
    print(json.dumps(figures), flush=True)


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def load(args):
    if os.path.isdir(args.model):
        which = mistralrs.Which.MultimodalPlain(model_id=args.model, arch=mistralrs.MultimodalArchitecture.Gemma3n)
        return mistralrs.Runner(which=which, in_situ_quant=args.isq, prefix_cache_n=0, max_seqs=1, no_paged_attn=True)
    which = mistralrs.Which.GGUF(quantized_model_id=os.path.dirname(os.path.abspath(args.model)),
                                 quantized_filename=os.path.basename(args.model),
                                 mmproj_filename=args.mmproj and os.path.basename(args.mmproj), tok_model_id=args.hub)
    return mistralrs.Runner(which=which, prefix_cache_n=0, max_seqs=1, no_paged_attn=True)


def ask(runner, length, decode):
    words = (WORDS * (length // len(WORDS) + 1))[:length - 1]
    request = mistralrs.CompletionRequest(prompt=' '.join(words), model='default', max_tokens=decode, temperature=0.0,
                                          ignore_eos=True)
    return runner.send_completion_request(request).usage


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('model', nargs='?')
    ap.add_argument('--about', action='store_true')
    ap.add_argument('--lengths', nargs='+', type=int)
    ap.add_argument('--decode', type=int, default=32)
    ap.add_argument('--isq', default='q4k', help='of a hub directory')
    ap.add_argument('--hub', help='the hub directory that the GGUF file was made from, for its config and tokenizer')
    ap.add_argument('--mmproj', help='the file of the towers beside the GGUF file, which mistral.rs insists on')
    args = ap.parse_args()
    if args.about:
        return say(engine='mistral.rs', version=importlib.metadata.version('mistralrs'))
    bare, start = peak_bytes(), time.monotonic()
    runner = load(args)
    loaded = time.monotonic() - start
    ask(runner, 16, 2)  # to warm up
    for length in args.lengths:
        usage = ask(runner, length, args.decode)
        say(length=length, tokens=usage.prompt_tokens, prefill=usage.avg_prompt_tok_per_sec, decode=usage.avg_compl_tok_per_sec)
    say(load_seconds=loaded, peak_bytes=peak_bytes() - bare)


if __name__ == '__main__':
    main()
