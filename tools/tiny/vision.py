"""Stage `vision`: the picture tower learns to name what lies under every soft token.

Dense labels per soft token (kind, colour, shape, tens, unit, the digit under the token) are read by a linear head
from exactly what the text model will see: embed_vision's output. A second head after stage 2's first blocks helps the
gradient. The tower grows: first a third of the blocks on 32 x 32 pictures, at the end all 84 on larger ones.
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import config, optim, pictures, runlog, tower as towers


@dataclass(frozen=True)
class Phase:
    name: str
    steps: int
    sizes: tuple  # (pixels, batch, weight) choices
    pairs: int  # (attention, uir) pairs of stages 2 and 3 that run; 99 is all
    lr: float  # factor on the base learning rates
    final: float = 1.0  # factor at the end of the phase, relative to lr
    numbers: float = 0.6
    aux: float = 0.5


PLAN = [
    Phase("32 px", 640, ((32, 96, 1.0),), 2, 1.0, 0.6),
    Phase("64 px", 460, ((64, 40, 1.0),), 2, 0.6, 0.4, aux=0.3),
    Phase("sizes", 260, ((64, 40, 0.4), (128, 12, 0.6)), 2, 0.4, 0.6, aux=0.2),
    Phase("all blocks", 160, ((64, 40, 0.4), (128, 12, 0.4), (256, 4, 0.2)), 99, 0.25, 0.08, aux=0.0),
    Phase("256 px", 240, ((128, 12, 0.3), (256, 6, 0.7)), 99, 0.2, 0.03, numbers=0.75, aux=0.0),
]


class Reader(nn.Module):
    """The tower, its embedder, and the heads that are thrown away afterwards."""

    def __init__(self):
        super().__init__()
        import timm
        from transformers.models.gemma3n.modeling_gemma3n import Gemma3nMultimodalEmbedder

        torch.manual_seed(0)
        self.tower = timm.create_model("mobilenetv5_300m_enc", num_classes=0, **config.VISION_ARGS)
        towers.initialise(self.tower)
        towers.quick_norms(self.tower)
        hf = config.hf_config()
        self.embed = Gemma3nMultimodalEmbedder(hf.vision_config, hf.text_config)
        nn.init.normal_(self.embed.embedding_projection.weight, 0.0, 2048**-0.5)
        nn.init.normal_(self.embed.embedding.weight, 0.0, 1.0)
        outputs = sum(pictures.LABEL_SIZES.values())
        self.head = nn.Linear(config.HIDDEN, outputs)
        self.aux_head = nn.Linear(self.tower.blocks[2][0].pw_proj.conv.out_channels, outputs)

    def soft_tokens(self, pixels, pairs=99):
        """uint8 [B,S,S,3] -> [B, cells^2, HIDDEN] as the text model gets them, and the middle features."""
        x = pixels.permute(0, 3, 1, 2).float().mul_(1 / 255)
        f, middle = towers.features(self.tower, x, pairs)
        f = f.flatten(2).transpose(1, 2) * 2048**0.5
        return self.embed(inputs_embeds=f), middle

    def forward(self, pixels, pairs):
        soft, middle = self.soft_tokens(pixels, pairs)
        m = middle.flatten(2).transpose(1, 2)
        m = F.rms_norm(m, (m.shape[-1],))
        return self.head(soft), self.aux_head(m)


def split_logits(logits):
    return dict(zip(pictures.LABEL_NAMES, logits.split(list(pictures.LABEL_SIZES.values()), dim=-1)))


def dense_loss(logits, labels):
    """logits [B,N,48], labels [B,6,g,g] -> sum of the six mean cross entropies, and each of them."""
    total, parts = 0.0, {}
    for i, (name, part) in enumerate(split_logits(logits).items()):
        target = labels[:, i].flatten(1)
        if (target >= 0).any():
            parts[name] = F.cross_entropy(part.transpose(1, 2), target, ignore_index=-1)
            total = total + parts[name]
    return total, {k: v.item() for k, v in parts.items()}


def batch(seed, size, count, numbers):
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        out.append(pictures.training_picture(rng, size, numbers))
    pixels = torch.from_numpy(np.stack([o[0] for o in out]))
    labels = torch.from_numpy(np.stack([o[1] for o in out]))
    return pixels, labels, [o[2] for o in out]


def evaluation_set(size, count, fonts):
    rng = np.random.default_rng([777, size, len(fonts)])
    items = []
    while len(items) < count:
        things = [pictures.random_thing(rng, 0.5) for _ in range(max(1, (size // 128) ** 2))]
        pixels, placed = pictures.draw(rng, things, size, (28, min(110, size - 2)), fonts)
        if placed:
            items.append((pixels, placed))
    return torch.from_numpy(np.stack([i[0] for i in items])), [i[1] for i in items]


@torch.no_grad()
def evaluate(model, pairs, sizes, count=160):
    """Accuracy per object: the logits averaged over the soft tokens inside its box."""
    out = {}
    model.eval()
    for size in sizes:
        for split, fonts in (("", pictures.TRAIN_FONTS), ("new", pictures.HELD_OUT_FONTS)):
            pixels, things = evaluation_set(size, count if size < 200 else count // 5, fonts)
            logits = torch.cat([model(p, pairs)[0] for p in pixels.split(16)])
            hits = {}
            for row, placed in zip(logits, things):
                g = size // pictures.CELL
                for t in placed:
                    where = torch.from_numpy(pictures.labels([t], size)[0].reshape(-1) > 0)
                    parts = {k: v[where].log_softmax(-1).mean(0) for k, v in split_logits(row).items()}
                    got = {k: int(v.argmax()) for k, v in parts.items()}
                    hits.setdefault("colour", []).append(pictures.COLOUR_NAMES[got["colour"]] == t.colour)
                    if t.kind == "shape":
                        hits.setdefault("shape", []).append(pictures.SHAPES[got["shape"]] == t.name)
                    else:
                        n = str(got["unit"] if got["tens"] == 10 else got["tens"] * 10 + got["unit"])
                        hits.setdefault("number", []).append(n == t.name)
            for k, v in hits.items():
                if split == "" or k == "number":
                    out[f"acc_{k}{split}_{size}"] = round(float(np.mean(v)), 4)
    model.train()
    return out


def is_matrix(name, p):
    """Ordinary convolutions and the projection go to Muon; depthwise ones, the stem, heads and vectors to AdamW."""
    if p.ndim == 4:
        return p.shape[1] > 3 and not name.startswith("tower.conv_stem")
    return name == "embed.embedding_projection.weight"


def locate(step, plan=None):
    """The phase that a step belongs to, and how far into it the step is."""
    for phase in plan or PLAN:
        if step < phase.steps:
            return phase, step
        step -= phase.steps
    return None, 0


def train(limit_s=None, folder=None, muon=True, seed=11):
    torch.set_num_threads(1)
    run = runlog.Run(folder or config.WORK / "vision")
    model = Reader()
    opt = optim.Optimisers(
        model.named_parameters(),
        is_matrix if muon else (lambda n, p: False),
        muon_lr=0.02,
        adam_lr=2e-3 if muon else 1e-3,
    )
    average = optim.Average(model)
    step, seen, pairs = 0, 0, PLAN[0].pairs
    if state := run.load():
        model.load_state_dict(state["model"])
        opt.load_state_dict(state["opt"])
        average.load_state_dict(state["average"])
        step, seen, pairs = state["step"], state["seen"], state["pairs"]
        print(f"resumed at step {step}", flush=True)

    def save():
        run.save(
            {
                "model": model.state_dict(),
                "opt": opt.state_dict(),
                "average": average.state_dict(),
                "step": step,
                "seen": seen,
                "pairs": pairs,
            }
        )

    begun, recent, began_step = time.time(), [], time.time()
    while True:
        phase, at = locate(step)
        if phase is None or run.stopping or (limit_s and time.time() - begun > limit_s):
            break
        if phase.pairs != pairs:
            towers.wake(model.tower, pairs, phase.pairs)
            average = optim.Average(model)
            pairs = phase.pairs
        rng = np.random.default_rng([seed, step])
        choice = phase.sizes[int(rng.choice(len(phase.sizes), p=[s[2] for s in phase.sizes]))]
        pixels, labels, _ = batch([seed, step, 1], choice[0], choice[1], phase.numbers)
        main, aux = model(pixels, pairs)
        loss, parts = dense_loss(main, labels)
        total = loss + (phase.aux * dense_loss(aux, labels)[0] if phase.aux else 0.0)
        total.backward()
        ramp = min(1.0, (at + 1) / 40)
        lr = phase.lr * (1 + (phase.final - 1) * at / phase.steps) * ramp
        opt.step(lr)
        average.update(model)
        step += 1
        seen += choice[1]
        recent.append({"loss": loss.item(), **{"loss_" + k: v for k, v in parts.items()}})
        if step % 20 == 0:
            keys = {k for r in recent for k in r}
            means = {k: round(float(np.mean([r[k] for r in recent if k in r])), 4) for k in sorted(keys)}
            run.log(step, phase=phase.name, lr=round(lr, 4), seen=seen,
                    s_per_step=round((time.time() - began_step) / len(recent), 3), **means)  # fmt: skip
            recent, began_step = [], time.time()
        if step % 150 == 0 or locate(step)[1] == 0:
            average.swap(model)
            run.log(step, **evaluate(model, pairs, [s[0] for s in phase.sizes]))
            average.swap(model)
            began_step = time.time()
        if run.due():
            save()
    save()
    runlog.plot(run.folder)
