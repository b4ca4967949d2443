"""Stage `audio`: the conformer learns which word just ended, at every frame.

Isolated words are joined at known times, so that each encoder row (40 ms) has a label: the word that ended within the
last 120 ms, or nothing. Soft tokens are every fourth row, so exactly one of them carries each word. Natural utterances,
whose times are unknown, join in with CTC.
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import acoustics, config, optim, runlog, speech

ROUNDS = [1500, 2000, 2400]  # each ends with a learning rate of nearly nothing
STEPS = ROUNDS[-1]
JOINED, NATURAL = 16, 12  # clips of each kind per step
# From here on fewer joined words, more utterances, and stronger changes of voice: by now the words are known, the
# voices of strangers are not.
STRANGERS = 800
# From here on a crowd of speakers, vocal tracts of other lengths, rooms, and masked features.
CROWD = 1500
BLANK = len(speech.WORDS)
INDEX = {w: i for i, w in enumerate(speech.WORDS)}


class Listener(nn.Module):
    """The audio tower, its embedder, and a head that is thrown away afterwards."""

    def __init__(self):
        super().__init__()
        from transformers.models.gemma3n.modeling_gemma3n import Gemma3nAudioEncoder, Gemma3nMultimodalEmbedder

        torch.manual_seed(0)
        hf = config.hf_config()
        self.tower = Gemma3nAudioEncoder(hf.audio_config)
        for name, p in self.tower.named_parameters():
            if p.ndim >= 2:
                nn.init.normal_(p, 0.0, p[0].numel() ** -0.5)
        with torch.no_grad():
            first = self.tower.subsample_conv_projection.conv_0.conv.weight
            n = first.shape[0] * 3 // 4
            first[:n] -= first[:n].mean((1, 2, 3), keepdim=True)
        self.embed = Gemma3nMultimodalEmbedder(hf.audio_config, hf.text_config)
        nn.init.normal_(self.embed.embedding_projection.weight, 0.0, hf.audio_config.hidden_size**-0.5)
        nn.init.normal_(self.embed.embedding.weight, 0.0, 1.0)
        self.head = nn.Linear(config.HIDDEN, len(speech.WORDS) + 1)
        self.mel = speech.LogMel()

    def rows(self, waves, rng=None):
        """Encoder rows every 40 ms, embedded: [B, T, HIDDEN], and a mask that is True where valid.

        With `rng` each clip is heard through another vocal tract, with parts masked.
        """
        features, valid = self.mel(waves, acoustics.bins(rng, len(waves)) if rng else None)
        if rng:
            acoustics.mask(rng, features, valid)
        self.tower.config.conf_reduction_factor = 1
        out = self.tower(features, ~valid)
        self.tower.config.conf_reduction_factor = 4
        return self.embed(inputs_embeds=out.last_hidden_state), ~out.audio_mel_mask

    def forward(self, waves, rng=None):
        rows, valid = self.rows(waves, rng)
        return self.head(rows), valid


def frame_labels(ends, words, rows):
    """Row i (from 40 i ms) is labelled with the word that ended 40 ms before to 120 ms after its start."""
    out = np.full(rows, BLANK, np.int64)
    start = np.arange(rows) * 640
    for end, word in zip(ends, words):
        out[(start >= end - 640) & (start < end + 1920)] = word
    return out


def collapse(ids):
    out = []
    for a, b in zip(ids, [BLANK, *ids]):
        if a != b and a != BLANK:
            out.append(a)
    return out


@torch.no_grad()
def evaluate(model, items, seed):
    """Whole utterances exactly right, reading the soft tokens greedily."""
    model.eval()
    rng = np.random.default_rng(seed)
    good = 0
    for i in range(0, len(items), 20):
        chunk = items[i : i + 20]
        waves = [speech.add_noise(rng, speech.pad_speech(rng, speech.floats(it))) for it in chunk]
        logits, valid = model(waves)
        ids = logits[:, ::4].argmax(-1).masked_fill(~valid[:, ::4], BLANK)
        for row, it in zip(ids.tolist(), chunk):
            good += [speech.WORDS[k] for k in collapse(row)] == it["words"]
    model.train()
    return round(good / len(items), 4)


def is_matrix(name, p):
    return p.ndim == 2 and not name.startswith(("head", "embed.embedding.")) and "conv" not in name


def learning_rate(step):
    begin = 0
    for end in ROUNDS:
        if step < end:
            break
        begin = end
    first = begin == 0
    shape = optim.factor(step - begin, end - begin, warmup=40, final=0.03 if first else 0.02, hold=0.3 if first else 0.15)
    return shape if first else 0.6 * shape


class Clips:
    """The words and utterances that a part of the plan draws from."""

    def __init__(self, words, utterances):
        self.words = words
        self.utterances = sorted(utterances, key=lambda item: len(item["pcm"]))

    def some_utterances(self, rng, count, window=1.0):
        """`count` of them, out of a stretch of the list that is sorted by length: clips of one length need no padding."""
        span = max(count, int(window * len(self.utterances)))
        start = int(rng.integers(-span // 2, len(self.utterances) - span // 2))
        start = min(max(start, 0), len(self.utterances) - span)
        return [self.utterances[int(k)] for k in rng.integers(start, start + span, count)]


def spoilt(rng, wave, step):
    """Another mouth, room and microphone; more of it later."""
    if step >= STRANGERS:
        wave = speech.equalise(rng, wave)
    if step >= CROWD:
        wave = acoustics.reverberate(rng, wave)
    return speech.add_noise(rng, speech.tilt(rng, wave))


def losses(model, clips, rng, step):
    """Which word ends at each row of joined words, and CTC of whole utterances."""
    joined = JOINED // 2 if step >= STRANGERS else JOINED
    heard = rng if step >= CROWD else None
    most = int(rng.integers(1, 5))
    waves, ends, targets = [], [], []
    for _ in range(joined):
        count = most if step >= CROWD else int(rng.integers(1, 5))
        chosen = [clips.words[int(k)] for k in rng.integers(0, len(clips.words), count)]
        wave, end = speech.join(rng, chosen)
        waves.append(spoilt(rng, wave, step))
        ends.append(end)
        targets.append([INDEX[c["words"][0]] for c in chosen])
    logits, valid = model(waves, heard)
    labels = np.stack([frame_labels(e, t, logits.shape[1]) for e, t in zip(ends, targets)])
    labels = torch.from_numpy(labels).masked_fill(~valid, -1)
    weight = torch.ones(BLANK + 1)
    weight[BLANK] = 0.3
    frame = F.cross_entropy(logits.transpose(1, 2), labels, weight=weight, ignore_index=-1)
    if step < 150:
        return frame, {"loss_frame": frame.item()}
    natural = clips.some_utterances(rng, NATURAL + JOINED - joined, 0.2 if step >= CROWD else 1.0)
    waves = []
    for item in natural:
        y = speech.floats(item)
        y = speech.warp(rng, y) if step < STRANGERS else speech.warp(rng, y, 0.7, 1.22)
        waves.append(spoilt(rng, speech.pad_speech(rng, y), step))
    logits, valid = model(waves, heard)
    ctc = F.ctc_loss(
        logits[:, ::4].log_softmax(-1).transpose(0, 1),
        torch.tensor([INDEX[w] for item in natural for w in item["words"]]),
        valid[:, ::4].sum(1),
        torch.tensor([len(item["words"]) for item in natural]),
        blank=BLANK,
        zero_infinity=True,
    )
    return frame + 0.3 * ctc, {"loss_frame": frame.item(), "loss_ctc": ctc.item()}


def train(limit_s=None, folder=None, seed=21):
    torch.set_num_threads(1)
    run = runlog.Run(folder or config.WORK / "audio")
    words, utterances = speech.load("words"), speech.load("utterances")
    ordinary = Clips(words, utterances)
    crowd = Clips(words + speech.load("words_crowd"), utterances + 2 * speech.load("utterances_crowd"))
    validation = {f"acc_{name}": speech.load(name)[:count] for name, count in (("val", 80), ("val_crowd", 240))}
    model = Listener()
    opt = optim.Optimisers(model.named_parameters(), is_matrix, muon_lr=0.01, adam_lr=1.5e-3)
    average = optim.Average(model)
    step = 0
    if state := run.load():
        model.load_state_dict(state["model"])
        opt.load_state_dict(state["opt"])
        average.load_state_dict(state["average"])
        step = state["step"]
        print(f"resumed at step {step}", flush=True)

    def save():
        run.save({"model": model.state_dict(), "opt": opt.state_dict(), "average": average.state_dict(), "step": step})

    begun, tick, recent = time.time(), time.time(), []
    while step < STEPS and not run.stopping and not (limit_s and time.time() - begun > limit_s):
        rng = np.random.default_rng([seed, step])
        loss, values = losses(model, crowd if step >= CROWD else ordinary, rng, step)
        loss.backward()
        lr = learning_rate(step)
        opt.step(lr)
        average.update(model)
        step += 1
        recent.append(values)
        if step % 20 == 0:
            keys = sorted({k for r in recent for k in r})
            means = {k: round(float(np.mean([r[k] for r in recent if k in r])), 4) for k in keys}
            run.log(step, lr=round(lr, 4), s_per_step=round((time.time() - tick) / len(recent), 3), **means)
            tick, recent = time.time(), []
        if step % (150 if step < CROWD else 250) == 0 or step == STEPS:
            average.swap(model)
            run.log(step, **{name: evaluate(model, items, 2) for name, items in validation.items()})
            average.swap(model)
            tick = time.time()
        if run.due():
            save()
    save()
    runlog.plot(run.folder)
