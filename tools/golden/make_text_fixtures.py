#!/usr/bin/env python3
"""Writes the golden text fixtures: tiny random Gemma 3n checkpoints and what transformers answers on them.

    make_text_fixtures.py [--out tests/golden/fixtures] [--only NAME...] [--sensitivity]

Every run writes the same bytes (same versions, same machine kind): one thread, one seed per tensor. See README.md.
--sensitivity checks instead that zeroing any tensor of the existing fixtures changes their logits.
"""
import argparse
import json
import os
import sys

import numpy as np
import torch
from safetensors import safe_open
from transformers import Gemma3nConfig, Gemma3nForCausalLM, Gemma3nForConditionalGeneration, Gemma3nTextConfig

import safetensors_file
import tame_weights
from hf_stages import run_in_chunks, run_with_stages
from text_reference import TextReference, hard_embeddings
from text_shapes import SHAPES

SMALL_TOWER = dict(channel_multiplier=0.1, stem_size=32, fix_stem=True, layer_scale_init_value=0.1)
TEXT_PREFIX = {True: 'model.language_model.', False: 'model.'}


def make_config(shape):
    text = Gemma3nTextConfig(**shape.text)
    if not shape.multimodal:
        text.architectures = ['Gemma3nForCausalLM']
        return text
    first, n = text.vocab_size_per_layer_input, shape.multimodal_vocab
    config = Gemma3nConfig(
        text_config=text.to_dict(),
        vision_config=dict(hidden_size=shape.tower_width['vision'], vocab_size=n, vocab_offset=first, model_args=SMALL_TOWER),
        audio_config=dict(hidden_size=shape.tower_width['audio'], vocab_size=n, vocab_offset=first + n,
                          conf_num_hidden_layers=1, conf_num_attention_heads=2, sscp_conv_channel_size=[4, 4]),
        boi_token_id=first - 2, boa_token_id=first - 1, eoi_token_id=first, image_token_id=first + 1,
        eoa_token_id=first + n, audio_token_id=first + n + 1)
    config.architectures = ['Gemma3nForConditionalGeneration']
    return config


def config_json(shape, config):
    """The config.json that is written: as transformers 5 does, or as 4.53 did (the hub's)."""
    out = json.loads(config.to_json_string(use_diff=False))
    text = out['text_config'] if shape.multimodal else out
    if shape.old_config:
        rope = text.pop('rope_parameters')
        text.update(rope_theta=rope['full_attention']['rope_theta'], rope_scaling=None,
                    rope_local_base_freq=rope['sliding_attention']['rope_theta'], query_pre_attn_scalar=256)
        for part in (out, text):
            part['torch_dtype'] = 'bfloat16'
            part.pop('dtype', None)
    if shape.one_width:
        text['intermediate_size'] = text['intermediate_size'][0]
    for key in shape.omit:
        del text[key]
    for part in (out, text):  # versions differ in what else they write
        for key in ('transformers_version', '_name_or_path', 'label2id', 'id2label', 'problem_type', 'output_attentions',
                    'output_hidden_states', 'return_dict', 'is_encoder_decoder', 'chunk_size_feed_forward'):
            part.pop(key, None)
    return json.dumps(out, indent=1, sort_keys=True) + '\n'


def tensor_shapes(shape, config):
    """name -> shape, in the file's order; no towers, no tied output table."""
    with torch.device('meta'):
        model = (Gemma3nForConditionalGeneration if shape.multimodal else Gemma3nForCausalLM)(config)
    names = {n: tuple(p.shape) for n, p in model.named_parameters() if '_tower.' not in n}
    text = config.get_text_config()
    if shape.unused_kv:
        for i in range(text.num_hidden_layers - text.num_kv_shared_layers, text.num_hidden_layers):
            p = f'{TEXT_PREFIX[shape.multimodal]}layers.{i}.self_attn.'
            for proj in ('k_proj', 'v_proj'):
                names[p + proj + '.weight'] = (text.num_key_value_heads * text.head_dim, text.hidden_size)
            names[p + 'k_norm.weight'] = (text.head_dim,)
    return dict(sorted(names.items()))


def write_checkpoint(shape, config, out):
    tensors = []
    for name, dims in tensor_shapes(shape, config).items():
        values = tame_weights.tame(name, dims, shape.seed, shape.coupling)
        if any(f in name for f in shape.faint):
            values *= np.float32(2e-3)
        tensors.append((name, shape.vector_dtype or shape.dtype if len(dims) == 1 else shape.dtype, values))
    with open(f'{out}/config.json', 'w') as f:
        f.write(config_json(shape, config))
    if shape.shards == 1:
        safetensors_file.write(f'{out}/model.safetensors', tensors)
        return
    index, total = {}, 0
    for s in range(shape.shards):
        part = tensors[s::shape.shards]  # a layer's tensors lie in several files
        file = f'model-{s + 1:05d}-of-{shape.shards:05d}.safetensors'
        total += safetensors_file.write(f'{out}/{file}', part)
        index.update({name: file for name, _, _ in part})
    with open(f'{out}/model.safetensors.index.json', 'w') as f:
        json.dump({'metadata': {'total_size': total}, 'weight_map': dict(sorted(index.items()))}, f, indent=1)


def load(shape, out):
    """The library's model from the files, float32 whatever is stored."""
    cls = Gemma3nForConditionalGeneration if shape.multimodal else Gemma3nForCausalLM
    model, info = cls.from_pretrained(out, dtype=torch.float32, attn_implementation='eager', output_loading_info=True)
    missing = [k for k in info['missing_keys'] if '_tower.' not in k]
    if missing or info['mismatched_keys']:
        sys.exit(f'{shape.name}: the library misses {missing} {info["mismatched_keys"]}')
    return model.eval()


def exact_reference(shape, config, out):
    weights, prefix = {}, TEXT_PREFIX[shape.multimodal]
    for file in sorted(os.listdir(out)):
        if file.startswith('model') and file.endswith('.safetensors'):
            with safe_open(f'{out}/{file}', 'pt') as f:
                weights.update({k: f.get_tensor(k).double() for k in f.keys()})
    hard = {}
    if shape.multimodal:
        for kind, part in (('embed_vision', config.vision_config), ('embed_audio', config.audio_config)):
            hard.update(hard_embeddings(weights, f'model.{kind}.', part.vocab_offset, part.rms_norm_eps))
    return TextReference(config.get_text_config(), {k.removeprefix(prefix): v for k, v in weights.items()}, hard)


def prompt_tokens(shape, index, length):
    """<bos>, then random ids with the pad id and ids past the per-layer table among them."""
    rng = np.random.Generator(np.random.PCG64([shape.seed, 1000 + index]))
    vocab, per_layer = shape.text['vocab_size'], shape.text['vocab_size_per_layer_input']
    tokens = rng.integers(3, vocab, length)
    special = [0, per_layer, vocab - 1, per_layer + shape.multimodal_vocab, per_layer - 1]
    slots = rng.permutation(np.arange(1, length))[:min(len(special), length // 2)]
    for slot, token in zip(slots, special):
        tokens[slot] = token
    tokens[0] = 2
    return [int(t) for t in tokens]


def reference_answers(shape, config, out):
    model, exact = load(shape, out), exact_reference(shape, config, out)
    tensors, report = [], []
    for k, length in enumerate(shape.prompts):
        tokens = prompt_tokens(shape, k, length)
        p = f'prompt{k}/'
        tensors.append((p + 'tokens', 'F32', np.array(tokens, np.float32)))
        if shape.positions:
            tensors.append((p + 'positions', 'F32', np.array(shape.positions, np.float32)))
            logits, stages = run_in_chunks(model, tokens, shape.positions), {}
        else:
            logits, stages = run_with_stages(model, tokens)
        with torch.no_grad():
            truth = exact.logits(tokens, shape.positions or None)
        error = (logits.double() - truth).abs()
        report.append((length, truth.std().item(), error.max().item(), error.mean().item()))
        if error.max() > 7e-6:
            sys.exit(f'{shape.name}: the float32 library is {error.max():.2g} from the equations: weights too wild, or a defect')
        if k == 0:
            for (name, layer), value in stages.items():
                tensors.append((p + (f'layer{layer}/' if layer >= 0 else '') + name, 'F32', value.numpy()))
        if k > 0 or not stages:
            tensors.append((p + 'logits', 'F32', logits.numpy()))
        tensors.append((p + 'exact_logits', 'F32', truth.float().numpy()))
    safetensors_file.write(f'{out}/expected.safetensors', tensors)
    return report


@torch.no_grad()
def check_sensitivity(shape, out):
    """Every tensor of the text model, zeroed or (norms) reversed, must move some logit of the last prompt."""
    if shape.positions:
        return
    model = load(shape, out)
    tokens = torch.tensor([prompt_tokens(shape, 1, shape.prompts[-1])])
    base, weakest = model(input_ids=tokens, use_cache=False).logits, (np.inf, '')
    for name, p in model.named_parameters():
        if '_tower.' in name or 'soft_embedding_norm' in name:
            continue
        kept = p.detach().clone()
        p.copy_(p.flip(0) if p.dim() == 1 else torch.zeros_like(p))
        change = (model(input_ids=tokens, use_cache=False).logits - base).abs().max().item()
        weakest = min(weakest, (change, name))
        if change < 1e-3 and not (name.endswith('correct_output_scale') and not model.config.get_text_config().altup_correct_scale):
            print(f'{shape.name}: {name} moves the logits by only {change:.2g}')
        p.copy_(kept)
    print(f'{shape.name}: weakest {weakest[1]} {weakest[0]:.3g}')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--out', default=os.path.join(os.path.dirname(__file__), '../../tests/golden/fixtures'))
    ap.add_argument('--only', nargs='*')
    ap.add_argument('--sensitivity', action='store_true')
    args = ap.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for shape in SHAPES:
        if args.only and shape.name not in args.only:
            continue
        out = os.path.join(args.out, shape.name)
        if args.sensitivity:
            check_sensitivity(shape, out)
            continue
        os.makedirs(out, exist_ok=True)
        config = make_config(shape)
        write_checkpoint(shape, config, out)
        for length, std, worst, mean in reference_answers(shape, config, out):
            print(f'{shape.name:13} {length:6} tokens: logit std {std:.2f}, library float32 against float64: '
                  f'max {worst:.1e} mean {mean:.1e}', flush=True)


if __name__ == '__main__':
    main()
