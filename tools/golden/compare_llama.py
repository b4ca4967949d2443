#!/usr/bin/env python3
"""Our GGUF files in llama.cpp: logits and greedy tokens of a random checkpoint, for every format that `quantize` writes.

    compare_llama.py --gemma3n build/release/bin/gemma3n [--layers 35] [--types F32 BF16 ...] [--keep DIR]

Needs llama-cpp-python. llama.cpp fixes some of the model's numbers (20 layers that own K/V, a full layer every fifth, 256
per-layer values, LAuReL rank 64), so the checkpoint has them. It runs with float32 K/V caches and without flash attention, but it
 * rounds activations to a format of the weights' own kind (BF16, or Q8 blocks) before each product,
 * divides the variance of the sparse layers' gates by F - 1 where the reference divides by F,
 * looks GELU up in a float16 table.
So each row also says how far both are from transformers in float32 on the same (dequantised) weights, and how far llama.cpp
is from transformers when that is made to follow it in the last two.
"""
import argparse
import os
import sys
import tempfile

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from llama_cpp import Llama
from transformers import Gemma3nForCausalLM

from engine_cli import Engine
from tiny_checkpoint import write_model

SHAPE = dict(hidden_size=256, intermediate_size=512, num_attention_heads=4, num_key_value_heads=2, head_dim=64,
             hidden_size_per_layer_input=256, laurel_rank=64, sliding_window=32, max_position_embeddings=1024)
TYPES = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_K']
GGML_F32 = 0


def llama_greedy(path, prompt, count):
    """llama.cpp's logits of the prompt [T, V] and its greedy continuation."""
    model = Llama(path, n_ctx=512, n_batch=512, n_threads=2, logits_all=True, type_k=GGML_F32, type_v=GGML_F32,
                  flash_attn=False, verbose=False)
    model.eval(prompt)
    logits, tokens = model.scores[:len(prompt)].copy(), []
    for _ in range(count):
        tokens.append(int(model.scores[model.n_tokens - 1].argmax()))
        model.eval(tokens[-1:])
    return logits, tokens


def hub_names(layers):
    """GGUF tensor name -> name in the library's model, stacked matrices aside."""
    flat = {'token_embd': 'embed_tokens', 'output_norm': 'norm', 'per_layer_token_embd': 'embed_tokens_per_layer',
            'per_layer_model_proj': 'per_layer_model_projection', 'per_layer_proj_norm': 'per_layer_projection_norm'}
    layer = {'attn_norm': 'input_layernorm', 'attn_q': 'self_attn.q_proj', 'attn_k': 'self_attn.k_proj',
             'attn_v': 'self_attn.v_proj', 'attn_output': 'self_attn.o_proj', 'attn_q_norm': 'self_attn.q_norm',
             'attn_k_norm': 'self_attn.k_norm', 'post_attention_norm': 'post_attention_layernorm',
             'ffn_norm': 'pre_feedforward_layernorm', 'ffn_gate': 'mlp.gate_proj', 'ffn_up': 'mlp.up_proj',
             'ffn_down': 'mlp.down_proj', 'post_ffw_norm': 'post_feedforward_layernorm',
             'altup_router': 'altup.modality_router', 'altup_router_norm': 'altup.router_norm',
             'altup_predict_coef': 'altup.prediction_coefs', 'altup_correct_coef': 'altup.correction_coefs',
             'altup_correct_scale': 'altup.correct_output_scale', 'laurel_l': 'laurel.linear_left',
             'laurel_r': 'laurel.linear_right', 'laurel_post_norm': 'laurel.post_laurel_norm',
             'inp_gate': 'per_layer_input_gate', 'proj': 'per_layer_projection', 'post_norm': 'post_per_layer_input_norm'}
    names = {f'{k}.weight': f'model.{v}.weight' for k, v in flat.items()}
    for i in range(layers):
        for k, v in layer.items():
            tail = '' if k == 'altup_correct_scale' else '.weight'
            names[f'blk.{i}.{k}.weight'] = f'model.layers.{i}.{v}{tail}'
    return names


def library_with_weights_of(path, directory):
    """transformers in float32 on the values that the GGUF file holds, read by llama.cpp's own Python package."""
    model = Gemma3nForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation='eager').eval()
    state, names = model.state_dict(), hub_names(model.config.num_hidden_layers)
    with torch.no_grad():
        for tensor in GGUFReader(path).tensors:
            values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
            if tensor.name in ('altup_proj.weight', 'altup_unembd_proj.weight'):
                kind = 'altup_projections' if tensor.name == 'altup_proj.weight' else 'altup_unembed_projections'
                for j in range(values.shape[0]):
                    state[f'model.{kind}.{j}.weight'].copy_(values[j])
            elif (name := names[tensor.name]) in state:  # shared layers' K/V have no place in the library
                state[name].copy_(values[:state[name].shape[0]].reshape(state[name].shape))
    return model


@torch.no_grad()
def library_logits(model, tokens):
    return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0].numpy()


def library_as_llama(model):
    """The same model with llama.cpp's deviance in the gates and its GELU table."""
    def topk(mlp, x):
        z = torch.distributions.normal.Normal(0, 1).icdf(torch.tensor(mlp.activation_sparsity))
        return torch.relu(x - (x.mean(-1, keepdim=True) + z * x.std(-1, keepdim=True, unbiased=True)))

    def gelu(x):
        return torch.nn.functional.gelu(x.half().float(), approximate='tanh').half().float()

    for layer in model.model.layers:
        layer.mlp._gaussian_topk = topk.__get__(layer.mlp)
        del layer.mlp.act_fn, layer.act_fn  # modules; a plain function takes their place
        layer.mlp.act_fn = layer.act_fn = gelu
    return model


def difference(a, b):
    d = np.abs(a - b)
    return f'{d.max():.1e}/{d.mean():.1e}'


def compare(engine, directory, work, kind, prompts, count):
    path = os.path.join(work, f'{kind}.gguf')
    engine.run('quantize', '--model', directory, '--type', kind, '--output', path)
    library, agree, total, ours, theirs, truth = library_with_weights_of(path, directory), 0, 0, [], [], []
    first_differences = []
    for prompt in prompts:
        logits, tokens = llama_greedy(path, prompt, count)
        ours.append(engine.logits(path, prompt))
        theirs.append(logits)
        truth.append(library_logits(library, prompt))
        greedy = engine.greedy(path, prompt, count)
        same = next((i for i, (a, b) in enumerate(zip(tokens, greedy)) if a != b), count)
        if same < count:  # how close the call was
            row = np.sort(engine.logits(path, prompt + greedy[:same])[-1])
            first_differences.append(f'{row[-1] - row[-2]:.1e}')
        agree, total = agree + same, total + count
    library = library_as_llama(library)
    imitated = np.concatenate([library_logits(library, prompt) for prompt in prompts])
    ours, theirs, truth = map(np.concatenate, (ours, theirs, truth))
    print(f'{kind:5} {os.path.getsize(path) / 1e6:6.1f} MB  greedy {agree:3}/{total}  '
          f'ours-llama.cpp {difference(ours, theirs)}  ours-transformers {difference(ours, truth)}  '
          f'llama.cpp-transformers {difference(theirs, truth)} (imitating: {difference(theirs, imitated)})  same best {(ours.argmax(1) == theirs.argmax(1)).mean():.3f}'
          + (f'  margins at the first differing token: {", ".join(first_differences)}' if first_differences else ''), flush=True)
    # A greedy path may part from the other only where the best two are as close as the logits' difference.
    return agree == total or max(map(float, first_differences)) < 2 * np.abs(ours - theirs).max()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--gemma3n', required=True)
    ap.add_argument('--layers', type=int, default=35, choices=(30, 35))
    ap.add_argument('--types', nargs='*', default=TYPES)
    ap.add_argument('--tokens', type=int, default=24, help='greedy tokens per prompt')
    ap.add_argument('--keep', help='work here and leave the files')
    args = ap.parse_args()
    torch.set_num_threads(1)
    engine, good = Engine(args.gemma3n), True
    with tempfile.TemporaryDirectory() as scratch:
        work = args.keep or scratch
        directory = os.path.join(work, 'model')
        vocab = write_model(directory, dict(SHAPE, num_hidden_layers=args.layers, num_kv_shared_layers=args.layers - 20),
                            seed=41)
        rng = np.random.default_rng(4)
        prompts = [[2] + rng.integers(8, vocab, n - 1).tolist() for n in (6, 20, 100)]
        print('differences of logits: largest/mean; prompts of 6, 20 and 100 tokens, window 32')
        for kind in args.types:
            good &= compare(engine, directory, work, kind, prompts, args.tokens)
    sys.exit(0 if good else 1)


if __name__ == '__main__':
    main()
