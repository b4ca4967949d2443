#!/usr/bin/env python3
"""OpenVINO on a model that optimum-cli exported: one process, one JSON line per figure.

    openvino_child.py --about
    openvino_child.py EXPORTED_DIR --lengths 512 --decode 32 --threads 2

Random words as ids; the prompt's time is that of one new token, a decoded token's the rest over the others. Export first, E2B takes
five minutes and 20 GB of memory:
    optimum-cli export openvino -m HUB_DIR --task image-text-to-text --weight-format int4 --sym --group-size 64 --ratio 1.0 \\
        --group-size-fallback adjust EXPORTED_DIR
Needs openvino, optimum-intel, nncf and timm.
"""
import argparse
import importlib.metadata
import json
import random
import resource
import time


def say(**figures):
    print(json.dumps(figures), flush=True)


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('model', nargs='?')
    ap.add_argument('--about', action='store_true')
    ap.add_argument('--lengths', nargs='+', type=int)
    ap.add_argument('--decode', type=int, default=32)
    ap.add_argument('--threads', type=int, default=2)
    args = ap.parse_args()
    if args.about:
        return say(engine='OpenVINO', version=importlib.metadata.version('openvino'),
                   binding='optimum-intel ' + importlib.metadata.version('optimum-intel'))

    import torch
    from optimum.intel import OVModelForVisualCausalLM
    torch.set_num_threads(args.threads)
    bare, start = peak_bytes(), time.monotonic()
    model = OVModelForVisualCausalLM.from_pretrained(args.model, ov_config={'INFERENCE_NUM_THREADS': args.threads,
                                                                            'PERFORMANCE_HINT': 'LATENCY'})
    loaded = time.monotonic() - start
    rng, vocab = random.Random(1), model.config.get_text_config().vocab_size

    def seconds(length, count):
        ids = torch.tensor([[2] + [rng.randrange(vocab // 4, vocab // 2) for _ in range(length - 1)]])
        begin = time.monotonic()
        model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, min_new_tokens=count, do_sample=False)
        return time.monotonic() - begin

    seconds(16, 2)  # to warm up
    for length in args.lengths:
        prompt = seconds(length, 1)
        both = seconds(length, args.decode + 1)
        say(length=length, prefill=length / prompt, decode=args.decode / max(both - prompt, 1e-9))
    say(load_seconds=loaded, peak_bytes=peak_bytes() - bare)


if __name__ == '__main__':
    main()
