"""Frozen towers, and the soft tokens they give, kept on disk: the text model trains on those.

`freeze` rounds the trained towers to bfloat16, as they'll be shipped, so that the text model learns exactly what the
exported towers say. `cache` then encodes pools of pictures, videos and sounds in chunks; it can be stopped and resumed,
and two processes can share the work (chunks are claimed by name).
"""

import os

import numpy as np
import torch

from . import acoustics, config, hearing, pictures, runlog, speech, tasks, vision

POOLS = {  # name: (kind, count, seed, fonts)
    "val_pictures": ("pictures", 100, 901, "train"),
    "val_pictures_new": ("pictures", 100, 902, "new"),
    "val_videos": ("videos", 24, 903, "train"),
    "val_videos_new": ("videos", 24, 904, "new"),
    "pictures": ("pictures", 4800, 905, "train"),
    "videos": ("videos", 560, 906, "train"),
}
CHUNK = {"pictures": 25, "videos": 8}
FONTS = {"train": pictures.TRAIN_FONTS, "new": pictures.HELD_OUT_FONTS}
SOUNDS = {"val": 100, "val_crowd": 160, "utterances_crowd": 3000, "utterances": 1500}  # clips of each store


def tower_path(name):
    return config.WORK / "towers" / f"{name}.pt"


def cache_folder(name):
    """A cache belongs to one state of its tower."""
    step = torch.load(tower_path(name), map_location="cpu")["step"] if tower_path(name).exists() else 0
    return config.WORK / "cache" / f"{name}-{step}"


def freeze(name):
    """The stage's averaged weights, rounded to bfloat16, as float32 tensors under their names in the whole model."""
    if not (config.WORK / name / "state.pt").exists():
        raise SystemExit(f"nothing to freeze: stage {name} has not run")
    state = torch.load(config.WORK / name / "state.pt", map_location="cpu", weights_only=False)
    model = vision.Reader() if name == "vision" else hearing.Listener()
    weights = state["average"]["shadow"]
    tower = "vision_tower.timm_model." if name == "vision" else "audio_tower."
    out = {}
    for key, value in weights.items():
        if key.startswith("tower."):
            out["model." + tower + key[6:]] = value
        elif key.startswith("embed."):
            out[f"model.embed_{name}." + key[6:]] = value
    del model
    out = {k: v.to(torch.bfloat16).float() for k, v in out.items()}
    runlog.save_atomic({"weights": out, "step": state["step"]}, tower_path(name))
    print(f"froze the {name} tower at step {state['step']}: {len(out)} tensors", flush=True)


def load_tower(name):
    frozen = torch.load(tower_path(name), map_location="cpu")["weights"]
    model = vision.Reader() if name == "vision" else hearing.Listener()
    own = {}
    for key in model.state_dict():
        full = None
        if key.startswith("tower."):
            full = "model." + ("vision_tower.timm_model." if name == "vision" else "audio_tower.") + key[6:]
        elif key.startswith("embed."):
            full = f"model.embed_{name}." + key[6:]
        if full in frozen:
            own[key] = frozen[full]
    model.load_state_dict(own, strict=False)
    return model.eval()


@torch.no_grad()
def picture_tokens(model, scenes, fonts):
    """Soft tokens [n, 256, HIDDEN] float16 and boxes of scenes."""
    drawn = [tasks.render(s, fonts) for s in scenes]
    pixels = torch.from_numpy(np.stack([d[0] for d in drawn]))
    soft = torch.cat([model.soft_tokens(p)[0] for p in pixels.split(4)])
    return soft.half(), [d[1] for d in drawn]


def cache_pictures():
    torch.set_num_threads(1)
    folder = cache_folder("vision")
    folder.mkdir(parents=True, exist_ok=True)
    model = load_tower("vision")
    for name, (kind, count, seed, fonts) in POOLS.items():
        for start in range(0, count, CHUNK[kind]):
            path = folder / f"{name}-{start:05d}.pt"
            claim = path.with_suffix(".claim")
            if path.exists():
                continue
            try:
                os.close(os.open(claim, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue  # another process has it (stale claims: delete *.claim after a crash)
            try:
                items = []
                for i in range(start, min(count, start + CHUNK[kind])):
                    rng = np.random.default_rng([seed, i])
                    scenes = [tasks.scene(rng)] if kind == "pictures" else tasks.video(rng)
                    soft, boxes = picture_tokens(model, scenes, FONTS[fonts])
                    items += [{"scenes": scenes, "soft": soft, "boxes": boxes}]
                runlog.save_atomic(items, path)
                print(path.name, flush=True)
            finally:
                claim.unlink(missing_ok=True)


def altered(rng, store, item):
    """A stored clip's waveform as the text model's tower gets it: padded, noisy, training's clips also in other voices."""
    y = speech.floats(item)
    if store.startswith("utterances"):
        y = speech.tilt(rng, speech.warp(rng, y))
    if store == "utterances_crowd":
        y = acoustics.reverberate(rng, speech.equalise(rng, y))
    return speech.add_noise(rng, speech.pad_speech(rng, y))


@torch.no_grad()
def cache_sounds(batch=20):
    torch.set_num_threads(1)
    folder = cache_folder("audio")
    folder.mkdir(parents=True, exist_ok=True)
    model = load_tower("audio")
    for store, count in SOUNDS.items():
        items = speech.load(store)[:count]
        for start in range(0, len(items), 500):
            path = folder / f"sounds-{store}-{start:05d}.pt"
            if path.exists():
                continue
            rng = np.random.default_rng([31, sum(map(ord, store)), start])
            chunk = sorted(items[start : start + 500], key=lambda item: len(item["pcm"]))
            out = []
            for some in (chunk[i : i + batch] for i in range(0, len(chunk), batch)):
                waves = [altered(rng, store, item) for item in some]
                rows, valid = model.rows(waves, rng if store == "utterances_crowd" else None)
                for item, r, v in zip(some, rows[:, ::4], valid[:, ::4]):
                    out.append({"words": item["words"], "soft": r[v].half()})
            runlog.save_atomic(out, path)
            print(path.name, flush=True)


class Pool:
    """What caches hold now; `refresh` picks up chunks written since."""

    def __init__(self, *prefixes):
        self.prefixes, self.items, self.seen = prefixes, [], set()
        self.folder = cache_folder("audio" if prefixes[0].startswith("sounds") else "vision")
        self.refresh()

    def refresh(self):
        for prefix in self.prefixes:
            for path in sorted(self.folder.glob(f"{prefix}-*.pt")):
                if path.name not in self.seen and path.stem.removeprefix(prefix)[1:].isdigit():
                    self.seen.add(path.name)
                    self.items += torch.load(path, weights_only=False)

    def __len__(self):
        return len(self.items)

    def pick(self, rng):
        return self.items[int(rng.integers(len(self.items)))]


def cells_of(boxes):
    """The window of soft tokens (left, top, right, bottom) that holds every box."""
    x0, y0 = min(b[0] for b in boxes) // 16, min(b[1] for b in boxes) // 16
    return x0, y0, -(-max(b[2] for b in boxes) // 16), -(-max(b[3] for b in boxes) // 16)


def collage(left, right, rng):
    """One picture of two with one thing each, `left`'s columns up to a cut between them, then `right`'s; None: they overlap.

    Nothing moves: where a soft token lies in its picture may be seen in it, near the edges at least.
    """
    low, high = cells_of(left["boxes"])[2], cells_of(right["boxes"])[0]
    if low > high:
        return None
    middle = int(rng.integers(low, high + 1))
    soft = left["soft"].view(16, 16, -1).clone()
    soft[:, middle:] = right["soft"].view(16, 16, -1)[:, middle:]
    return {"things": left["things"] + right["things"], "soft": soft.reshape(256, -1), "boxes": left["boxes"] + right["boxes"]}


def crop(soft, boxes, rng, cells=8):
    """A cells x cells window of a picture's soft tokens with everything drawn in it, or all when it doesn't fit."""
    x0, y0, x1, y1 = cells_of(boxes)
    if x1 - x0 > cells or y1 - y0 > cells:
        return soft
    left = int(rng.integers(max(0, x1 - cells), min(x0, 16 - cells) + 1))
    top = int(rng.integers(max(0, y1 - cells), min(y0, 16 - cells) + 1))
    return soft.view(16, 16, -1)[top : top + cells, left : left + cells].reshape(cells * cells, -1)
