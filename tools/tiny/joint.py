"""Stage `joint`: the text decoder learns every task on the frozen towers' soft tokens, at full and at half width.

Phases go from short layouts (few padding slots after a sound, pictures cut to where something is) to the real ones of
188 and 256 tokens. Cached pictures are also put together, so that few of them show many scenes. Each micro-batch runs at full width, at the half-width prefix, or with each layer choosing.
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from . import columns, config, decoder, media, optim, prompts, runlog, tasks, vocab


@dataclass(frozen=True)
class Phase:
    name: str
    steps: int
    mix: dict  # samples of each kind per step
    lr: float
    final: float  # learning-rate factor at the end of the phase
    short: float = 0.0  # share of the samples with 40 audio slots and pictures cut to where something is
    columns: float = 0.0  # weight of the loss of columns


PLAN = [
    Phase("words", 400, {"text": 16, "audio": 12}, 1.0, 1.0, short=1.0),
    Phase("pictures", 900, {"text": 10, "audio": 6, "image": 6, "both": 4, "video": 3}, 1.0, 0.75, short=1.0),
    Phase("full", 560, {"text": 8, "audio": 4, "image": 5, "both": 3, "video": 2}, 0.75, 0.03),
    Phase("again", 420, {"text": 8, "audio": 4, "image": 6, "both": 4, "video": 2}, 0.5, 0.02),
    Phase("crowd", 120, {"text": 12, "audio": 7, "image": 4, "both": 3, "video": 1, "talk": 1}, 0.4, 0.2, short=0.5),
    Phase("long", 70, {"text": 12, "audio": 5, "image": 4, "both": 3, "video": 1, "talk": 1}, 0.2, 0.01),
    Phase("last", 90, {"text": 8, "audio": 4, "image": 7, "both": 3, "video": 1}, 0.3, 0.01),
    Phase("wide", 900, {"text": 6, "audio": 4, "image": 6, "both": 5, "video": 3}, 0.5, 0.01),
    Phase("order", 240, {"text": 4, "audio": 3, "image": 6, "both": 10, "video": 2}, 0.25, 0.01),
    Phase("columns", 900, {"text": 4, "audio": 3, "image": 7, "both": 8, "video": 2}, 0.4, 0.01, columns=0.3),
    Phase("films", 180, {"text": 4, "audio": 6, "image": 4, "both": 5, "video": 5}, 0.15, 0.01, columns=0.1),
]
TOKENS = 2600  # of a micro-batch, about
SHORT_SLOTS = 40  # a sound's in short layouts


def locate(step):
    for phase in PLAN:
        if step < phase.steps:
            return phase, step
        step -= phase.steps
    return None, 0


class Source:
    """Draws samples and their soft tokens from the caches; in training also rearranges them."""

    def __init__(self, pictures="pictures", videos="videos", sounds=("sounds-utterances", "sounds-utterances_crowd"),
                 unseen=False):  # fmt: skip
        self.pictures, self.videos, self.sounds = media.Pool(pictures), media.Pool(videos), media.Pool(*sounds)
        self.tokenizer = vocab.load()
        self.unseen = unseen

    def refresh(self):
        for pool in (self.pictures, self.videos, self.sounds):
            pool.refresh()

    def _picture(self, rng):
        item = self.pictures.pick(rng)
        return {**item["scenes"][0], "soft": item["soft"][0], "boxes": item["boxes"][0]}

    def _single(self, rng, kind):
        while True:
            item = self._picture(rng)
            if len(item["things"]) == 1 and item["things"][0][0] == kind:
                return item

    def _scene(self, rng):
        if self.unseen or rng.random() < 0.6:
            return self._picture(rng)
        while True:
            kinds = ["shape", "number"]
            rng.shuffle(kinds)
            if both := media.collage(*[self._single(rng, k) for k in kinds], rng):
                return both

    def _video(self, rng):
        if not self.unseen and rng.random() < 0.4:  # numbers that follow no rule must be read one by one
            return [self._single(rng, "number") for _ in range(int(rng.integers(2, 6)))]
        item = self.videos.pick(rng)
        return [{**s, "soft": item["soft"][i], "boxes": item["boxes"][i]} for i, s in enumerate(item["scenes"])]

    def sample(self, rng, kind):
        sounds = self.sounds.pick
        if kind == "text":
            return tasks.text_sample(rng, self.unseen)
        if kind == "audio":
            return tasks.audio_sample(rng, sounds)
        if kind == "image":
            return tasks.picture_sample(rng, self._scene)
        if kind == "both":
            return tasks.mixed_sample(rng, self._scene, sounds)
        if kind == "talk":
            return tasks.talk_sample(rng, self._scene, sounds)
        return tasks.video_sample(rng, self._video, sounds)

    def encoded(self, rng, kind, short=0.0):
        brief = rng.random() < short

        def tokens(medium, spec):
            soft = spec["soft"]
            if medium == "image" and brief:
                soft = media.crop(soft, spec["boxes"], rng)
            return soft.float()

        return prompts.encode(self.sample(rng, kind), self.tokenizer, tokens, SHORT_SLOTS if brief else config.AUDIO_TOKENS)


def collate(samples):
    rows, at = [], 0
    for s in samples:
        rows.append(s.rows + at)
        at += len(s.ids)
    batch = decoder.Batch(torch.cat([s.ids for s in samples]), [len(s.ids) for s in samples], torch.cat(rows))
    return batch, torch.cat([s.soft for s in samples]), torch.cat([s.targets for s in samples])


def micro_batches(samples):
    part, size = [], 0
    for s in samples:
        if part and size + len(s.ids) > TOKENS:
            yield part
            part, size = [], 0
        part.append(s)
        size += len(s.ids)
    if part:
        yield part


def widths(rng):
    """Full, half, or a mixture by layer, as a function of (layer, full width)."""
    r = rng.random()
    if r < 0.45:
        return lambda layer, full: full
    if r < 0.9:
        return lambda layer, full: full // 2
    halves = rng.random(len(config.WIDTHS)) < 0.5
    return lambda layer, full: full // 2 if halves[layer] else full


def half(layer, full):
    return full // 2


def build_model():
    """The whole model: initialised decoder, frozen towers where there are any."""
    from transformers import Gemma3nForConditionalGeneration

    torch.manual_seed(0)
    model = Gemma3nForConditionalGeneration(config.hf_config())
    decoder.initialise(model)
    for name in ("vision", "audio"):
        if media.tower_path(name).exists():
            weights = torch.load(media.tower_path(name), map_location="cpu")["weights"]
            model.load_state_dict(weights, strict=False)
    return model


def trainable(model):
    """The decoder, and the embedders' hard rows (the soft path and the towers stay as frozen)."""
    for name, p in model.named_parameters():
        p.requires_grad_("language_model." in name or (".embed_" in name and (".embedding." in name or "hard_" in name)))
    return {n: p for n, p in model.named_parameters() if p.requires_grad}


class Trained(torch.nn.Module):
    """A view of the trainable parameters, for the average and the checkpoint."""

    def __init__(self, params):
        super().__init__()
        self.params = params

    def named_parameters(self, *_, **__):
        return iter(self.params.items())


def is_matrix(name, p):
    return p.ndim == 2 and "embed" not in name and "coefs" not in name and "router" not in name


@torch.no_grad()
def exact(model, source, kind, count, seed, width=None):
    """The share of samples whose every answer token is the most probable one: what greedy decoding would get right."""
    dec = decoder.Decoder(model, width)
    rng = np.random.default_rng([seed, 5])
    samples = [source.encoded(rng, kind) for _ in range(count)]
    good = []
    for part in micro_batches(samples):
        batch, soft, targets = collate(part)
        right = dec.logits(batch, soft).argmax(-1) == targets
        good += [bool(r.all()) for r in right.split([len(s.rows) for s in part])]
    return float(np.mean(good))


def evaluation_sources():
    return {
        "": Source("val_pictures", "val_videos", ["sounds-val"], unseen=True),
        "_new": Source("val_pictures_new", "val_videos_new", ["sounds-val_crowd"], unseen=True),
    }


def evaluate(model, sources, kinds, counts):
    out = {}
    for split, source in sources.items():
        for kind in kinds:
            if kind == "text" and split:
                continue
            if kind in ("image", "both") and not len(source.pictures) or kind == "video" and not len(source.videos):
                continue
            out[f"acc_{kind}{split}"] = round(exact(model, source, kind, counts[kind], 1), 4)
            if not split:
                out[f"acc_{kind}_half"] = round(exact(model, source, kind, counts[kind], 1, half), 4)
    return out


COUNTS = {"text": 60, "audio": 80, "image": 40, "both": 30, "video": 16, "talk": 12}


def train(limit_s=None, folder=None, seed=31):
    torch.set_num_threads(1)
    run = runlog.Run(folder or config.WORK / "joint")
    model = build_model().train()
    decoder.quick_norms(model)
    params = trainable(model)
    view = Trained(params)
    opt = optim.Optimisers(params.items(), is_matrix, muon_lr=0.012, adam_lr=2e-3)
    average = optim.Average(view, decay=0.99)
    reader = columns.Columns()
    step = 0
    if state := run.load():
        with torch.no_grad():
            for name, value in state["params"].items():
                params[name].copy_(value)
        opt.load_state_dict(state["opt"])
        average.load_state_dict(state["average"])
        if "columns" in state:
            reader.load(state["columns"])
        step = state["step"]
        print(f"resumed at step {step}", flush=True)

    def save():
        run.save({"params": {n: p.detach() for n, p in params.items()}, "opt": opt.state_dict(),
                  "average": average.state_dict(), "columns": reader.state(), "step": step})  # fmt: skip

    source, held_out = Source(), evaluation_sources()
    begun, tick, recent = time.time(), time.time(), []
    while True:
        phase, at = locate(step)
        if phase is None or run.stopping or (limit_s and time.time() - begun > limit_s):
            break
        if "image" in phase.mix and len(source.pictures) < 100 or "video" in phase.mix and len(source.videos) < 30:
            print("waiting for the cache of pictures", flush=True)
            time.sleep(30)
            source.refresh()
            continue
        rng = np.random.default_rng([seed, step])
        values = {}
        for kind, count in phase.mix.items():
            samples = [source.encoded(rng, kind, phase.short) for _ in range(count)]
            total = sum(len(s.targets) for s in samples)
            placed = sum(int((s.columns >= 0).sum()) for s in samples)
            for part in micro_batches(samples):
                batch, soft, targets = collate(part)
                dec = decoder.Decoder(model, widths(rng))
                loss = F.cross_entropy(dec.logits(batch, soft), targets, reduction="sum") / total
                values["loss_" + kind] = values.get("loss_" + kind, 0.0) + loss.item()
                if phase.columns and placed:
                    lost, right = reader(dec.kept, batch, part)
                    loss = loss + phase.columns * lost / placed
                    values["columns_" + kind] = values.get("columns_" + kind, 0.0) + right / placed
                loss.backward()
        ramp = min(1.0, (step + 1) / 40)
        lr = phase.lr * (1 + (phase.final / phase.lr - 1) * at / phase.steps) * ramp
        opt.step(lr)
        reader.step()
        average.update(view)
        step += 1
        recent.append(values)
        if step % 20 == 0:
            keys = sorted({k for r in recent for k in r})
            means = {k: round(float(np.mean([r[k] for r in recent if k in r])), 4) for k in keys}
            run.log(step, phase=phase.name, lr=round(lr, 4), s_per_step=round((time.time() - tick) / len(recent), 3), **means)
            tick, recent = time.time(), []
        if step % 100 == 0 or locate(step)[0] is None:
            source.refresh()
            for s in held_out.values():
                s.refresh()
            average.swap(view)
            run.log(step, **evaluate(model, held_out, list(phase.mix), COUNTS))
            average.swap(view)
            tick = time.time()
        if run.due():
            save()
    save()
    runlog.plot(run.folder)
