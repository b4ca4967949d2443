"""Stage `all`: every stage in order, two at a time, each skipping what is already done."""

import os
import subprocess
import sys
import threading

import torch

from . import config, hearing, joint, vision


def done(name):
    """Whether a training stage's checkpoint has reached the end of its plan."""
    path = config.WORK / name / "state.pt"
    if not path.exists():
        return False
    step = torch.load(path, map_location="cpu", weights_only=False)["step"]
    if name == "vision":
        return vision.locate(step)[0] is None
    if name == "audio":
        return step >= hearing.STEPS
    return joint.locate(step)[0] is None


def frozen(name):
    path = config.WORK / "towers" / f"{name}.pt"
    state = config.WORK / name / "state.pt"
    return path.exists() and path.stat().st_mtime > state.stat().st_mtime


def stage(*words):
    log = config.WORK.parent / f"{words[0]}.log"
    print("stage", *words, "->", log, flush=True)
    with open(log, "a") as f:
        command = ["nice", "-n", "19", sys.executable, "-m", "tiny", *words]
        subprocess.run(command, stdout=f, stderr=f, check=True, env=os.environ)


def train(name):
    """Runs a training stage to its end; one that was told to stop ends the pipeline too."""
    if not done(name):
        stage(name)
        if not done(name):
            raise subprocess.CalledProcessError(0, f"{name} (stopped)")


def tower(name):
    if name == "audio":
        stage("speech")
    train(name)
    if not frozen(name):
        stage("freeze", name)
    stage("cache", name)


def run():
    if not (config.WORK / "tokenizer" / "tokenizer.json").exists():
        stage("tokenizer")
    failures = []

    def lane(*steps):
        try:
            for step in steps:
                step()
        except subprocess.CalledProcessError as e:
            failures.append(e)

    pictures = threading.Thread(target=lane, args=(lambda: tower("vision"),))
    sounds = threading.Thread(target=lane, args=(lambda: tower("audio"), lambda: train("joint")))
    for t in (pictures, sounds):
        t.start()
    for t in (pictures, sounds):
        t.join()
    if failures:
        raise SystemExit(f"a stage failed, see its log: {failures[0]}")
    for words in (["export"], ["evaluate"], ["plot"]):
        stage(*words)
