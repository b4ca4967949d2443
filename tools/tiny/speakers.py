"""Speakers that espeak-ng doesn't come with: each takes its parts (pitch, formants, breath, ...) from its own voices.

A part comes whole from one of the training's variants, so that each is one that espeak-ng knows to sound like speech;
the formants are then moved and scaled. The held-out variants are never read.
"""

import os
import re
import subprocess
from pathlib import Path

import numpy as np

from . import config

# The attributes of a variant's file that go together, and how often a speaker has them at all (those that have them).
PARTS = [
    (("pitch", "gender"), 1.0),
    (("formant",), 1.0),
    (("flutter", "roughness"), 0.7),
    (("voicing", "breath", "breathw"), 0.7),
    (("consonants",), 0.7),
    (("klatt",), 0.35),
    (("tone",), 0.5),
    (("echo",), 0.3),
    (("stressAmp", "stressAdd", "stressLength", "intonation"), 0.6),
]


def _system_data():
    """The folder that holds espeak-ng's `voices`."""
    said = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"Data at: (.*)", said)[1].strip()


def read(path):
    """A variant's file as {attribute: its lines}."""
    out = {}
    for line in path.read_text(errors="replace").splitlines():
        words = line.split("//")[0].split("#")[0].split()
        if words:
            out.setdefault(words[0], []).append(words[1:])
    return out


def _formants(rng, lines):
    """Rows `number frequency height width [added Hz]`: percentages, moved together and apart."""
    size = rng.uniform(0.9, 1.13)  # of the vocal tract: all formants move together
    out = []
    for number, *values in lines:
        values = [float(v) for v in values]
        if values:
            values[0] *= rng.uniform(0.95, 1.06) * (size if number not in ("0", "9") else 1.0)
        if len(values) > 1:
            values[1] *= rng.uniform(0.8, 1.2)
        if len(values) > 2:
            values[2] *= rng.uniform(0.8, 1.25)
        out.append([number, *(str(round(v)) for v in values)])
    return out


def make(rng, voices):
    """The text of one new variant, from the list of variants as `read` gives them."""
    out = []
    for names, share in PARTS:
        having = [v for v in voices if names[0] in v]
        if rng.random() >= share or not having:
            continue
        voice = having[int(rng.integers(len(having)))]
        for name in names:
            lines = voice.get(name, [])
            if name == "formant":
                lines = _formants(rng, lines)
            if name == "pitch":
                scale = rng.uniform(0.85, 1.2)
                lines = [[str(round(float(v) * scale)) for v in line] for line in lines]
            out += [" ".join([name, *line]) for line in lines]
    return "\n".join(out) + "\n"


def names(count):
    return [f"speaker{i:03d}" for i in range(count)]


def folder(count, sources, seed=77):
    """A folder for `espeak-ng --path` with the system's data and `count` new variants; made when it isn't there."""
    root = config.WORK / "speakers"
    data, system = root / "espeak-ng-data", Path(_system_data())
    variants = data / "voices" / "!v"
    if (variants / names(count)[-1]).exists():
        return root
    variants.mkdir(parents=True, exist_ok=True)
    for at in ("", "voices"):
        for path in (system / at).iterdir():
            link = data / at / path.name
            if path.name not in ("voices", "!v") and not link.exists():
                os.symlink(path, link)
    for path in (system / "voices" / "!v").iterdir():
        if not (variants / path.name).exists():
            os.symlink(path, variants / path.name)
    voices = [read(variants / name) for name in sources]
    for i, name in enumerate(names(count)):
        tmp = root / "variant.tmp"
        tmp.write_text(make(np.random.default_rng([seed, i]), voices))
        os.replace(tmp, variants / name)
    return root
