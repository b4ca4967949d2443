#!/usr/bin/env python3
"""The sound tower beside transformers', run by run in turns:

    audio_compare.py MODEL_DIR build/release/bin/audio_encode [--seconds 30] [--runs 5] [--threads 2] [--pairs float32,bfloat16,int8]

MODEL_DIR: a hub checkpoint (its sound tower's tensors are enough). Needs torch, transformers and safetensors. Prints medians of wall-clock and of
processor seconds for the tower with its features and its embedder, and for the features alone.
"""
import argparse
import pathlib
import statistics
import subprocess
import time

import numpy as np
import torch
from safetensors import safe_open
from transformers import Gemma3nConfig
from transformers.models.gemma3n import modeling_gemma3n as hf
from transformers.models.gemma3n.feature_extraction_gemma3n import Gemma3nAudioFeatureExtractor


def load(path, dtype):
    config = Gemma3nConfig.from_pretrained(path)
    with torch.device('meta'):
        tower = hf.Gemma3nAudioEncoder(config.audio_config)
        embedder = hf.Gemma3nMultimodalEmbedder(config.audio_config, config.text_config)
    # Buffers are constants of the config: build them for real in a model of one block and copy.
    for file in sorted(pathlib.Path(path).glob('*.safetensors')):
        with safe_open(file, 'pt') as tensors:
            for name in tensors.keys():
                for prefix, module in (('model.audio_tower.', tower), ('model.embed_audio.', embedder)):
                    if name.startswith(prefix):
                        owner, _, leaf = name[len(prefix):].rpartition('.')
                        setattr(module.get_submodule(owner), leaf,
                                torch.nn.Parameter(tensors.get_tensor(name).to(dtype), requires_grad=False))
    small = Gemma3nConfig(audio_config={**config.audio_config.to_dict(), 'conf_num_hidden_layers': 1}).audio_config
    one = hf.Gemma3nAudioEncoder(small)
    for name, buffer in one.named_buffers():
        for layer in range(config.audio_config.conf_num_hidden_layers):
            owner, _, leaf = name.replace('conformer.0.', f'conformer.{layer}.').rpartition('.')
            setattr(tower.get_submodule(owner), leaf, buffer.to(torch.float32))
    return tower.eval(), embedder.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model')
    parser.add_argument('program')
    parser.add_argument('--seconds', type=float, default=30)
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--pairs', default='float32,bfloat16')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    t = np.arange(int(args.seconds * 16000)) / 16000
    samples = (0.3 * np.sin(1400 * t * (1 + 0.1 * np.sin(3 * t))) + 0.1 * np.sin(9000 * t)).astype(np.float32)
    extractor = Gemma3nAudioFeatureExtractor()
    for arithmetic in args.pairs.split(','):
        dtype = torch.float32 if arithmetic == 'float32' else torch.bfloat16
        tower, embedder = load(args.model, dtype)
        process = subprocess.Popen([args.program, args.model, arithmetic, str(args.seconds), str(args.threads)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ours, theirs = [], []
        for run in range(args.runs + 1):
            process.stdin.write('\n')
            process.stdin.flush()
            mine = [float(x) for x in process.stdout.readline().split()]
            start, begin, processor = time.perf_counter(), time.perf_counter(), time.process_time()
            with torch.no_grad():
                features = extractor([samples], return_tensors='pt')
                extracted = time.perf_counter() - start
                out = tower(features['input_features'].to(dtype), ~features['input_features_mask'].bool())
                embedder(inputs_embeds=out.last_hidden_state)
            other = [extracted, time.perf_counter() - begin, time.process_time() - processor]
            if run > 0:  # the first warms up
                ours.append(mine)
                theirs.append(other)
        process.stdin.close()
        process.wait()
        rows = {name: [statistics.median(column) for column in zip(*runs)] for name, runs in (('gemma3n', ours), ('transformers', theirs))}
        for name, row in rows.items():
            print(f'{arithmetic:9} {name:13} wall {row[1]:.3f} s, processor {row[2]:.3f} s, features {row[0]:.3f} s')
        ratio = [b / a for a, b in zip(rows['gemma3n'], rows['transformers'])]
        print(f'{arithmetic:9} times as fast: wall {ratio[1]:.2f}, processor {ratio[2]:.2f}', flush=True)


if __name__ == '__main__':
    main()
