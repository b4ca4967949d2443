#!/usr/bin/env python3
"""Nested (MatFormer) sizes: four ways to the same logits.

    compare_slices.py --gemma3n build/release/bin/gemma3n [--work DIR] [--named]

For each size of a random checkpoint: (1) the parent run with --mlp-width / --skip-layers, (2) `gemma3n slice` to a hub
directory and to GGUF, run plainly, (3) transformers on that hub directory, (4) transformers on a slice cut here in Python,
independently. All within 2e-5 of (4). --named also takes the published sizes from a checkpoint of E4B's depth and widths
(a hidden size of 32 keeps it at 230 MB).
"""
import argparse
import copy
import os
import shutil
import sys
import tempfile

import numpy as np
import torch
from transformers import Gemma3nForCausalLM

from engine_cli import Engine
from tiny_checkpoint import write_model

TOLERANCE = 2e-5
TINY = dict(hidden_size=64, num_hidden_layers=35, intermediate_size=192, num_attention_heads=4, num_key_value_heads=2,
            head_dim=16, hidden_size_per_layer_input=16, laurel_rank=8, sliding_window=8, max_position_embeddings=256)
CASES = [  # name, MLP widths (None: as stored, one: all layers), skipped layers
    ('width 96', [96], []),
    ('width 100 (no multiple of 32)', [100], []),
    ('skip 20-24', None, [20, 21, 22, 23, 24]),
    ('width 96, skip 20-24', [96], [20, 21, 22, 23, 24]),
    ('mixed widths, skip 20-24', [96] * 4 + [192] + [96] * 25, [20, 21, 22, 23, 24]),
    ('skip an owner of K/V and others', None, [3, 18, 30]),
    ('skip layer 0 and the last', [128], [0, 34]),
]
E4B_SHAPE = dict(hidden_size=32, num_hidden_layers=35, intermediate_size=16384, num_attention_heads=2,
                 num_key_value_heads=1, head_dim=16, hidden_size_per_layer_input=8, laurel_rank=8, sliding_window=512)
SKIP = [20, 21, 22, 23, 24]
NAMED = [  # as google/gemma3n-slicing-configs publishes them
    ('e4b', None, []),
    ('e2b', [8192], SKIP),
    ('e1.96b', [8192] * 4 + [16384] + [8192] * 25, SKIP),
    ('e2.54b', [8192] * 4 + [16384] + [8192] * 15 + [16384] * 5 + [8192] * 10, []),
]


def slice_in_python(parent, widths, skip):
    """The nested model, cut from the loaded parent with torch alone."""
    c = copy.deepcopy(parent.config)
    kept = [i for i in range(c.num_hidden_layers) if i not in skip]
    first_shared = c.num_hidden_layers - c.num_kv_shared_layers
    c.intermediate_size = [c.intermediate_size[i] for i in kept] if widths is None else widths * (
        len(kept) if len(widths) == 1 else 1)
    c.layer_types = [c.layer_types[i] for i in kept]
    c.activation_sparsity_pattern = [c.activation_sparsity_pattern[i] for i in kept]
    c.num_kv_shared_layers = sum(i >= first_shared for i in kept)
    c.num_hidden_layers = len(kept)
    p, state, out = c.hidden_size_per_layer_input, parent.state_dict(), {}
    columns = torch.cat([torch.arange(i * p, (i + 1) * p) for i in kept])
    for name, value in state.items():
        if name == 'model.embed_tokens_per_layer.weight':
            value = value[:, columns]
        elif name == 'model.per_layer_model_projection.weight':
            value = value[columns]
        elif name.startswith('model.layers.'):
            layer = int(name.split('.')[2])
            if layer not in kept:
                continue
            new = kept.index(layer)
            name, width = name.replace(f'layers.{layer}.', f'layers.{new}.', 1), c.intermediate_size[new]
            if 'gate_proj' in name or 'up_proj' in name:
                value = value[:width]
            elif 'down_proj' in name:
                value = value[:, :width]
        out[name] = value
    model = Gemma3nForCausalLM(c).eval()
    model.load_state_dict(out)
    model.tie_weights()
    return model


@torch.no_grad()
def library_logits(model, tokens):
    return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0].numpy()


def load(directory):
    model, info = Gemma3nForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation='eager',
                                                     output_loading_info=True)
    if info['missing_keys'] or info['unexpected_keys'] or info['mismatched_keys']:
        raise RuntimeError(f'{directory}: transformers misses or does not know some tensors: {info}')
    return model.eval()


def flags(widths, skip):
    out = []
    if widths is not None:
        out += ['--mlp-width', ','.join(map(str, widths))]
    if skip:
        out += ['--skip-layers', ','.join(map(str, skip))]
    return out


def compare(engine, work, parent_dir, parent, name, size_flags, widths, skip, tokens):
    truth = library_logits(slice_in_python(parent, widths, skip), tokens)
    hub, gguf = os.path.join(work, 'slice'), os.path.join(work, 'slice.gguf')
    shutil.rmtree(hub, ignore_errors=True)
    engine.run('slice', '--model', parent_dir, '--output', hub, *size_flags)
    engine.run('slice', '--model', parent_dir, '--output', gguf, *size_flags)
    found = {
        'parent + flags': engine.logits(parent_dir, tokens, *size_flags),
        'slice': engine.logits(hub, tokens),
        'slice.gguf': engine.logits(gguf, tokens),
        'transformers on slice': library_logits(load(hub), tokens),
    }
    worst = {k: float(np.abs(v - truth).max()) for k, v in found.items()}
    same_bits = np.array_equal(found['parent + flags'], found['slice'])
    print(f'{name:32} ' + '  '.join(f'{k} {v:.1e}' for k, v in worst.items()) +
          ('' if same_bits else '  (run and slice differ in some bit)'), flush=True)
    return max(worst.values()) <= TOLERANCE


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--gemma3n', required=True)
    ap.add_argument('--kernels')
    ap.add_argument('--named', action='store_true')
    args = ap.parse_args()
    torch.set_num_threads(1)
    engine, good = Engine(args.gemma3n, args.kernels), True
    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as work:
        parent_dir = os.path.join(work, 'parent')
        vocab = write_model(parent_dir, TINY, seed=31)
        parent, tokens = load(parent_dir), [2] + rng.integers(3, vocab, 39).tolist()
        for name, widths, skip in CASES:
            good &= compare(engine, work, parent_dir, parent, name, flags(widths, skip), widths, skip, tokens)
        if args.named:
            parent_dir = os.path.join(work, 'e4b-shape')
            write_model(parent_dir, E4B_SHAPE, seed=32)
            parent = load(parent_dir)
            for name, widths, skip in NAMED:
                good &= compare(engine, work, parent_dir, parent, name, ['--size', name], widths, skip, tokens)
    print('all within 2e-5' if good else 'SOME DIFFER BY MORE THAN 2e-5')
    sys.exit(0 if good else 1)


if __name__ == '__main__':
    main()
