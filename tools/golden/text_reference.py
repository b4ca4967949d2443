"""The text decoder written from its equations in float64: what the float32 reference's own rounding is measured against.

Constants that define the model in float32 (embedding scales, the sparsity multiplier, RoPE angles) keep their float32
values; everything else is float64. One sequence, any length: attention runs over blocks of queries.
"""
import math

import numpy as np
import torch

_BLOCK = 512  # queries per attention block


def _rms(x, weight, eps):
    y = x * (x.pow(2).mean(-1, keepdim=True) + eps).pow(-0.5)
    return y if weight is None else y * weight


def _gelu(x):
    return torch.nn.functional.gelu(x, approximate='tanh')


def _f32(value):
    return float(np.float32(value))


class TextReference:
    """weights: name below the text model -> float64 tensor; config: Gemma3nTextConfig."""

    def __init__(self, config, weights, hard_rows=None):
        self.c, self.w, self.hard_rows = config, weights, hard_rows or {}

    def logits(self, tokens, positions=None):
        """float64 [len(positions), V]; every position when None."""
        c, w = self.c, self.w
        h0 = self._embed(tokens)
        ple = self._per_layer_inputs(tokens, h0)
        streams = [h0] + [self._match(h0, h0 @ w[f'altup_projections.{j}.weight'].T) for j in range(c.altup_num_inputs - 1)]
        shared = {}
        for i in range(c.num_hidden_layers):
            streams = self._layer(i, streams, ple[:, i], shared)
        if positions is not None:
            streams = [x[list(positions)] for x in streams]
        merged = [streams[0]] + [self._match(streams[0], streams[j] @ w[f'altup_unembed_projections.{j - 1}.weight'].T)
                                 for j in range(1, c.altup_num_inputs)]
        h = _rms(sum(merged) / c.altup_num_inputs, w['norm.weight'], c.rms_norm_eps)
        out = h @ w.get('lm_head.weight', w['embed_tokens.weight']).T
        cap = c.final_logit_softcapping
        return cap * torch.tanh(out / cap) if cap else out

    def _embed(self, tokens):
        h0 = self.w['embed_tokens.weight'][tokens] * _f32(self.c.hidden_size ** 0.5)
        for t, token in enumerate(tokens):
            if token in self.hard_rows:
                h0[t] = self.hard_rows[token]
        return h0

    def _per_layer_inputs(self, tokens, h0):
        c, w = self.c, self.w
        rows = [t if t < c.vocab_size_per_layer_input else 0 for t in tokens]
        shape = (len(tokens), c.num_hidden_layers, c.hidden_size_per_layer_input)
        u = (w['embed_tokens_per_layer.weight'][rows] * _f32(c.hidden_size_per_layer_input ** 0.5)).reshape(shape)
        ctx = (h0 @ w['per_layer_model_projection.weight'].T * _f32(c.hidden_size ** -0.5)).reshape(shape)
        ctx = _rms(ctx, w['per_layer_projection_norm.weight'], c.rms_norm_eps)
        return (ctx + u) * _f32(torch.rsqrt(torch.tensor(2.0)).item())

    @staticmethod
    def _match(target, y):
        return y * target.pow(2).mean(-1, keepdim=True).sqrt() / y.pow(2).mean(-1, keepdim=True).clamp(min=1e-5).sqrt()

    def _modality(self, p, x):
        n = _rms(x, self.w[p + 'altup.router_norm.weight'], self.c.rms_norm_eps) * _f32(1.0 / self.c.hidden_size)
        return torch.tanh(n @ self.w[p + 'altup.modality_router.weight'].T)

    def _layer(self, i, streams, ple, shared):
        c, w, p, eps = self.c, self.w, f'layers.{i}.', self.c.rms_norm_eps
        a = c.altup_num_inputs
        coefs = self._modality(p, streams[c.altup_active_idx]) @ w[p + 'altup.prediction_coefs.weight'].T
        pred = [streams[j] + sum(coefs[:, a * j + b, None] * streams[b] for b in range(a)) for j in range(a)]
        s = pred[c.altup_active_idx]
        n = _rms(s, w[p + 'input_layernorm.weight'], eps)
        low = n @ w[p + 'laurel.linear_left.weight'].T
        laurel = n + _rms(low @ w[p + 'laurel.linear_right.weight'].T, w[p + 'laurel.post_laurel_norm.weight'], eps)
        o = _rms(self._attention(i, n, shared), w[p + 'post_attention_layernorm.weight'], eps)
        x = (s + o + laurel) / math.sqrt(2)
        y = self._mlp(i, _rms(x, w[p + 'pre_feedforward_layernorm.weight'], eps))
        act = x + _rms(y, w[p + 'post_feedforward_layernorm.weight'], eps)
        k = self._modality(p, act) @ w[p + 'altup.correction_coefs.weight'].T + 1
        cor = [pred[j] + k[:, j, None] * (act - s) for j in range(a)]
        e = cor[c.altup_active_idx]
        if c.altup_correct_scale:
            e = e * w[p + 'altup.correct_output_scale']
        e = _gelu(e @ w[p + 'per_layer_input_gate.weight'].T) * ple
        e = _rms(e @ w[p + 'per_layer_projection.weight'].T, w[p + 'post_per_layer_input_norm.weight'], eps)
        return [cor[0]] + [x_j + e for x_j in cor[1:]]

    def _mlp(self, i, x):
        w, p, s = self.w, f'layers.{i}.mlp.', self.c.activation_sparsity_pattern[i]
        g = x @ w[p + 'gate_proj.weight'].T
        if s > 0:
            z = torch.distributions.normal.Normal(0, 1).icdf(torch.tensor(s, dtype=torch.float32)).item()
            g = (g - (g.mean(-1, keepdim=True) + z * g.std(-1, keepdim=True, unbiased=False))).clamp(min=0)
        return (_gelu(g) * (x @ w[p + 'up_proj.weight'].T)) @ w[p + 'down_proj.weight'].T

    def _rope(self, x, kind):
        d = self.c.head_dim
        base = self.c.rope_parameters[kind]['rope_theta']
        inv = 1.0 / (base ** (torch.arange(0, d, 2, dtype=torch.float32) / d))
        angle = (torch.arange(x.shape[0], dtype=torch.float32)[:, None] * inv).double()[:, None, :]  # float32 product
        lo, hi = x[..., : d // 2], x[..., d // 2:]
        return torch.cat((lo * angle.cos() - hi * angle.sin(), hi * angle.cos() + lo * angle.sin()), -1)

    def _attention(self, i, n, shared):
        c, w, p = self.c, self.w, f'layers.{i}.self_attn.'
        kind, tokens = c.layer_types[i], n.shape[0]
        q = _rms((n @ w[p + 'q_proj.weight'].T).reshape(tokens, -1, c.head_dim), w[p + 'q_norm.weight'], c.rms_norm_eps)
        q = self._rope(q, kind)
        if i < c.num_hidden_layers - c.num_kv_shared_layers:
            k = (n @ w[p + 'k_proj.weight'].T).reshape(tokens, -1, c.head_dim)
            v = (n @ w[p + 'v_proj.weight'].T).reshape(tokens, -1, c.head_dim)
            k = self._rope(_rms(k, w[p + 'k_norm.weight'], c.rms_norm_eps), kind)
            shared[kind] = k, _rms(v, None, c.rms_norm_eps)
        k, v = shared[kind]  # the last owning layer of this kind
        window = c.sliding_window if kind == 'sliding_attention' else tokens
        groups = c.num_attention_heads // c.num_key_value_heads
        out = torch.empty_like(q)
        for begin in range(0, tokens, _BLOCK):
            end = min(begin + _BLOCK, tokens)
            first = max(0, begin - window + 1)
            at, keys = torch.arange(begin, end)[:, None], torch.arange(first, end)[None, :]
            hidden = (keys > at) | (keys <= at - window)
            for h in range(c.num_attention_heads):
                scores = q[begin:end, h] @ k[first:end, h // groups].T
                out[begin:end, h] = torch.softmax(scores.masked_fill(hidden, -math.inf), -1) @ v[first:end, h // groups]
        return out.reshape(tokens, -1) @ w[p + 'o_proj.weight'].T


def hard_embeddings(weights, prefix, offset, eps):
    """token -> row [D], float64: the multimodal vocabulary of one modality (HF Gemma3nMultimodalEmbedder)."""
    table = _rms(weights[prefix + 'embedding.weight'], weights[prefix + 'hard_embedding_norm.weight'], eps)
    rows = _rms(table @ weights[prefix + 'embedding_projection.weight'].T, None, eps)
    return {offset + r: rows[r] for r in range(rows.shape[0])}
