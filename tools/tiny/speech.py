"""Speech of the closed world: espeak-ng says sequences of forty words in many voices; noise is added when used.

`build()` renders the stores once, resumably: isolated words (cut free of silence, so that they can be joined at known
times) and natural utterances, first in espeak-ng's ordinary voices, then in a crowd's: its odd ones and made-up speakers.
Voices named in HELD_OUT_VARIANTS are only ever used for evaluation, those of VALIDATION_VARIANTS only to watch the training.
"""

import functools
import io
import subprocess
import wave

import numpy as np

from . import config, runlog, speakers

RATE = 16000
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
WORDS = NUMBERS + [
    "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink",
    "circle", "square", "triangle", "star", "cross", "ring",
    "up", "down", "left", "right", "stop", "go", "yes", "no",
    "cat", "dog", "bird", "fish", "open", "close",
]  # fmt: skip

ACCENTS = ["en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"]
VARIANTS = [
    "f1", "f2", "f3", "f4", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "Alex", "Andrea", "Andy", "Annie", "Diogo",
    "Gene", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael", "adam", "anika", "antonio", "belinda",
    "benjamin", "david", "ed", "iven", "linda", "max", "michel", "pablo", "paul", "pedro", "quincy", "rob", "steph",
]  # fmt: skip
HELD_OUT_VARIANTS = ["f5", "m8", "Denis", "Alicia", "travis", "shelby"]
VALIDATION_VARIANTS = ["aunty", "edward", "Mike", "grandma", "sandro", "boris", "robert", "zac"]
ODD_VARIANTS = [  # without robosoft4-8 and Nguyen, whose files are nearly m8's
    "AnxiousAndy", "Gene2", "RicishayMax", "RicishayMax2", "RicishayMax3", "Storm", "Tweaky", "UniRobot", "anikaRobot",
    "announcer", "caleb", "croak", "edward2", "grandpa", "gustave", "iven2", "iven3", "iven4", "john", "kaukovalta",
    "klatt", "klatt2", "klatt3", "klatt4", "klatt5", "klatt6", "marcelo", "miguel", "norbert", "steph2", "steph3",
    "victor", "whisper",
]  # fmt: skip
SPEAKERS = 400  # made up


@functools.cache
def crowd_folder():
    """espeak-ng's data with the made-up speakers beside its own."""
    return speakers.folder(SPEAKERS, VARIANTS + ODD_VARIANTS)


def say(text, voice, speed, pitch, data=None):
    """espeak-ng's rendering as float32 in [-1, 1] at 16 kHz, silence at both ends cut to 20 ms."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
    if data:
        command.insert(1, f"--path={data}")
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(raw)) as f:
        rate = f.getframerate()
        head = raw.index(b"data") + 8  # espeak streams: the sizes in the header are placeholders
        x = np.frombuffer(raw[head : len(raw) - (len(raw) - head) % 2], dtype=np.int16).astype(np.float32) / 32768
    n = round(len(x) * RATE / rate)
    spectrum = np.fft.rfft(x)  # resample by cutting the spectrum: exact for a clip that is silent at its ends
    keep = n // 2 + 1
    spectrum = spectrum[:keep] if len(spectrum) >= keep else np.pad(spectrum, (0, keep - len(spectrum)))
    y = np.fft.irfft(spectrum, n).astype(np.float32) * (n / len(x))
    return trim(y)


def trim(y, margin=320):
    window = 160
    energy = np.sqrt(np.convolve(y * y, np.ones(window) / window, "same"))
    loud = np.flatnonzero(energy > 0.015 * energy.max())
    return y[max(0, loud[0] - margin) : loud[-1] + margin]


def random_voice(rng, held_out=False):
    pool = HELD_OUT_VARIANTS if held_out else VARIANTS
    return f"{ACCENTS[int(rng.integers(len(ACCENTS)))]}+{pool[int(rng.integers(len(pool)))]}"


def crowd_voice(rng):
    """Half of the time a made-up speaker, else one of espeak-ng's own."""
    pools = [VARIANTS, ODD_VARIANTS, *[speakers.names(SPEAKERS)] * 2]
    pool = pools[int(rng.integers(len(pools)))]
    return f"{ACCENTS[int(rng.integers(len(ACCENTS)))]}+{pool[int(rng.integers(len(pool)))]}"


def random_sentence(rng):
    """One to four words; half of the time digits or a colour with a shape, which other tasks use."""
    kind = rng.random()
    if kind < 0.25:
        return [NUMBERS[int(i)] for i in rng.integers(0, 10, int(rng.integers(1, 4)))]
    if kind < 0.45:
        return [WORDS[int(rng.integers(10, 18))], WORDS[int(rng.integers(18, 24))]]
    count = int(rng.choice([1, 2, 3, 4], p=[0.2, 0.35, 0.3, 0.15]))
    return [WORDS[int(i)] for i in rng.integers(0, len(WORDS), count)]


STORES = {  # name: (count, seed, voices)
    "words": (4800, 1, "train"),
    "utterances": (9000, 2, "train"),
    "val": (300, 3, "train"),
    "val_voices": (300, 4, "held out"),
    "words_voices": (400, 5, "held out"),
    "words_crowd": (3800, 6, "crowd"),
    "utterances_crowd": (6000, 7, "crowd"),
    "val_crowd": (300, 8, "validation"),
}


def _item(name, seed, index, voices):
    rng = np.random.default_rng([seed, index])
    if voices == "crowd":
        return _crowd_item(rng, name, index)
    if voices == "validation":
        voice = f"{ACCENTS[int(rng.integers(len(ACCENTS)))]}+{VALIDATION_VARIANTS[index % len(VALIDATION_VARIANTS)]}"
    else:
        voice = random_voice(rng, voices == "held out")
    pitch = int(rng.integers(25, 76))
    if name.startswith("words"):
        words = [WORDS[index % len(WORDS)]]
        speed = int(rng.integers(100, 166))
    else:
        words = random_sentence(rng)
        speed = int(rng.integers(90, 141))
    y = say(" ".join(words), voice, speed, pitch)
    return {"words": words, "voice": voice, "speed": speed, "pitch": pitch, "pcm": (y * 32767).astype(np.int16)}


def _crowd_item(rng, name, index):
    """As above, with any pitch and more paces; a speaker who can't be heard is passed over."""
    isolated = name.startswith("words")
    words = [WORDS[index % len(WORDS)]] if isolated else random_sentence(rng)
    while True:
        voice, pitch, speed = crowd_voice(rng), int(rng.integers(5, 96)), int(rng.integers(85, 186 if isolated else 156))
        y = say(" ".join(words), voice, speed, pitch, crowd_folder())
        if len(y) > 0.1 * RATE * len(words) and np.abs(y).max() > 0.03:
            break
    return {"words": words, "voice": voice, "speed": speed, "pitch": pitch, "pcm": (y * 32767).astype(np.int16)}


def build():
    """Renders every store, in pieces of 400 clips, so that an interruption loses little."""
    from concurrent.futures import ThreadPoolExecutor

    folder = config.WORK / "speech"
    crowd_folder()
    with ThreadPoolExecutor(2) as pool:
        for name, (count, seed, voices) in STORES.items():
            for start in range(0, count, 400):
                path = folder / f"{name}-{start:05d}.pt"
                if path.exists():
                    continue
                indices = range(start, min(count, start + 400))
                items = list(pool.map(lambda i: _item(name, seed, i, voices), indices))
                runlog.save_atomic(items, path)
                print(path.name, len(items), flush=True)


def load(name):
    import torch

    items = []
    for path in sorted((config.WORK / "speech").glob(f"{name}-*.pt")):
        items += torch.load(path, weights_only=False)
    return items


def floats(item):
    return item["pcm"].astype(np.float32) / 32767


def warp(rng, y, share=0.5, slowest=1.15):
    """Some of the clips played a little faster or slower: another speaker's pitch, formants and pace at once."""
    if rng.random() >= share:
        return y
    n = int(len(y) * rng.uniform(1 / slowest, slowest))
    return np.interp(np.linspace(0, len(y) - 1, n), np.arange(len(y)), y).astype(np.float32)


def equalise(rng, y):
    """A smooth random curve of some decibels over the spectrum, as of another mouth and room."""
    if rng.random() < 0.4:
        return y
    size = -(-len(y) // 1024) * 1024  # of few prime factors: several times as quick
    spectrum = np.fft.rfft(y, size)
    octaves = np.log2(np.maximum(np.arange(len(spectrum)) * RATE / (2 * len(spectrum)), 60.0) / 60.0)
    knots = np.linspace(0, octaves[-1], 9)
    decibels = np.interp(octaves, knots, rng.normal(0.0, 5.0, len(knots)))
    return np.fft.irfft(spectrum * 10 ** (decibels / 20), size)[: len(y)].astype(np.float32)


def tilt(rng, y):
    """A gentle high- or low-shelf, as of another microphone."""
    if rng.random() < 0.5:
        return y
    a = np.float32(rng.uniform(-0.5, 0.6))
    return np.concatenate([y[:1], y[1:] - a * y[:-1]])


def add_noise(rng, y, low=0.0, high=0.03):
    """A random gain, and white or low-passed noise under it."""
    y = y * np.float32(rng.uniform(0.35, 1.0) / max(1e-3, np.abs(y).max()) * 0.9)
    noise = rng.standard_normal(len(y)).astype(np.float32)
    if rng.random() < 0.5:
        k = int(rng.integers(2, 12))
        noise = np.convolve(noise, np.ones(k, np.float32) / np.sqrt(k), "same").astype(np.float32)
    return np.clip(y + noise * np.float32(rng.uniform(low, high)), -1, 1)


def join(rng, items):
    """Isolated words one after the other with gaps: the waveform, and each word's last sample."""
    parts, ends, at = [], [], 0
    lead = np.zeros(int(rng.uniform(0.05, 0.3) * RATE), np.float32)
    parts.append(lead)
    at += len(lead)
    for item in items:
        y = warp(rng, floats(item))
        parts.append(y)
        at += len(y)
        ends.append(at - 320)
        gap = np.zeros(int(rng.uniform(0.02, 0.25) * RATE), np.float32)
        parts.append(gap)
        at += len(gap)
    tail = np.zeros(int(rng.uniform(0.1, 0.3) * RATE), np.float32)
    parts.append(tail)
    return np.concatenate(parts), ends


def pad_speech(rng, y, lead=(0.05, 0.3), tail=(0.15, 0.4)):
    a, b = (np.zeros(int(rng.uniform(*r) * RATE), np.float32) for r in (lead, tail))
    return np.concatenate([a, y, b])


class LogMel:
    """The reference's features (Gemma3nAudioFeatureExtractor) for a batch, in torch."""

    def __init__(self):
        import torch
        from transformers import Gemma3nAudioFeatureExtractor

        ref = Gemma3nAudioFeatureExtractor()
        self.window = torch.from_numpy(ref.window)
        self.filters = torch.from_numpy(ref.mel_filters).float()

    def __call__(self, waves, bins=None):
        """A list of float32 arrays -> features [B,N,128] and a mask [B,N], True where valid.

        `bins` [B,513]: which bin of the spectrum (in between: interpolated) each bin is taken from, for training.
        """
        import torch

        longest = max(len(w) for w in waves)
        total = -(-longest // 128) * 128
        x = torch.zeros(len(waves), total)
        for i, w in enumerate(waves):
            x[i, : len(w)] = torch.from_numpy(w)
        frames = x.unfold(1, 513, 160)
        first = frames[..., :1] * (1.0 - 0.97)
        rest = frames[..., 1:-1] - 0.97 * frames[..., :-2]
        spectrum = torch.fft.rfft(torch.cat([first, rest], -1) * self.window, n=1024).abs()
        if bins is not None:
            below = bins.long().clamp(0, 511)
            at = below[:, None].expand(-1, spectrum.shape[1], -1)
            spectrum = torch.lerp(spectrum.gather(2, at), spectrum.gather(2, at + 1), (bins - below)[:, None])
        mel = (spectrum @ self.filters).clamp_min(1e-5).log()
        starts = torch.arange(mel.shape[1]) * 160
        mask = starts[None] < torch.tensor([len(w) for w in waves])[:, None]
        return mel, mask
