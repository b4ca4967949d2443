#!/usr/bin/env python3
"""Greedy chat answers and logits of a hub checkpoint: `gemma3n` against transformers in float32, token for token.

    compare_generate.py MODEL_DIR --gemma3n build/release/bin/gemma3n [--random N] [--max-tokens N] [--kernels NAME]

The prompts: fixed questions, every sum of two digits in words and figures, repeating, and N random strings of the
vocabulary's own pieces (where the model is least sure of itself and rounding shows first). The prompt's ids come from
SentencePiece here and from the program's own tokenizer there. Exit status 1 when a token differs.
"""
import argparse
import random
import sys

import numpy as np
import torch
from safetensors import safe_open
from transformers import AutoConfig, Gemma3nForConditionalGeneration

from engine_cli import Engine
from text_reference import TextReference, hard_embeddings

QUESTIONS = ['Hello', 'Hello!', 'Who are you?', 'What can you do?', 'What is your name?', 'Count to five.', 'Count to ten.',
             'What is in this picture?', 'Transcribe the speech.', 'What is in the picture and what is said?',
             'Describe the picture.', 'Which color is it?', 'What shape is it?', 'Read the number.', 'What do you hear?',
             'Write down what is said.', 'Answer the spoken question.', 'Name a color.', 'Name a shape.',
             'Hello\n\nWho are you?', '  two  spaces ', 'tab\there', 'Größe 世界 🙂', '?']
WORDS = ('zero one two three four five six seven eight nine red blue green yellow purple orange circle square triangle '
         'star cross up down left right yes no stop go').split()


def prompts(pieces, count, seed):
    rng = random.Random(seed)
    out = list(QUESTIONS)
    digits = WORDS[:10]
    for a in range(10):
        for b in range(10):
            out.append([f'What is {a} plus {b}?', f'What is {digits[a]} plus {digits[b]}?', f'{a} + {b}',
                        f'What is {a} + {b}?'][(a + b) % 4])
    for n in range(1, 6):
        for form in ('Repeat: {}', 'Repeat {}', 'Say {}', 'Repeat after me: {}'):
            out.append(form.format(' '.join(rng.choice(WORDS) for _ in range(n))))
    for _ in range(count):
        out.append(''.join(rng.choice(pieces) for _ in range(rng.randint(1, 40))).replace('\u2581', ' ').strip(' ') or 'x')
    return out


class Library:
    def __init__(self, directory):
        import sentencepiece
        self.sp = sentencepiece.SentencePieceProcessor(model_file=f'{directory}/tokenizer.model')
        self.model = Gemma3nForConditionalGeneration.from_pretrained(directory, dtype=torch.float32,
                                                                     attn_implementation='eager').eval()

    def pieces(self):
        plain = [i for i in range(self.sp.get_piece_size())
                 if not (self.sp.is_control(i) or self.sp.is_unknown(i) or self.sp.is_byte(i))]
        return [p for p in map(self.sp.id_to_piece, plain) if not p.startswith('<start_of_') and '\n' not in p]

    def chat_ids(self, text):
        user, model = self.sp.encode(f'user\n{text.strip()}'), self.sp.encode('model\n')
        return [2, 105, *user, 106, *self.sp.encode('\n'), 105, *model]

    @torch.no_grad()
    def answer(self, ids, max_tokens):
        out = self.model.generate(torch.tensor([ids]), max_new_tokens=max_tokens, do_sample=False, temperature=None,
                                  top_k=None, top_p=None)
        return out[0, len(ids):].tolist()

    @torch.no_grad()
    def logits(self, ids):
        return self.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].numpy()


def float64_reference(directory):
    config, weights = AutoConfig.from_pretrained(directory), {}
    with safe_open(f'{directory}/model.safetensors', 'pt') as f:
        weights.update({k: f.get_tensor(k).double() for k in f.keys() if '_tower.' not in k})
    hard = {}
    for kind, part in (('embed_vision', config.vision_config), ('embed_audio', config.audio_config)):
        hard.update(hard_embeddings(weights, f'model.{kind}.', part.vocab_offset, part.rms_norm_eps))
    prefix = 'model.language_model.'
    return TextReference(config.text_config, {k.removeprefix(prefix): v for k, v in weights.items()}, hard)


def compare_answers(library, engine, args):
    """Texts whose answers differ, and every full sequence of ids."""
    ends, differing, sequences = {1, 106}, [], []
    texts = prompts(library.pieces(), args.random, args.seed)
    for n, text in enumerate(texts):
        ids = library.chat_ids(text)
        expected = library.answer(ids, args.max_tokens)
        sequences.append(ids + expected)
        expected = [t for t in expected if t not in ends]
        found = engine.answer(args.model, text, args.max_tokens)
        if found != expected:
            at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
            row = np.sort(library.logits(sequences[-1])[len(ids) + at - 1])
            differing.append(text)
            print(f'DIFFERS {text!r}: at answer token {at}, where the library\'s two best are {row[-1] - row[-2]:.2g} apart\n'
                  f'  transformers {library.sp.decode(expected)!r}\n  gemma3n      {library.sp.decode(found)!r}')
        elif n < 12 or n % 25 == 0:
            print(f'same    {text!r} -> {library.sp.decode(expected)!r}')
    print(f'{len(texts) - len(differing)} of {len(texts)} answers the same, token for token '
          f'({sum(map(len, sequences))} tokens)')
    return differing, sequences


def compare_logits(library, engine, args, sequences):
    exact = float64_reference(args.model)
    rows = [(np.abs(a - b).max(), np.abs(a - c).max(), np.abs(b - c).max(), c.std(), (a.argmax(1) == b.argmax(1)).mean())
            for a, b, c in ((engine.logits(args.model, ids), library.logits(ids), exact.logits(ids).numpy())
                            for ids in sequences[:args.logits])]
    worst = np.array(rows).max(0)
    print(f'logits of {len(rows)} prompts with answers: ours against transformers max {worst[0]:.2e}; '
          f'against float64: ours {worst[1]:.2e}, transformers {worst[2]:.2e}; '
          f'spread {np.mean([r[3] for r in rows]):.2f}; same best token at {100 * np.mean([r[4] for r in rows]):.2f} %')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('model')
    ap.add_argument('--gemma3n', required=True)
    ap.add_argument('--kernels', help='GEMMA3N_KERNELS for the program')
    ap.add_argument('--random', type=int, default=100)
    ap.add_argument('--logits', type=int, default=60, help='prompts whose logits are compared')
    ap.add_argument('--max-tokens', type=int, default=48)
    ap.add_argument('--seed', type=int, default=1)
    args = ap.parse_args()
    torch.set_num_threads(1)
    library, engine = Library(args.model), Engine(args.gemma3n, args.kernels)
    differing, sequences = compare_answers(library, engine, args)
    compare_logits(library, engine, args, sequences)
    sys.exit(1 if differing else 0)


if __name__ == '__main__':
    main()
