"""What a token needs, counted from a GGUF file's shapes: multiply-adds of a prompt, bytes of a decoded token.

Needed is what no exact engine can leave out:
 * A prompt token whose logits no one reads goes through the layers before the last one that owns keys and values, and
   through that one's key and value projections. The last token goes through all.
 * In a sparse layer only the share of the MLP that the gates leave alive needs rows of up and columns of down.
 * Sliding layers look back one window. Tables of embeddings are read a row at a time; the tied one once, as unembedding:
   by who draws from the few largest logits, in three bits a value (src/model/text/likely_logits.h).
"""
import re
from dataclasses import dataclass
from statistics import NormalDist

from side_by_side.gguf_header import read_header

LAYER = re.compile(r'blk\.(\d+)\.(.+)\.weight$')
COARSE_BITS = 3  # of one value of the unembedding
CACHE_BYTES = 2  # of one value of the cache: F16


@dataclass
class Needs:
    layers: int
    owners: int           # layers with keys and values of their own
    sliding: list         # bool per layer
    window: int
    heads: int
    kv_heads: int
    head_dim: int
    alive: list           # share of a layer's MLP that its gates leave alive
    matrices: dict        # (layer or None, name) -> (multiply-adds per token, bytes)

    def weight_macs(self, through):
        """Multiply-adds of a token in layers [0, through), and in what all layers share before them."""
        total = 0
        for (layer, name), (macs, _) in self.matrices.items():
            if layer is None:
                total += macs * (through / self.layers if name == 'per_layer_model_proj' else
                                 1 if name == 'altup_proj' else 0)
            elif layer < through:
                total += macs * self.share(layer, name)
        return total

    def share(self, layer, name):
        if name in ('attn_k', 'attn_v') and layer >= self.owners:
            return 0
        return self.alive[layer] if name in ('ffn_up', 'ffn_down') else 1

    def span(self, layer, position):
        """Keys that the token at `position` looks at."""
        return min(position + 1, self.window) if self.sliding[layer] else position + 1

    def attention_macs(self, layer, tokens):
        """Of all the prompt's tokens together."""
        if self.sliding[layer] and tokens > self.window:
            keys = self.window * (self.window + 1) // 2 + (tokens - self.window) * self.window
        else:
            keys = tokens * (tokens + 1) // 2
        return 2 * self.heads * self.head_dim * keys

    def prompt_macs(self, tokens):
        last = self.owners - 1
        every = self.weight_macs(last) + sum(self.matrices[last, name][0] for name in ('attn_k', 'attn_v'))
        only_last = sum(macs * self.share(layer, name) for (layer, name), (macs, _) in self.matrices.items()
                        if layer is not None and layer >= last and name not in ('attn_k', 'attn_v'))
        only_last += self.matrices[None, 'token_embd'][0] + self.matrices[None, 'altup_unembd_proj'][0]
        attention = sum(self.attention_macs(layer, tokens) for layer in range(last))
        attention += sum(2 * self.heads * self.head_dim * self.span(layer, tokens - 1) for layer in range(last, self.layers))
        return every * tokens + only_last + attention

    def decode_bytes(self, context):
        """Weights, and keys and values of `context` tokens before."""
        weights = sum(min(size, macs * COARSE_BITS / 8) if name == 'token_embd' else
                      size * (1 if layer is None else self.share(layer, name))
                      for (layer, name), (macs, size) in self.matrices.items())
        cache = sum(2 * self.kv_heads * self.head_dim * CACHE_BYTES * self.span(layer, context)
                    for layer in range(self.layers))
        return weights + cache

    def decode_macs(self):
        return sum(macs * (1 if layer is None else self.share(layer, name))
                   for (layer, name), (macs, _) in self.matrices.items())


def alive_share(scale):
    """`scale` is how many deviations above the mean a gate has to be; -inf or 0 leaves the layer dense."""
    return 1 - NormalDist().cdf(scale) if scale > 0 else 1


def needs_of(path):
    metadata, tensors = read_header(path)
    about = {key.removeprefix('gemma3n.'): value for key, value in metadata.items() if key.startswith('gemma3n.')}
    layers = about['block_count']
    matrices = {}
    for tensor in tensors:
        match = LAYER.match(tensor.name)
        name = match[2] if match else tensor.name.removesuffix('.weight')
        if len(tensor.shape) < 2 or name == 'per_layer_token_embd':
            continue
        matrices[int(match[1]) if match else None, name] = (tensor.elements, tensor.bytes)
    sparsity = about.get('activation_sparsity_scale') or [0] * layers
    return Needs(layers=layers, owners=layers - about.get('attention.shared_kv_layers', 0),
                 sliding=[bool(x) for x in about['attention.sliding_window_pattern']],
                 window=about['attention.sliding_window'], heads=about['attention.head_count'],
                 kv_heads=about['attention.head_count_kv'], head_dim=about['attention.key_length'],
                 alive=[alive_share(scale) for scale in sparsity], matrices=matrices)
