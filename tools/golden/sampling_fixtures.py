#!/usr/bin/env python3
"""Writes tests/golden/sampling/processors.json: what transformers' logits processors make of small rows of logits.

    python tools/golden/sampling_fixtures.py        (needs torch and transformers)

Each case: logits, the prompt's and the generated tokens, the options, and the probabilities after HF generate's chain
(repetition penalty, temperature, top-k, top-p, min-p), computed in float64.
"""
import json
import pathlib
import random

import torch
from transformers.generation.logits_process import (MinPLogitsWarper, RepetitionPenaltyLogitsProcessor,
                                                    TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper)

OUT = pathlib.Path(__file__).resolve().parents[2] / 'tests/golden/sampling/processors.json'


def chain(case):
    scores = torch.tensor([case['logits']], dtype=torch.float64)
    seen = torch.tensor([case['prompt'] + case['generated']], dtype=torch.long)
    steps = []
    if case['repetition_penalty'] != 1 and seen.numel():
        steps.append(RepetitionPenaltyLogitsProcessor(float(case['repetition_penalty'])))
    if case['temperature'] != 1:
        steps.append(TemperatureLogitsWarper(float(case['temperature'])))
    if case['top_k']:
        steps.append(TopKLogitsWarper(case['top_k']))
    if case['top_p'] < 1:
        steps.append(TopPLogitsWarper(case['top_p']))
    if case['min_p'] > 0:
        steps.append(MinPLogitsWarper(case['min_p']))
    for step in steps:
        scores = step(seen, scores)
    return torch.softmax(scores, -1)[0].tolist()


def main():
    rng = random.Random(20240607)
    cases = []
    for number in range(160):
        n = rng.choice([1, 2, 3, 7, 16, 33])
        # Some rows repeat values: top-k keeps what ties with the k-th.
        values = [rng.choice([-2.5, -1.0, 0.0, 0.5, 3.25]) if number % 5 == 0 else round(rng.gauss(0, 3), 3)
                  for _ in range(n)]
        case = dict(
            logits=values,
            prompt=[rng.randrange(n) for _ in range(rng.randrange(4))],
            generated=[rng.randrange(n) for _ in range(rng.randrange(4))],
            repetition_penalty=rng.choice([1, 1, 1.5, 0.75]),
            temperature=rng.choice([1, 1, 0.5, 0.7, 1.25, 3]),
            top_k=rng.choice([0, 0, 2, 3, 5, 64]),
            top_p=rng.choice([1, 1, 0.95, 0.5, 0.1, 0.0]) if number % 5 else 1,
            min_p=rng.choice([0, 0, 0.05, 0.3]),
        )
        case['probabilities'] = [float(f'{p:.12g}') for p in chain(case)]
        cases.append(case)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text('[\n' + ',\n'.join(json.dumps(c, separators=(',', ':')) for c in cases) + '\n]\n')
    print(f'{len(cases)} cases, {OUT.stat().st_size} bytes')


main()
