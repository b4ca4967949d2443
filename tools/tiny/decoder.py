"""The text decoder for training: HF's weights, ragged batches, and no work that the loss doesn't see.

Exactly the mathematics of Gemma3nTextModel (tests compare the two), arranged for one CPU core:
  - the tokens of all samples lie in one row [N, ...]; only attention looks at samples one by one;
  - sliding layers attend in blocks of the window instead of over the whole square;
  - from the last layers that own K/V on, only rows whose logits are wanted go on (the others' states are never read);
  - every MLP can run at a prefix of its width (MatFormer).
"""

import math

import torch
import torch.nn.functional as F


class _RmsNorm(torch.autograd.Function):
    """x / rms(x) * w with a short backward pass."""

    @staticmethod
    def forward(ctx, x, weight, eps):
        r = torch.linalg.vecdot(x, x).unsqueeze(-1).mul_(1.0 / x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, r)
        return x * r * weight if weight is not None else x * r

    @staticmethod
    def backward(ctx, grad):
        x, weight, r = ctx.saved_tensors
        xn = x * r
        gw = None
        if weight is not None:
            if ctx.needs_input_grad[1]:
                gw = (grad * xn).flatten(0, -2).sum(0)
            grad = grad * weight
        dot = torch.linalg.vecdot(grad, xn).unsqueeze(-1).mul_(-1.0 / x.shape[-1])
        return xn.mul_(dot).add_(grad).mul_(r), gw, None


class _SparseGate(torch.autograd.Function):
    """gelu(max(g - cut, 0)) * u with cut = mean + z * std over the row (biased std)."""

    @staticmethod
    def forward(ctx, g, u, z):
        mean = g.mean(-1, keepdim=True)
        centred = g - mean
        std = torch.linalg.vecdot(centred, centred).unsqueeze(-1).mul_(1.0 / g.shape[-1]).sqrt_()
        t = (centred - std * z).clamp_min_(0)
        a = gelu(t)
        ctx.z = z
        ctx.save_for_backward(centred, std, t, a, u)
        return a * u

    @staticmethod
    def backward(ctx, grad):
        centred, std, t, a, u = ctx.saved_tensors
        dt = torch.ops.aten.gelu_backward(grad * u, t, approximate="tanh").mul_(t > 0)
        total = dt.sum(-1, keepdim=True).mul_(-1.0 / t.shape[-1])
        return centred.mul(total * ctx.z / std).add_(dt).add_(total), grad * a, None


def quick_norms(model):
    """Gives the decoder's RMS norms the short backward pass (same values)."""
    for module in model.modules():
        if type(module).__name__ == "Gemma3nRMSNorm":
            weight = module.weight if isinstance(getattr(module, "weight", None), torch.nn.Parameter) else None
            module.forward = lambda x, weight=weight, eps=module.eps: _RmsNorm.apply(x, weight, eps)


def gelu(x):
    return F.gelu(x, approximate="tanh")


def rotate(x, cos, sin):
    """x [N, heads, d] with half-split pairs; cos, sin [N, d]."""
    a, b = x.chunk(2, -1)
    return x * cos.unsqueeze(1) + torch.cat([-b, a], -1) * sin.unsqueeze(1)


class Batch:
    """Samples laid end to end. ids [N]; lengths of the samples; rows [M] of the N whose logits are wanted."""

    def __init__(self, ids, lengths, rows):
        self.ids, self.lengths, self.rows = ids, lengths, rows
        self.positions = torch.cat([torch.arange(n) for n in lengths])
        self.starts = [0]
        for n in lengths:
            self.starts.append(self.starts[-1] + n)
        owner = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))[rows]
        self.rows_per_sample = torch.bincount(owner, minlength=len(lengths)).tolist()


class Decoder:
    def __init__(self, model, width=None):
        """`model` is a Gemma3nForConditionalGeneration; `width(layer, full)` gives the MLP width to run."""
        self.model = model
        self.lm = model.model.language_model
        self.cfg = self.lm.config
        self.width = width or (lambda layer, full: full)
        self.kept = None  # after logits(): [N, D], what the last layer that owns K/V makes them of
        self.shared_from = self.cfg.num_hidden_layers - self.cfg.num_kv_shared_layers
        own = self.cfg.layer_types[: self.shared_from]
        self.source = {t: max(i for i, o in enumerate(own) if o == t) for t in set(own)}
        normal = torch.distributions.Normal(0.0, 1.0)
        self.z = [float(normal.icdf(torch.tensor(s))) if s > 0 else 0.0 for s in self.cfg.activation_sparsity_pattern]

    # ---- inputs ----------------------------------------------------------------------------------
    def hard(self, embedder, ids):
        return embedder(input_ids=ids)

    def embed(self, ids, soft):
        """ids [N] and the soft tokens [S, D] in the order of the soft-token positions -> h0 [N, D]."""
        m = self.model.model
        h = self.lm.embed_tokens(ids)
        c = self.model.config
        for embedder in (m.embed_vision, m.embed_audio):
            at = ((ids >= embedder.vocab_offset) & (ids < embedder.vocab_offset + embedder.vocab_size)).nonzero()[:, 0]
            at = at[(ids[at] != c.image_token_id) & (ids[at] != c.audio_token_id)]
            if len(at):
                h = h.index_copy(0, at, self.hard(embedder, ids[at]))
        at = ((ids == c.image_token_id) | (ids == c.audio_token_id)).nonzero()[:, 0]
        if len(at):
            h = h.index_copy(0, at, soft)
        return h

    def rope(self, positions, layer_type):
        inv = getattr(self.lm.rotary_emb, f"{layer_type}_inv_freq")
        angle = positions[:, None].float() * inv[None]
        angle = torch.cat([angle, angle], -1)
        return angle.cos(), angle.sin()

    # ---- one layer -------------------------------------------------------------------------------
    def router(self, altup, x):
        return torch.tanh(altup.modality_router(altup.router_norm(x) * altup.router_input_scale))

    def attend(self, q, k, v, window):
        """One sample, all rows: q [n, H, d], k, v [n, Hk, d] -> [n, H*d]."""
        n, heads, d = q.shape
        repeat = heads // k.shape[1]
        q, k, v = (t.transpose(0, 1) for t in (q, k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)))
        if window is None or n <= window:
            out = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, scale=1.0)[0]
            return out.transpose(0, 1).reshape(n, -1)
        blocks = -(-n // window)
        pad = blocks * window - n
        q, k, v = (F.pad(t, (0, 0, 0, pad)).view(heads, blocks, window, d).transpose(0, 1) for t in (q, k, v))
        previous = lambda t: torch.cat([torch.zeros_like(t[:1]), t[:-1]])  # noqa: E731
        k, v = torch.cat([previous(k), k], 2), torch.cat([previous(v), v], 2)
        i, j = torch.arange(window)[:, None], torch.arange(2 * window)[None] - window
        mask = (j <= i) & (j > i - window)
        mask = mask[None].repeat(blocks, 1, 1)
        mask[0, :, :window] = False
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None], scale=1.0)
        return out.transpose(0, 1).reshape(heads, blocks * window, d)[:, :n].transpose(0, 1).reshape(n, -1)

    def attend_rows(self, q, at, k, v, window):
        """One sample, some rows: q [r, H, d] at positions [r] over k, v [n, Hk, d]."""
        r, heads, d = q.shape
        repeat = heads // k.shape[1]
        q, k, v = (t.transpose(0, 1)[None] for t in (q, k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)))
        j = torch.arange(k.shape[2])[None]
        mask = j <= at[:, None]
        if window is not None:
            mask &= j > at[:, None] - window
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[None, None], scale=1.0)[0]
        return out.transpose(0, 1).reshape(r, -1)

    def attention(self, i, n_all, n_rows, batch, kv, narrow, ropes):
        """n_all: normed inputs of all rows or None (shared layers); n_rows: of the rows that go on."""
        layer = self.lm.layers[i]
        a, kind = layer.self_attn, self.cfg.layer_types[i]
        window = self.cfg.sliding_window if kind == "sliding_attention" else None
        d = self.cfg.head_dim
        cos, sin = ropes[kind]
        if i < self.shared_from:
            self.kept = n_all
            k = rotate(a.k_norm(a.k_proj(n_all).view(-1, self.cfg.num_key_value_heads, d)), cos, sin)
            v = a.v_norm(a.v_proj(n_all).view(-1, self.cfg.num_key_value_heads, d))
            kv[i] = (k, v)
        else:
            k, v = kv[self.source[kind]]
        q = a.q_norm(a.q_proj(n_rows).view(len(n_rows), -1, d))
        q = rotate(q, *((cos[batch.rows], sin[batch.rows]) if narrow else (cos, sin)))
        out, at = [], 0
        for s, count in enumerate(batch.rows_per_sample):
            lo, hi = batch.starts[s], batch.starts[s + 1]
            if narrow:
                rows = batch.positions[batch.rows[at : at + count]]
                out.append(self.attend_rows(q[at : at + count], rows, k[lo:hi], v[lo:hi], window))
                at += count
            else:
                out.append(self.attend(q[lo:hi], k[lo:hi], v[lo:hi], window))
        return a.o_proj(torch.cat(out))

    def mlp(self, i, x):
        m = self.lm.layers[i].mlp
        w = self.width(i, m.intermediate_size)
        g = F.linear(x, m.gate_proj.weight[:w])
        u = F.linear(x, m.up_proj.weight[:w])
        y = _SparseGate.apply(g, u, self.z[i]) if self.z[i] else gelu(g) * u
        return F.linear(y, m.down_proj.weight[:, :w])

    def layer(self, i, x, ple, batch, kv, narrow, ropes):
        """x [N, 4, D] streams, ple [N, P] -> the same; at `narrow` layers only the wanted rows come out."""
        layer, altup = self.lm.layers[i], self.lm.layers[i].altup
        coefs = altup.prediction_coefs(self.router(altup, x[:, 0])).view(-1, 4, 4)
        pred = torch.baddbmm(x, coefs, x)  # row a of coefs mixes the inputs into stream a
        n_all = layer.input_layernorm(pred[:, 0]) if i < self.shared_from else None
        if narrow and i < self.shared_from:  # the first narrow layer: all rows come in
            pred, ple = pred[batch.rows], ple[batch.rows]
        s = pred[:, 0]
        n = layer.input_layernorm(s) if n_all is None or narrow else n_all
        laurel = layer.laurel(n)
        o = layer.post_attention_layernorm(self.attention(i, n_all, n, batch, kv, narrow, ropes))
        h = (s + o + laurel) / math.sqrt(2)
        act = h + layer.post_feedforward_layernorm(self.mlp(i, layer.pre_feedforward_layernorm(h)))
        k = altup.correction_coefs(self.router(altup, act)) + 1.0
        cor = pred + k.unsqueeze(-1) * (act - s).unsqueeze(1)
        e = gelu(layer.per_layer_input_gate(cor[:, 0] * altup.correct_output_scale)) * ple
        e = layer.post_per_layer_input_norm(layer.per_layer_projection(e))
        return torch.cat([cor[:, :1], cor[:, 1:] + e.unsqueeze(1)], 1)

    def logits(self, batch, soft):
        """Logits [M, vocab] of the wanted rows."""
        lm, cfg = self.lm, self.cfg
        h = self.embed(batch.ids, soft)
        in_table = batch.ids < cfg.vocab_size_per_layer_input
        u = lm.embed_tokens_per_layer(torch.where(in_table, batch.ids, 0))
        u = u.view(len(h), cfg.num_hidden_layers, -1)
        c = lm.per_layer_projection_norm((lm.per_layer_model_projection(h) * lm.per_layer_projection_scale).view_as(u))
        ple = (c + u) * lm.per_layer_input_scale
        size = h.square().mean(-1, keepdim=True).sqrt()
        streams = [h]
        for p in lm.altup_projections:
            y = p(h)
            streams.append(y * size / y.square().mean(-1, keepdim=True).clamp_min(1e-5).sqrt())
        x = torch.stack(streams, 1)
        ropes = {t: self.rope(batch.positions, t) for t in set(cfg.layer_types)}
        # The last own-K/V layer still needs K and V of every row; everything after that, the wanted rows only.
        kv = {}
        for i, p in enumerate(ple.unbind(1)):
            narrow = i >= self.shared_from - 1
            x = self.layer(i, x, p[batch.rows] if i >= self.shared_from else p, batch, kv, narrow, ropes)
        size = x[:, 0].square().mean(-1, keepdim=True).sqrt()
        h = x[:, 0]
        for j, p in enumerate(lm.altup_unembed_projections):
            y = p(x[:, j + 1])
            h = h + y * size / y.square().mean(-1, keepdim=True).clamp_min(1e-5).sqrt()
        h = lm.norm(h / 4)
        out = F.linear(h, lm.embed_tokens.weight)
        cap = cfg.final_logit_softcapping
        return torch.tanh(out / cap) * cap


def initialise(model, seed=0):
    """Scales at which every path of the decoder carries signal from the first step."""
    torch.manual_seed(seed)
    lm = model.model.language_model
    with torch.no_grad():
        for name, p in lm.named_parameters():
            if name.startswith("embed_tokens."):
                p.normal_(0.0, lm.config.hidden_size**-0.5)
            elif name.startswith("embed_tokens_per_layer"):
                p.normal_(0.0, lm.config.hidden_size_per_layer_input**-0.5)
            elif name.endswith(("q_norm.weight", "k_norm.weight")):
                p.fill_(0.55)
            elif "post_" in name and name.endswith("norm.weight"):
                p.fill_(0.5)
            elif name.endswith("correct_output_scale"):
                p.fill_(0.5)
            elif name.endswith("_coefs.weight"):
                p.normal_(0.0, 0.02)
            elif p.ndim == 2:
                p.normal_(0.0, p.shape[1] ** -0.5)
            else:
                p.fill_(1.0)
        for embedder in (model.model.embed_vision, model.model.embed_audio):
            embedder.embedding.weight.normal_(0.0, 1.0)
