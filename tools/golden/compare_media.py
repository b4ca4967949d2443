#!/usr/bin/env python3
"""Conversations with pictures and sound, in any order and number: `gemma3n` against transformers in float32.

    compare_media.py MODEL_DIR --gemma3n build/release/bin/gemma3n [--count N] [--precision f32|bf16|int8] [--seed N]

Pictures of odd sizes, sounds of odd lengths (several in one prompt are one batch), words between them, several turns;
seeded noise and shapes, so the model is asked about what it never saw. Compared are the number of
positions, every position's logits, and the token that greedy decoding would take at each. Exit status 1 when ids differ, or logits by more than --tolerance.
"""
import argparse
import json
import pathlib
import random
import re
import sys
import tempfile
import wave

import numpy as np
import torch
from PIL import Image
from transformers import AutoConfig, Gemma3nAudioFeatureExtractor, Gemma3nForConditionalGeneration
from transformers.models.siglip.image_processing_siglip import SiglipImageProcessor

from engine_cli import EXACT, Engine

WORDS = 'What is in this picture? Transcribe the speech. And now? compare both, please: first second one two'.split()


def picture(rng, path):
    width, height = rng.randint(1, 900), rng.randint(1, 900)
    pixels = np.random.default_rng(rng.getrandbits(32)).integers(0, 256, (4, 4, 3), np.uint8)
    image = Image.fromarray(pixels).resize((width, height), Image.BICUBIC)
    image.paste((rng.randrange(256), rng.randrange(256), 9), (width // 4, height // 4, width // 2, height // 2))
    image.save(path)
    return image


def sound(rng, path):
    n = rng.choice([700, 18304, 18688, 31000, rng.randint(600, 160000), 480000])
    noise = np.random.default_rng(rng.getrandbits(32))
    t = np.arange(n) / 16000
    wave_ = 0.4 * np.sin(2 * np.pi * t * (200 + 300 * np.sin(t * rng.uniform(1, 9)))) + 0.1 * noise.standard_normal(n)
    pcm = np.round(np.clip(wave_, -1, 1) * 32767).astype('<i2')
    with wave.open(str(path), 'wb') as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(16000)
        f.writeframes(pcm.tobytes())
    return pcm.astype(np.float32) / 32768


def render(messages):
    """The template of the instruction-tuned models, media expanded as HF Gemma3nProcessor does: on the text."""
    media = {'image': '\n\n<start_of_image>' + '<image_soft_token>' * 256 + '<end_of_image>\n\n',
             'audio': '\n\n<start_of_audio>' + '<audio_soft_token>' * 188 + '<end_of_audio>\n\n'}
    text = '<bos>'
    for message in messages:
        content = message['content']
        if not isinstance(content, str):
            content = ''.join(p['text'].strip() if p['type'] == 'text' else media[p['type']] for p in content)
        text += f'<start_of_turn>{"user" if message["role"] == "user" else "model"}\n{content}<end_of_turn>\n'
    return text + '<start_of_turn>model\n'


class Reference:
    def __init__(self, directory):
        import sentencepiece
        self.pieces = sentencepiece.SentencePieceProcessor(model_file=f'{directory}/tokenizer.model')
        self.model = Gemma3nForConditionalGeneration.from_pretrained(directory, dtype=torch.float32,
                                                                     attn_implementation='eager').eval()
        self.config = AutoConfig.from_pretrained(directory)
        size = json.loads((pathlib.Path(directory) / 'preprocessor_config.json').read_text())['size']
        self.pictures = SiglipImageProcessor(size=size, resample=2, do_normalize=False)
        self.features = Gemma3nAudioFeatureExtractor()

        c = self.config
        self.special = {'<bos>': 2, '<start_of_turn>': 105, '<end_of_turn>': 106, '<start_of_image>': c.boi_token_id,
                        '<image_soft_token>': c.image_token_id, '<end_of_image>': c.eoi_token_id,
                        '<start_of_audio>': c.boa_token_id, '<audio_soft_token>': c.audio_token_id,
                        '<end_of_audio>': c.eoa_token_id}

    def ids(self, messages):
        out = []
        for part in re.split('(' + '|'.join(self.special) + ')', render(messages)):
            out += [self.special[part]] if part in self.special else self.pieces.encode(part)
        return out

    def logits(self, ids, images, sounds):
        inputs = {'input_ids': torch.tensor([ids]), 'attention_mask': torch.ones(1, len(ids), dtype=torch.long)}
        if images:
            inputs['pixel_values'] = self.pictures(images=images, return_tensors='pt')['pixel_values']
        if sounds:
            f = self.features(sounds, return_tensors='pt')
            inputs['input_features'] = f['input_features']
            inputs['input_features_mask'] = f['input_features_mask'].bool()
        with torch.no_grad():
            return self.model(**inputs).logits[0].numpy()


def conversation(rng, folder):
    """Messages, and the pictures and sounds in order."""
    messages, images, sounds = [], [], []
    for turn in range(rng.randint(1, 2)):
        parts = []
        for i in range(rng.randint(1, 5)):
            kind = rng.choice(['text', 'image', 'audio'])
            path = folder / f'{turn}-{i}'
            if kind == 'text':
                parts.append({'type': 'text', 'text': ' '.join(rng.sample(WORDS, rng.randint(1, 6)))})
            elif kind == 'image' and len(images) < 3:
                images.append(picture(rng, path.with_suffix('.png')))
                parts.append({'type': 'image', 'path': str(path.with_suffix('.png'))})
            elif kind == 'audio' and len(sounds) < 3:
                sounds.append(sound(rng, path.with_suffix('.wav')))
                parts.append({'type': 'audio', 'path': str(path.with_suffix('.wav'))})
        messages.append({'role': 'user', 'content': parts})
        messages.append({'role': 'assistant', 'content': 'one two'})
    return messages[:-1], images, sounds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model')
    parser.add_argument('--gemma3n', required=True)
    parser.add_argument('--count', type=int, default=20)
    parser.add_argument('--precision', default='f32')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--tolerance', type=float, default=1e-4)
    args = parser.parse_args()
    torch.set_num_threads(1)
    engine, reference = Engine(args.gemma3n), Reference(args.model)
    worst = positions = same = media = 0
    for i in range(args.count):
        rng = random.Random(f'{args.seed}/{i}')
        with tempfile.TemporaryDirectory() as directory:
            folder = pathlib.Path(directory)
            messages, images, sounds = conversation(rng, folder)
            (folder / 'messages.json').write_text(json.dumps(messages))
            flags = ['--model', args.model, '--messages', folder / 'messages.json', '--media-precision', args.precision,
                     *EXACT]
            engine.run('logits', *flags, '--output', folder / 'logits.npy')
            found = np.load(folder / 'logits.npy')
        ids = reference.ids(messages)
        if len(ids) != len(found):
            sys.exit(f'{i}: expected {len(ids)} positions, found {len(found)}')
        expected = reference.logits(ids, images, sounds)
        difference = np.abs(found - expected).max()
        worst, media = max(worst, difference), media + len(images) + len(sounds)
        positions, same = positions + len(found), same + int((found.argmax(-1) == expected.argmax(-1)).sum())
        print(f'{i}: {len(images)} pictures, {len(sounds)} sounds, {len(found)} positions, logits differ by at most '
              f'{difference:.2g}', flush=True)
    print(f'{args.count} conversations, {media} media, {positions} positions: logits max {worst:.2g}, '
          f'most probable token the same at {same}')
    sys.exit(bool(worst > args.tolerance))


if __name__ == '__main__':
    main()
