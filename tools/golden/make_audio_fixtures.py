"""Writes tests/golden/fixtures/audio: what transformers computes with a tiny sound tower. See README.md.

The tower's weights and the sounds are made of formulas (shared_values.py) that the C++ tests repeat; the files hold the
config, the tensors' names and shapes, and the reference's answers for some rows.
"""
import argparse
import json
import math
import pathlib

import numpy as np
import torch
from transformers import Gemma3nConfig
from transformers.models.gemma3n import modeling_gemma3n as hf
from transformers.models.gemma3n.feature_extraction_gemma3n import Gemma3nAudioFeatureExtractor

import safetensors_file
import shared_values

SOFT_TOKENS = 188
TEXT = {'hidden_size': 48, 'num_hidden_layers': 5, 'intermediate_size': 64, 'num_attention_heads': 2, 'num_key_value_heads': 1,
        'head_dim': 16, 'vocab_size': 336, 'vocab_size_per_layer_input': 320, 'hidden_size_per_layer_input': 8,
        'num_kv_shared_layers': 0, 'laurel_rank': 4}
AUDIO = {'hidden_size': 64, 'conf_num_hidden_layers': 3, 'conf_num_attention_heads': 4, 'sscp_conv_channel_size': [8, 4],
         'vocab_offset': 328, 'vocab_size': 8}
TOKENS = {'boi_token_id': 318, 'boa_token_id': 319, 'eoi_token_id': 320, 'image_token_id': 321, 'eoa_token_id': 328,
          'audio_token_id': 329, 'audio_soft_tokens_per_image': SOFT_TOKENS}

# Requests of one or more clips: (kind, samples).
REQUESTS = [
    [('voice', 800)],
    [('voice', 513)],
    [('voice', 16000)],
    [('voice', 159840)],
    [('voice', 480000)],
    [('voice', 496000)],                      # the last second is not heard
    [('voice', 18688)],                       # alone, and with a longer mate: its last token changes
    [('voice', 18688), ('quiet', 31000)],
    [('voice', 18304)],                       # alone 7 tokens, with a longer mate 8
    [('quiet', 20000), ('voice', 18304), ('clipped', 300), ('voice', 480000), ('offset', 0)],
    [('silence', 16000)],
    [('clipped', 16000)],
    [('offset', 16000)],
    [('silence', 24000), ('offset', 12000), ('clipped', 9000), ('quiet', 4000)],
]
STAGES_CLIP = ('voice', 21920)


def spread(name, shape):
    """(scale, offset) of a tensor, for activations that stay tame and attention that is neither flat nor one-hot."""
    if 'per_dim_scale' in name:
        return 1.0, 0.3
    if 'post' in name and 'norm' in name:
        return 0.3, 0.6
    if 'norm' in name:
        return 0.5, 1.0
    return math.sqrt(12 / math.prod(shape[1:])), 0.0  # projections: variance 1 / fan-in


def build():
    config = Gemma3nConfig(text_config=TEXT, audio_config=AUDIO, **TOKENS)
    tower = hf.Gemma3nAudioEncoder(config.audio_config).float().eval()
    embedder = hf.Gemma3nMultimodalEmbedder(config.audio_config, config.text_config).float().eval()
    tensors = {}
    with torch.no_grad():
        for prefix, module in (('model.audio_tower.', tower), ('model.embed_audio.', embedder)):
            for name, parameter in module.named_parameters():
                scale, offset = spread(name, parameter.shape)
                tensors[prefix + name] = {'shape': list(parameter.shape), 'scale': scale, 'offset': offset}
                parameter.copy_(torch.from_numpy(shared_values.tensor(prefix + name, parameter.shape, scale, offset)))
    return config, tower, embedder, tensors


def features_of(clips):
    extractor = Gemma3nAudioFeatureExtractor()
    out = extractor([shared_values.sound(*clip) for clip in clips], return_tensors='pt')
    return out['input_features'], out['input_features_mask'].bool()


def soft_tokens(tower, embedder, clips):
    """[clips, SOFT_TOKENS, D] as Gemma3nModel.forward scatters them, and each clip's count of its own."""
    mel, valid = features_of(clips)
    out = tower(mel, ~valid)
    features = embedder(inputs_embeds=out.last_hidden_state)
    padding = embedder(input_ids=torch.tensor([[embedder.vocab_offset + embedder.vocab_size - 1]]))
    features = torch.where(out.audio_mel_mask.unsqueeze(-1), padding, features)
    extra = padding.expand(len(clips), SOFT_TOKENS - features.shape[1], -1)
    return torch.cat((features, extra), dim=1), (~out.audio_mel_mask).sum(1)


def stages(tower, clip):
    """name -> [rows, width], named as the C++ probes are."""
    kept = {}

    def keep(name, module, take):
        module.register_forward_hook(lambda _m, args, out: kept.__setitem__(name, take(args, out)[0].clone()) and None)

    front = tower.subsample_conv_projection
    for i, conv in enumerate((front.conv_0, front.conv_1)):
        keep(f'subsampling_{i}', conv, lambda _a, out: out.permute(0, 2, 3, 1).flatten(2))  # [1, C, T, F] -> [1, T, F * C]
    keep('subsampling', front, lambda _a, out: out)
    for i, block in enumerate(tower.conformer):
        keep(f'layer{i}/feed_forward_start', block.ffw_layer_start, lambda _a, out: out)
        keep(f'layer{i}/attention', block.attention, lambda _a, out: out)
        keep(f'layer{i}/light_conv', block.lconv1d, lambda _a, out: out)
        keep(f'layer{i}/feed_forward_end', block.ffw_layer_end, lambda _a, out: out)
        keep(f'layer{i}/block_out', block, lambda _a, out: out)
    mel, valid = features_of([clip])
    tower(mel, ~valid)
    kept['log_mel'] = mel[0]
    return kept


def some(rows, wanted):
    """Every wanted-th row from the first on: (numbers, rows)."""
    numbers = np.arange(0, len(rows), wanted)
    return numbers, rows[numbers]


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default=pathlib.Path(__file__).parents[2] / 'tests/golden/fixtures/audio', type=pathlib.Path)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    config, tower, embedder, tensors = build()
    (out / 'config.json').write_text(json.dumps({**TOKENS, 'model_type': 'gemma3n', 'architectures':
                                                 ['Gemma3nForConditionalGeneration'], 'text_config': {**TEXT, 'model_type':
                                                 'gemma3n_text', 'layer_types': config.text_config.layer_types,
                                                 'activation_sparsity_pattern': [0.0] * 5}, 'vision_config':
                                                 {'vocab_offset': 320, 'vocab_size': 8}, 'audio_config': AUDIO}, indent=1) + '\n')
    (out / 'tensors.json').write_text(json.dumps(tensors, indent=0) + '\n')
    expected = []

    def add(name, values):
        expected.append((name, 'F32', np.ascontiguousarray(values, np.float32)))

    for kind in shared_values.KINDS:
        rows, mel = some(features_of([(kind, 16000)])[0][0].numpy(), 8)
        add(f'log_mel/{kind}/rows', rows)
        add(f'log_mel/{kind}/values', mel)
    for name, values in stages(tower, STAGES_CLIP).items():
        rows, values = some(values.numpy(), 8 if name in ('log_mel', 'subsampling_0') else 4)
        add(f'stage/{name}/rows', rows)
        add(f'stage/{name}/values', values)
    for i, clips in enumerate(REQUESTS):
        soft, valid = soft_tokens(tower, embedder, clips)
        for j, (kind, samples) in enumerate(clips):
            own = int(valid[j])
            print(f'request {i}, clip {j}: {kind}, {samples} samples, {own} tokens')
            step = max(1, own // 10)
            rows = sorted({*range(0, own, step), *range(max(0, own - 2), min(own + 1, SOFT_TOKENS)), SOFT_TOKENS - 1})
            add(f'request{i}/clip{j}/kind', [shared_values.KINDS.index(kind)])
            add(f'request{i}/clip{j}/samples', [samples])
            add(f'request{i}/clip{j}/tokens', [own])
            add(f'request{i}/clip{j}/rows', rows)
            add(f'request{i}/clip{j}/values', soft[j].numpy()[rows])
    safetensors_file.write(out / 'expected.safetensors', sorted(expected, key=lambda e: e[0]))


if __name__ == '__main__':
    main()
