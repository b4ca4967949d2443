#!/usr/bin/env python3
"""The picture tower beside transformers and timm, alternating, medians: vision_compare.py MODEL_DIR --bench PROGRAM

    ref/bin/python bench/vision_compare.py DIR --make       a full-size tower with random weights, 600 MB, as DIR
    ref/bin/python bench/vision_compare.py DIR --bench build/bench/bin/vision_encode --sizes 256 768

Needs torch, transformers, timm, safetensors. Every way gets the same number of threads and the same noise of a picture; "cosine" and
"error" (rms of the difference over rms) compare soft tokens with transformers in float32.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np
import safetensors.torch
import torch
from transformers import Gemma3nConfig
from transformers.models.gemma3n.modeling_gemma3n import Gemma3nMultimodalEmbedder
from transformers.models.timm_wrapper.modeling_timm_wrapper import TimmWrapperModel


def modules(config):
    with torch.device('meta'):
        return TimmWrapperModel(config.vision_config), Gemma3nMultimodalEmbedder(config.vision_config, config.text_config)


def make(directory):
    """Random weights as noise of the size that keeps activations tame."""
    os.makedirs(directory)
    config = Gemma3nConfig()
    with open(f'{directory}/config.json', 'w') as f:
        f.write(config.to_json_string(use_diff=False))
    torch.manual_seed(0)
    tensors = {}
    for prefix, module in zip(('model.vision_tower.', 'model.embed_vision.'), modules(config)):
        for name, p in module.state_dict().items():
            if p.ndim < 2:
                value = 0.0 if name.endswith('bias') else 0.25 if 'gamma' in name else 1.0
                values = value * (1 + 0.2 * torch.randn(p.shape))
            else:
                values = torch.randn(p.shape) / math.sqrt(math.prod(p.shape[1:]))
            tensors[prefix + name] = values.to(torch.bfloat16)
    safetensors.torch.save_file(tensors, f'{directory}/model.safetensors')


class Reference:
    def __init__(self, directory, dtype):
        self.dtype = dtype
        self.config = Gemma3nConfig.from_pretrained(directory)
        self.tower, self.embedder = modules(self.config)
        tensors = safetensors.torch.load_file(f'{directory}/model.safetensors')
        for prefix, module in (('model.vision_tower.', self.tower), ('model.embed_vision.', self.embedder)):
            own = {n.removeprefix(prefix): t.to(dtype) for n, t in tensors.items() if n.startswith(prefix)}
            module.load_state_dict(own, assign=True)
            module.eval()

    @torch.no_grad()
    def run(self, size):
        i = np.arange(size * size * 3, dtype=np.uint64)
        rgb = ((i * np.uint64(2654435761) & np.uint64(0xFFFFFFFF)) >> np.uint64(24)).astype(np.uint8)
        pixels = torch.from_numpy(rgb.reshape(size, size, 3)).permute(2, 0, 1)[None].float() / 255
        start = time.perf_counter()
        hidden = self.tower(pixel_values=pixels.to(self.dtype), do_pooling=False).last_hidden_state
        hidden = hidden.reshape(1, 2048, 256).permute(0, 2, 1) * 2048**0.5
        soft = self.embedder(inputs_embeds=hidden)[0]
        return time.perf_counter() - start, soft.float().numpy()


class Ours:
    def __init__(self, bench, directory, arithmetic, threads):
        self.process = subprocess.Popen([bench, directory, arithmetic, str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.about = json.loads(self.process.stdout.readline())

    def ask(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def run(self, size):
        told = self.ask(str(size))
        self.extra_mb = told['extra_mb']
        with tempfile.NamedTemporaryFile() as f:
            self.ask(f'dump {f.name}')
            return told['seconds'], np.fromfile(f.name, np.float32).reshape(256, -1)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('model')
    ap.add_argument('--make', action='store_true')
    ap.add_argument('--bench')
    ap.add_argument('--sizes', type=int, nargs='+', default=[256, 512, 768])
    ap.add_argument('--arithmetic', nargs='+', default=['float32', 'bfloat16', 'int8'])
    ap.add_argument('--reference', nargs='+', default=['float32', 'bfloat16'])
    ap.add_argument('--runs', type=int, default=3)
    ap.add_argument('--threads', type=int, default=2)
    a = ap.parse_args()
    if a.make:
        return make(a.model)
    torch.set_num_threads(a.threads)
    ways = {f'timm {d}': Reference(a.model, getattr(torch, d)) for d in a.reference}
    ways |= {f'ours {d}': Ours(a.bench, a.model, d, a.threads) for d in a.arithmetic}
    for name, way in ways.items():
        if hasattr(way, 'about'):
            print(name, way.about)
    for size in a.sizes:
        seconds, soft = {n: [] for n in ways}, {}
        for _ in range(a.runs):
            for name, way in ways.items():
                s, soft[name] = way.run(size)
                seconds[name].append(s)
        exact = soft.get('timm float32')
        macs = 435.7e9 * (size / 768)**2
        print(f'{size} x {size}, medians of {a.runs}')
        for name, values in seconds.items():
            median, line = statistics.median(values), ''
            if exact is not None:
                cosine = (soft[name] * exact).sum() / math.sqrt((soft[name]**2).sum() * (exact**2).sum())
                error = math.sqrt(((soft[name] - exact)**2).mean() / (exact**2).mean())
                line = f'  cosine {cosine:.5f}  error {error:.1e}'
            memory = f'  extra {ways[name].extra_mb:.0f} MB' if hasattr(ways[name], 'extra_mb') else ''
            print(f'  {name:14s} {median:7.3f} s (best {min(values):.3f}) {macs / median / 1e9:6.0f} GMAC/s{line}{memory}')


if __name__ == '__main__':
    main()
