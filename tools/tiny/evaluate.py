"""Stage `evaluate`: the exported checkpoint through transformers' own generate(), on data made just now.

Fresh seeds, and for the `new` columns fonts and voices that training never saw. Nothing of the training's shortcuts is
used: pixels go through the real tower, sound through the reference's feature extractor, text through tokenizer.json.
"""

import json

import numpy as np
import torch

from . import config, pictures, prompts, speech, tasks

KINDS = ("text", "image", "audio", "both", "video")
SEED = 424242


def load(folder=None, half_width=False):
    """The checkpoint in float32 (bf16 weights); with `half_width` every MLP cut to its first half."""
    from transformers import Gemma3nForConditionalGeneration

    model = Gemma3nForConditionalGeneration.from_pretrained(folder or config.EXPORT, dtype=torch.float32).eval()
    if half_width:
        for layer in model.model.language_model.layers:
            m = layer.mlp
            w = m.intermediate_size // 2
            m.gate_proj.weight.data = m.gate_proj.weight.data[:w].clone()
            m.up_proj.weight.data = m.up_proj.weight.data[:w].clone()
            m.down_proj.weight.data = m.down_proj.weight.data[:, :w].clone()
            m.intermediate_size = w
    return model


def fresh_sound(rng, new):
    words = speech.random_sentence(rng)
    clip = speech.say(" ".join(words), speech.random_voice(rng, new), int(rng.integers(90, 141)), int(rng.integers(25, 76)))
    wave = speech.add_noise(rng, speech.pad_speech(rng, clip))
    return {"words": words, "wave": wave}


def fresh_sample(rng, kind, new):
    if kind == "text":
        return tasks.text_sample(rng, unseen=True)
    sounds = lambda r: fresh_sound(r, new)  # noqa: E731
    if kind == "image":
        return tasks.picture_sample(rng, tasks.scene)
    if kind == "audio":
        return tasks.audio_sample(rng, sounds)
    if kind == "both":
        return tasks.mixed_sample(rng, tasks.scene, sounds)
    return tasks.video_sample(rng, tasks.video, sounds)


class Inputs:
    """A sample's first turn as inputs of generate()."""

    def __init__(self, folder):
        from tokenizers import Tokenizer
        from transformers import Gemma3nAudioFeatureExtractor

        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.features = Gemma3nAudioFeatureExtractor()

    def __call__(self, sample, fonts):
        parts = sample.turns[0][0]
        text = prompts.prompt_text(sample, upto=0)
        expand = {config.IMAGE: config.IMAGE_TOKENS, config.AUDIO: config.AUDIO_TOKENS}
        ids = []
        for t in self.tokenizer.encode(text, add_special_tokens=False).ids:
            ids += [t] * expand.get(t, 1)
        out = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
        images = [tasks.render(p[1], fonts)[0] for p in parts if p[0] == "image" and not isinstance(p, str)]
        waves = [p[1]["wave"] for p in parts if p[0] == "audio" and not isinstance(p, str)]
        if images:
            pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() * (1 / 255)
            out["pixel_values"] = pixels
        if waves:
            f = self.features(waves, return_tensors="pt")
            out["input_features"], out["input_features_mask"] = f["input_features"], f["input_features_mask"].bool()
        return out


@torch.no_grad()
def answers(model, inputs, sample, fonts, new_tokens=60):
    batch = inputs(sample, fonts)
    out = model.generate(**batch, max_new_tokens=new_tokens, do_sample=False)[0, batch["input_ids"].shape[1] :].tolist()
    stop = next((i for i, t in enumerate(out) if t in (config.EOS, config.END_TURN)), len(out))
    return inputs.tokenizer.decode(out[:stop])


def run(folder=None, counts=None, seed=SEED, out=None):
    torch.set_num_threads(1)
    folder = folder or config.EXPORT
    counts = counts or {"text": 100, "image": 60, "audio": 60, "both": 40, "video": 30}
    inputs = Inputs(folder)
    models = {"full": load(folder), "half": load(folder, half_width=True)}
    table, wrong = {}, []
    for kind in KINDS:
        for new in (False, True):
            if kind == "text" and new:
                continue
            fonts = pictures.HELD_OUT_FONTS if new else pictures.TRAIN_FONTS
            good = {"full": 0, "half": 0}
            for i in range(counts[kind]):
                sample = fresh_sample(np.random.default_rng([seed, KINDS.index(kind), int(new), i]), kind, new)
                for name, model in models.items():
                    got = answers(model, inputs, sample, fonts)
                    want = sample.turns[0][1]
                    good[name] += got == want
                    if got != want and len(wrong) < 400:
                        wrong.append({"kind": kind, "new": new, "width": name, "want": want, "got": got})
            for name in models:
                table[f"{kind}{'_new' if new else ''}_{name}"] = round(good[name] / counts[kind], 4)
            print(kind, "new" if new else "", {k: round(v / counts[kind], 3) for k, v in good.items()}, flush=True)
    report = {"counts": counts, "seed": seed, "exact": table, "wrong": wrong}
    path = out or config.WORK / "evaluation.json"
    path.write_text(json.dumps(report, indent=1))
    print(path)
