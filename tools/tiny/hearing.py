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

from . import config, optim, runlog, speech

STEPS = 1500
JOINED, NATURAL = 16, 12  # clips of each kind per step
# From here on fewer joined words, more utterances, and stronger changes of voice: by now the words are known, the
# voices of strangers are not.
STRANGERS = 800
BLANK = len(speech.WORDS)


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

    def rows(self, waves):
        """Encoder rows every 40 ms, embedded: [B, T, HIDDEN], and a mask that is True where valid."""
        features, valid = self.mel(waves)
        self.tower.config.conf_reduction_factor = 1
        out = self.tower(features, ~valid)
        self.tower.config.conf_reduction_factor = 4
        return self.embed(inputs_embeds=out.last_hidden_state), ~out.audio_mel_mask

    def forward(self, waves):
        rows, valid = self.rows(waves)
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


def train(limit_s=None, folder=None, seed=21):
    torch.set_num_threads(1)
    run = runlog.Run(folder or config.WORK / "audio")
    index = {w: i for i, w in enumerate(speech.WORDS)}
    words, utterances = speech.load("words"), speech.load("utterances")
    val, val_voices = speech.load("val")[:160], speech.load("val_voices")[:160]
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
        waves, ends, targets = [], [], []
        late = step >= STRANGERS
        joined = JOINED // 2 if late else JOINED
        for _ in range(joined):
            chosen = [words[int(k)] for k in rng.integers(0, len(words), int(rng.integers(1, 5)))]
            wave, end = speech.join(rng, chosen)
            wave = speech.equalise(rng, wave) if late else wave
            waves.append(speech.add_noise(rng, speech.tilt(rng, wave)))
            ends.append(end)
            targets.append([index[c["words"][0]] for c in chosen])
        natural = NATURAL + JOINED - joined if step >= 150 else 0
        for k in rng.integers(0, len(utterances), natural):
            y = speech.floats(utterances[int(k)])
            y = speech.equalise(rng, speech.warp(rng, y, 0.7, 1.22)) if late else speech.warp(rng, y)
            y = speech.tilt(rng, y)
            waves.append(speech.add_noise(rng, speech.pad_speech(rng, y)))
            targets.append([index[w] for w in utterances[int(k)]["words"]])
        logits, valid = model(waves)
        labels = np.stack([frame_labels(e, t, logits.shape[1]) for e, t in zip(ends, targets)])
        labels = torch.from_numpy(labels).masked_fill(~valid[:joined], -1)
        weight = torch.ones(len(speech.WORDS) + 1)
        weight[BLANK] = 0.3
        frame = F.cross_entropy(logits[:joined].transpose(1, 2), labels, weight=weight, ignore_index=-1)
        loss = frame
        values = {"loss_frame": frame.item()}
        if natural:
            soft = logits[joined:, ::4].log_softmax(-1).transpose(0, 1)
            lengths = valid[joined:, ::4].sum(1)
            ctc = F.ctc_loss(
                soft,
                torch.tensor([k for t in targets[joined:] for k in t]),
                lengths,
                torch.tensor([len(t) for t in targets[joined:]]),
                blank=BLANK,
                zero_infinity=True,
            )
            loss = loss + 0.3 * ctc
            values["loss_ctc"] = ctc.item()
        loss.backward()
        lr = optim.factor(step, STEPS, warmup=40, final=0.03, hold=0.3)
        opt.step(lr)
        average.update(model)
        step += 1
        recent.append(values)
        if step % 20 == 0:
            keys = sorted({k for r in recent for k in r})
            means = {k: round(float(np.mean([r[k] for r in recent if k in r])), 4) for k in keys}
            run.log(step, lr=round(lr, 4), s_per_step=round((time.time() - tick) / len(recent), 3), **means)
            tick, recent = time.time(), []
        if step % 150 == 0 or step == STEPS:
            average.swap(model)
            run.log(step, acc_val=evaluate(model, val, 1), acc_new_voices=evaluate(model, val_voices, 2))
            average.swap(model)
            tick = time.time()
        if run.due():
            save()
    save()
    runlog.plot(run.folder)
