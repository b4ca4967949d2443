"""Stage `check`: the training's shortcuts against transformers, on one sample of every kind.

The decoder of decoder.py with soft tokens from the training's towers must give the logits of
Gemma3nForConditionalGeneration fed with pixels and features.
"""

import numpy as np
import torch

from . import decoder, evaluate, joint, media, pictures, prompts, tasks, vocab


@torch.no_grad()
def run():
    torch.set_num_threads(1)
    model = joint.build_model().eval()
    towers = {name: media.load_tower(name) for name in ("vision", "audio")}
    tokenizer = vocab.load()
    folder = vocab.config.WORK / "tokenizer"
    inputs = evaluate.Inputs(folder)

    def soft(kind, spec):
        if kind == "image":
            return media.picture_tokens(towers["vision"], [spec], pictures.TRAIN_FONTS)[0][0].float()
        rows, valid = towers["audio"].rows([spec["wave"]])
        return rows[0, ::4][valid[0, ::4]]

    worst = 0.0
    for i, kind in enumerate(evaluate.KINDS):
        sample = evaluate.fresh_sample(np.random.default_rng([5, i]), kind, False)
        sample.turns = sample.turns[:1]
        reference_in = inputs(sample, pictures.TRAIN_FONTS)
        encoded = prompts.encode(sample, tokenizer, soft)
        prompt = reference_in["input_ids"].shape[1]
        for name in ("input_ids", "attention_mask"):
            tail = encoded.targets[None] if name == "input_ids" else torch.ones(1, len(encoded.targets), dtype=torch.long)
            reference_in[name] = torch.cat([reference_in[name], tail], 1)
        want = model(**reference_in, use_cache=False).logits[0, prompt - 1 : -1]
        batch = decoder.Batch(encoded.ids, [len(encoded.ids)], encoded.rows)
        got = decoder.Decoder(model).logits(batch, encoded.soft)
        difference = (got - want).abs().max().item()
        worst = max(worst, difference)
        print(f"{kind}: {len(encoded.ids)} tokens, largest difference {difference:.2g} of std {want.std():.2g}", flush=True)
    # Cached pictures are kept in float16, which is the largest part of the difference.
    if worst > 2e-2:
        raise SystemExit("the training's decoder differs from transformers'")
