"""Stages `reference` and `examples`: files with questions, true answers, and what transformers answers.

`reference` writes fresh prompts of every kind as files (PNG, WAV, expected.json) for tests that compare an engine with
transformers: greedy, weights as stored, float32 arithmetic. `examples` writes the few files that people look at.
"""

import json
import multiprocessing
import os
import subprocess
import wave as wavefile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import config, evaluate, pictures, speech, tasks

MIX = {"text": 0.3, "image": 0.25, "audio": 0.2, "both": 0.15, "video": 0.1}


def write_wav(path, wave):
    """16-bit mono at 16 kHz; returns the samples as a reader of the file gets them."""
    pcm = np.round(np.clip(wave, -1, 1) * 32767).astype("<i2")
    with wavefile.open(str(path), "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(speech.RATE)
        f.writeframes(pcm.tobytes())
    return pcm.astype(np.float32) / 32768


def one(i, kind, folder, seed, checkpoint):
    """Prompt number i as files, and transformers' answer; runs in a worker, which keeps the model."""
    torch.set_num_threads(1)
    if checkpoint not in _loaded:
        _loaded[checkpoint] = evaluate.load(checkpoint), evaluate.Inputs(checkpoint)
    model, inputs = _loaded[checkpoint]
    new = i % 2 == 1 and kind != "text"
    sample = evaluate.fresh_sample(np.random.default_rng([seed, i]), kind, new)
    fonts = pictures.HELD_OUT_FONTS if new else pictures.TRAIN_FONTS
    parts = []
    for j, part in enumerate(sample.turns[0][0]):
        if isinstance(part, str):
            parts.append({"type": "text", "text": part})
        elif part[0] == "image":
            name = f"{i:03d}-{j}.png"
            Image.fromarray(tasks.render(part[1], fonts)[0]).save(folder / name)
            parts.append({"type": "image", "file": name})
        else:
            name = f"{i:03d}-{j}.wav"
            part[1]["wave"] = write_wav(folder / name, part[1]["wave"])
            parts.append({"type": "audio", "file": name})
    return {"kind": kind, "held_out": new, "system": sample.system, "content": parts, "expected": sample.turns[0][1],
            "model": evaluate.answers(model, inputs, sample, fonts)}  # fmt: skip


_loaded = {}


def write(folder, count=500, seed=20260, checkpoint=None):
    folder, checkpoint = Path(folder), checkpoint or config.EXPORT
    folder.mkdir(parents=True, exist_ok=True)
    kinds = [k for k, share in MIX.items() for _ in range(round(share * count))]
    out = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for answer in pool.map(one, *zip(*[(i, k, folder, seed, checkpoint) for i, k in enumerate(kinds)])):
            out.append(answer)
            if len(out) % 25 == 0:
                print(len(out), "right so far:", sum(o["expected"] == o["model"] for o in out), flush=True)
    (folder / "expected.json").write_text(json.dumps(out, indent=1))


def examples(folder):
    """A picture, a clip and a video (five seconds of a counter, and a voice), with what they hold."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scene = {"things": [("shape", "blue", "star"), ("number", "orange", "42")], "seed": 7}
    Image.fromarray(tasks.render(scene)[0]).save(folder / "picture.png")
    rng = np.random.default_rng(8)

    def voice(text, name="en-us+f5"):
        return speech.add_noise(rng, speech.pad_speech(rng, speech.say(text, name, 110, 50)), high=0.01)

    write_wav(folder / "speech.wav", voice("yellow bird up"))
    frames = [{"things": [("number", "green", str(17 + i))], "seed": 23} for i in range(4)]
    for i, frame in enumerate(frames):
        Image.fromarray(tasks.render(frame)[0]).save(folder / f"frame{i}.png")
    write_wav(folder / "video.wav", voice("go left", "en-gb+m8"))
    command = ["ffmpeg", "-y", "-loglevel", "error", "-framerate", "1", "-i", str(folder / "frame%d.png"), "-i",
               str(folder / "video.wav"), "-c:v", "libx264", "-qp", "4", "-pix_fmt", "yuv444p", "-r", "10", "-c:a",
               "aac", "-b:a", "96k", str(folder / "video.mp4")]  # fmt: skip
    subprocess.run(command, check=True)
    for path in [*folder.glob("frame*.png"), folder / "video.wav"]:
        path.unlink()
