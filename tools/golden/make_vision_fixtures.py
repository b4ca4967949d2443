#!/usr/bin/env python3
"""Makes tests/golden/fixtures/vision_tower: what timm and transformers compute with a picture tower of a tenth of the width.

    ref/bin/python tools/golden/make_vision_fixtures.py        torch 2.15, transformers 5.24, timm 1.0.31

The tower has all 84 blocks and 12 million weights, so neither it nor its features are stored: the weights are a formula
(hashed_values.py), and of each stage's output there is one pixel and eight sums of all its values under random signs. The
pixels and the sums of one picture size lie one after the other, in the order of the probes: vision_stem, the 84 blocks,
vision_fusion. The soft tokens are whole.
"""
import json
import pathlib

import numpy as np
import timm
import torch
from transformers import Gemma3nTextConfig, Gemma3nVisionConfig
from transformers.models.gemma3n.modeling_gemma3n import Gemma3nMultimodalEmbedder

import safetensors_file
from hashed_values import hash_bits, hashed_values

OUT = pathlib.Path(__file__).resolve().parents[2] / 'tests' / 'golden' / 'fixtures' / 'vision_tower'
HIDDEN = 32  # the decoder's width
SIGNS = 8


def fill(module, prefix, shapes):
    for name, parameter in module.state_dict().items():
        shapes[prefix + name] = list(parameter.shape)
        parameter.copy_(torch.from_numpy(hashed_values(prefix + name, tuple(parameter.shape))))
    return module.eval()


def picture(size):
    """[size, size, 3] uint8: slopes with noise on them."""
    y, x, c = np.meshgrid(np.arange(size), np.arange(size), np.arange(3), indexing='ij')
    noise = hash_bits('picture', np.arange(size * size * 3)).reshape(y.shape) >> 18
    return ((3 * x + 5 * y + 40 * c + noise) % 256).astype(np.uint8)


def summary(values, tap):
    """values: [pixels, channels] of the tap-th probe -> one pixel, and the sums under random signs."""
    pixel = int(hash_bits('pixel', tap)[0]) % values.shape[0]
    flat = values.astype(np.float64).ravel()
    bits = hash_bits('signs', np.arange(flat.size))
    sums = [np.where(bits >> s & 1, flat, -flat).sum() / np.sqrt(flat.size) for s in range(SIGNS)]
    return values[pixel], np.array(sums, np.float32)


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    shapes = {}
    tower = timm.create_model('mobilenetv5_300m_enc', num_classes=0, channel_multiplier=0.1, stem_size=32, fix_stem=True,
                              layer_scale_init_value=0.1)
    fill(tower, 'model.vision_tower.timm_model.', shapes)
    embedder = Gemma3nMultimodalEmbedder(Gemma3nVisionConfig(vocab_size=4), Gemma3nTextConfig(hidden_size=HIDDEN))
    fill(embedder, 'model.embed_vision.', shapes)

    taps = []
    keep = lambda module, inputs, output: taps.append(output[0].flatten(1).T.numpy())
    tower.conv_stem.register_forward_hook(keep)
    for stage in tower.blocks:
        for block in stage:
            block.register_forward_hook(keep)
    tower.msfa.register_forward_hook(keep)

    tensors = []
    for size in (256, 512, 768):
        taps.clear()
        pixels = torch.from_numpy(picture(size)).permute(2, 0, 1).float() * 0.00392156862745098
        features = tower(pixels[None])
        soft = features.reshape(1, 2048, 256).permute(0, 2, 1).contiguous()
        soft *= 2048**0.5
        rows, sums = zip(*(summary(values, i) for i, values in enumerate(taps)))
        print(size, len(taps), 'taps, rms of the last block', float(np.sqrt(np.mean(taps[-2]**2))))
        tensors += [(f'{size}.pixels', 'F32', np.concatenate(rows)), (f'{size}.sums', 'F32', np.stack(sums)),
                    (f'{size}.soft', 'F32', embedder(inputs_embeds=soft)[0].numpy())]
    OUT.mkdir(exist_ok=True)
    safetensors_file.write(OUT / 'expected.safetensors', tensors)
    lines = [f'{json.dumps(name)}: {json.dumps(shape)}' for name, shape in sorted(shapes.items())]
    (OUT / 'shapes.json').write_text('{\n' + ',\n'.join(lines) + '\n}\n')


if __name__ == '__main__':
    main()
