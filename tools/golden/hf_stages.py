"""Runs a transformers Gemma 3n text model and keeps every stage that the engine's probes name (src/model/probe.h)."""
import torch
from transformers.models.gemma3n import modeling_gemma3n as hf


class Stages(dict):
    """(name, layer) -> float32 array; layer -1 outside layers."""

    def keep(self, name, layer, tensor):
        self[name, layer] = tensor.detach()[0].clone()  # one sequence

    def keep_streams(self, name, layer, tensor):
        self[name, layer] = tensor.detach()[:, 0].reshape(-1, tensor.shape[-1]).clone()  # [A, 1, T, D] -> [A * T, D]


def _hook(module, take):
    def hook(_module, args, out):
        take(args, out)  # what a hook returns would replace the output

    return module.register_forward_hook(hook)


def _watch_layer(i, layer, stages):
    """Hooks of one decoder layer; the router's two callers are methods, not modules, and are wrapped."""
    hooks = [
        _hook(layer.input_layernorm, lambda a, out: stages.keep('attn_norm', i, out)),
        _hook(layer.laurel, lambda a, out: stages.keep('laurel_out', i, out)),
        _hook(layer.post_attention_layernorm, lambda a, out: stages.keep('attention_out', i, out)),
        _hook(layer.pre_feedforward_layernorm, lambda a, out: stages.keep('attn_laurel', i, a[0])),
        _hook(layer.mlp.act_fn, lambda a, out: stages.keep('mlp_gate', i, a[0])),
        _hook(layer.post_feedforward_layernorm, lambda a, out: stages.keep('mlp_out', i, out)),
        _hook(layer, lambda a, out: stages.keep_streams('layer_out', i, out)),
    ]
    if hasattr(layer.self_attn, 'v_norm'):
        hooks.append(_hook(layer.self_attn.v_norm, lambda a, out: stages.keep('attention_v', i, out.flatten(2))))
    predict, correct = layer.altup.predict, layer.altup.correct

    def watched_predict(x):
        out = predict(x)
        stages.keep_streams('altup_predict', i, out)
        return out

    def watched_correct(predictions, activated):
        stages.keep('ffw_out', i, activated)
        out = correct(predictions, activated)
        stages.keep_streams('altup_correct', i, out)  # a copy: the layer adds the injection in place
        return out

    layer.altup.predict, layer.altup.correct = watched_predict, watched_correct
    return hooks


def _watch_rope(decoder, stages):
    """Queries and keys after norm and rope: the only callers of apply_rotary_pos_emb, query first."""
    plain = hf.apply_rotary_pos_emb
    state = {'layer': -1, 'name': ''}

    def enter(i):
        def hook(_module, _args, _kwargs):
            state.update(layer=i, name='attention_q')
        return hook

    def watched(x, cos, sin, unsqueeze_dim=1):
        out = plain(x, cos, sin, unsqueeze_dim)
        stages.keep(state['name'], state['layer'], out.flatten(2))
        state['name'] = 'attention_k'
        return out

    hooks = [layer.self_attn.register_forward_pre_hook(enter(i), with_kwargs=True) for i, layer in enumerate(decoder.layers)]
    hf.apply_rotary_pos_emb = watched
    return hooks, plain


@torch.no_grad()
def run_with_stages(model, tokens):
    """Logits [T, V] and Stages of one sequence. model: Gemma3nForCausalLM or Gemma3nForConditionalGeneration."""
    decoder = getattr(model.model, 'language_model', model.model)
    stages = Stages()
    hooks, plain_rope = _watch_rope(decoder, stages)
    for i, layer in enumerate(decoder.layers):
        hooks += _watch_layer(i, layer, stages)
    project = decoder.project_per_layer_inputs

    def watched_project(embeds, per_layer):
        stages.keep('embed', -1, embeds)
        out = project(embeds, per_layer)
        for i in range(len(decoder.layers)):
            stages.keep('per_layer_input', i, out[:, :, i])
        return out

    decoder.project_per_layer_inputs = watched_project
    first = decoder.layers[0]
    hooks.append(first.register_forward_pre_hook(lambda _m, args: stages.keep_streams('altup_init', -1, args[0])))
    hooks.append(_hook(decoder.norm, lambda a, out: (stages.keep('altup_merge', -1, a[0]), stages.keep('final_norm', -1, out))))
    try:
        logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]
    finally:
        hf.apply_rotary_pos_emb = plain_rope
        for hook in hooks:
            hook.remove()
        del decoder.project_per_layer_inputs
        for layer in decoder.layers:
            del layer.altup.predict, layer.altup.correct
    stages['logits', -1] = logits
    return logits, stages


@torch.no_grad()
def run_in_chunks(model, tokens, positions, chunk=512):
    """Logits [len(positions), V] of a long sequence, through the library's own cache."""
    from transformers import DynamicCache
    cache, rows = DynamicCache(config=model.config), []
    for begin in range(0, len(tokens), chunk):
        part = tokens[begin:begin + chunk]
        keep = [p - begin for p in positions if begin <= p < begin + len(part)]
        out = model(input_ids=torch.tensor([part]), cache=cache, use_cache=True,
                    logits_to_keep=torch.tensor(keep or [0]))
        if keep:
            rows.append(out.logits[0])
    return torch.cat(rows)
