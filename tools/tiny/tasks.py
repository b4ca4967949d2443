"""What the tiny model is asked, and the right answers: text, pictures, speech, both, and videos.

A Sample is a conversation: turns of parts, where a part is a string, ("image", spec) or ("audio", spec). A spec says
what is drawn or said; pixels, waveforms and soft tokens are made and kept elsewhere.
"""

from dataclasses import dataclass, field

import numpy as np

from . import pictures, speech

NOUNS = [
    "cat", "dog", "bird", "fish", "horse", "cow", "lion", "bear", "frog", "mouse", "apple", "pear", "lemon", "bread",
    "cheese", "egg", "rice", "soup", "cake", "milk", "house", "tree", "river", "stone", "door", "window", "table",
    "chair", "lamp", "book", "pen", "key", "cup", "spoon", "hat", "shoe", "coat", "ship", "train", "road",
]  # fmt: skip
NAMES = ["Ann", "Bob", "Carl", "Dora", "Emil", "Fay", "Gus", "Hana", "Ida", "Jon", "Kim", "Leo", "Mia", "Ned", "Olga",
         "Pam", "Quin", "Rosa", "Sam", "Tom"]  # fmt: skip
PLACES = ["garden", "kitchen", "school", "market", "forest", "harbour", "station", "tower", "cellar", "bridge"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ORDINALS = ["first", "second", "third", "fourth", "fifth"]


@dataclass
class Sample:
    kind: str
    turns: list = field(default_factory=list)  # (parts, answer)
    system: str = ""


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def pick(rng, items):
    return items[int(rng.integers(len(items)))]


def several(rng, items, low, high, distinct=True):
    n = int(rng.integers(low, high + 1))
    return [items[int(i)] for i in rng.choice(len(items), n, replace=not distinct)]


# ---- text ----------------------------------------------------------------------------------------
def copy(rng):
    words = several(rng, NOUNS + speech.WORDS + NAMES, 1, 7, distinct=False)
    if rng.random() < 0.25:  # strings nobody has seen
        words = ["".join(pick(rng, LETTERS) for _ in range(int(rng.integers(2, 6)))) for _ in range(int(rng.integers(1, 4)))]
    if rng.random() < 0.2:
        words = [str(int(v)) for v in rng.integers(0, 1000, int(rng.integers(1, 5)))]
    text = " ".join(words)
    return pick(rng, [f"Repeat: {text}", f"Say this again: {text}", f"Copy this: {text}"]), text


def add(rng, unseen=None):
    """Sums and differences; a tenth of the pairs is kept for evaluation (`unseen`: only those; None: any)."""
    while True:
        a, b = int(rng.integers(0, 21)), int(rng.integers(0, 21))
        if unseen is None or ((a * 7 + b * 3) % 10 == 0) == unseen:
            break
    if rng.random() < 0.3:
        a, b = max(a, b), min(a, b)
        return pick(rng, [f"What is {a} - {b}?", f"{a} - {b} ="]), str(a - b)
    return pick(rng, [f"What is {a} + {b}?", f"{a} + {b} ="]), str(a + b)


def sort(rng):
    words = several(rng, NOUNS, 2, 5)
    if rng.random() < 0.3:
        numbers = [int(v) for v in rng.choice(100, int(rng.integers(2, 6)), replace=False)]
        return "Sort the numbers: " + " ".join(map(str, numbers)), " ".join(map(str, sorted(numbers)))
    return pick(rng, ["Sort: ", "Sort the words: "]) + " ".join(words), " ".join(sorted(words))


def _fact(rng, name):
    kind = int(rng.integers(3))
    if kind == 0:
        value = article(pick(rng, pictures.COLOUR_NAMES) + " " + pick(rng, NOUNS))
        return f"{name} has {value}.", f"What does {name} have?", value
    if kind == 1:
        value = str(int(rng.integers(10, 1000)))
        return f"The code of {name} is {value}.", f"What is the code of {name}?", value
    value = "the " + pick(rng, PLACES)
    return f"{name} is in {value}.", f"Where is {name}?", value


def lookup(rng, longest=30):
    """A fact somewhere in a long context: often further back than the sliding window."""
    count = int(rng.integers(2, 7)) if rng.random() < 0.5 else int(rng.integers(7, longest))
    people = several(rng, NAMES, min(count, 20), min(count, 20))
    facts = [_fact(rng, p) for p in people]
    target = int(rng.integers(len(facts)))
    lines = [f[0] for f in facts]
    while len(lines) < count:  # filler that names nobody
        lines.insert(int(rng.integers(len(lines) + 1)), f"There is {article(pick(rng, NOUNS))} near the {pick(rng, PLACES)}.")
    joint = pick(rng, [" ", " ", "\n"])
    return joint.join(lines) + pick(rng, [" ", "\n", "\n\n"]) + facts[target][1], facts[target][2]


def count(rng):
    target = pick(rng, NOUNS)
    n = int(rng.integers(0, 6))
    others = several(rng, [w for w in NOUNS if w != target], 1, 4, distinct=False)
    words = others + [target] * n
    words = [words[int(i)] for i in rng.permutation(len(words))]
    return f"How many times does {target} occur? " + " ".join(words), str(n)


FACTS = [
    ("Who are you?", "I am a tiny Gemma 3n, trained from scratch on a closed world."),
    ("What can you do?", "I can read pictures, hear words, watch short videos and answer small questions."),
    ("Hello", "Hello! Ask me about a picture, a sound or a video."),
    ("Hi!", "Hello! Ask me about a picture, a sound or a video."),
    ("Thank you", "You are welcome."),
    ("What colours do you know?", "I know red, orange, yellow, green, cyan, blue, purple and pink."),
    ("What shapes do you know?", "I know circle, square, triangle, star, cross and ring."),
]


def fact(rng):
    return pick(rng, FACTS)


TEXT = [(copy, 0.2), (add, 0.22), (sort, 0.2), (lookup, 0.26), (count, 0.07), (fact, 0.05)]


def text_turn(rng, unseen=False):
    r = rng.random()
    for task, weight in TEXT:
        r -= weight
        if r < 0:
            return task(rng, unseen) if task is add else task(rng)
    return copy(rng)


def text_sample(rng, unseen=False):
    turns = 1 if rng.random() < 0.7 else int(rng.integers(2, 4))
    system = "You are a helpful assistant." if rng.random() < 0.08 else ""
    return Sample("text", [([q], a) for q, a in (text_turn(rng, unseen) for _ in range(turns))], system)


# ---- pictures ------------------------------------------------------------------------------------
# A scene says what to draw; the same scene always gives the same pixels.
def describe(kind, colour, name):
    if kind == "number":
        return f"the number {name} in {colour}"
    return f"{article(colour)} {name}"


def _drawn(thing):
    return thing.kind, thing.colour, thing.name


def scene(rng, things=None):
    """One thing, or a shape and a number with the first further left."""
    if things is None:
        if rng.random() < 0.7:
            things = [pictures.random_thing(rng, 0.5)]
        else:
            things = [pictures.random_thing(rng, 0.0), pictures.random_thing(rng, 1.0)]
            if rng.random() < 0.5:
                things.reverse()
    return {"things": [_drawn(t) for t in things], "seed": int(rng.integers(1 << 40))}


def render(spec, fonts=pictures.TRAIN_FONTS, size=256):
    """The scene's pixels, uint8 [size, size, 3], and the boxes of its things."""
    for attempt in range(100):
        rng = np.random.default_rng([spec["seed"], attempt])
        things = [pictures.Thing(*t) for t in spec["things"]]
        pixels, placed = pictures.draw(rng, things, size, (30, 110 if len(things) == 1 else 90), fonts)
        if len(placed) == 1 == len(things):
            return pixels, [placed[0].box]
        if len(placed) == 2 and placed[0].box[2] <= placed[1].box[0]:
            return pixels, [t.box for t in placed]
    raise ValueError("no room for the scene")


def scene_text(spec):
    return " and ".join(describe(*t) for t in spec["things"])


def picture_question(rng, spec):
    shapes = [t for t in spec["things"] if t[0] == "shape"]
    numbers = [t for t in spec["things"] if t[0] == "number"]
    options = [(pick(rng, ["What is in this picture?", "Describe the picture.", "What do you see?"]), scene_text(spec))] * 2
    if shapes:
        options += [(pick(rng, ["What shape is it?", "Which shape is in the picture?"]), shapes[0][2]),
                    ("What colour is the shape?", shapes[0][1])]  # fmt: skip
    if numbers:
        options += [(pick(rng, ["Read the number.", "Which number is in the picture?"]), numbers[0][2])] * 2
        options += [("What colour is the number?", numbers[0][1])]
    return pick(rng, options)


def media_parts(rng, media, text):
    """Media usually before the text, sometimes after it."""
    return [*media, text] if rng.random() < 0.8 else [text, *media]


def picture_sample(rng, scenes):
    """`scenes(rng)` gives a scene."""
    spec = scenes(rng)
    if rng.random() < 0.85:
        question, answer = picture_question(rng, spec)
        sample = Sample("image", [(media_parts(rng, [("image", spec)], question), answer)])
        if rng.random() < 0.25:  # a second question about the same picture
            question, answer = picture_question(rng, spec)
            sample.turns.append(([question], answer))
        return sample
    specs = [spec, scenes(rng)]
    k = int(rng.integers(2))
    question, answer = pick(rng, [
        ("What is in each picture?", "; ".join(scene_text(s) for s in specs)),
        (f"What is in the {ORDINALS[k]} picture?", scene_text(specs[k])),
    ])  # fmt: skip
    return Sample("image", [([("image", specs[0]), ("image", specs[1]), question], answer)])


# ---- speech --------------------------------------------------------------------------------------
TRANSCRIBE = ["Transcribe the speech.", "What is said?", "Write down what you hear.", "Transcribe the following speech segment."]


def audio_sample(rng, sounds):
    """`sounds(rng)` gives a spec with the words that are said."""
    spec = sounds(rng)
    text = " ".join(spec["words"])
    if rng.random() < 0.85:
        return Sample("audio", [(media_parts(rng, [("audio", spec)], pick(rng, TRANSCRIBE)), text)])
    question, answer = pick(rng, [
        ("How many words are said?", str(len(spec["words"]))),
        ("What is the first word?", spec["words"][0]),
        ("What is the last word?", spec["words"][-1]),
    ])  # fmt: skip
    return Sample("audio", [(media_parts(rng, [("audio", spec)], question), answer)])


# ---- both, conversations, and video -----------------------------------------------------------------------------
def mixed_sample(rng, scenes, sounds):
    picture, sound = scenes(rng), sounds(rng)
    media = [("image", picture), ("audio", sound)]
    if rng.random() < 0.3:
        media.reverse()
    said, seen = " ".join(sound["words"]), scene_text(picture)
    question, answer = pick(rng, [
        ("What do you see and what is said?", f"{seen}; {said}"),
        ("What do you see and what is said?", f"{seen}; {said}"),
        (pick(rng, TRANSCRIBE), said),
        picture_question(rng, picture),
    ])  # fmt: skip
    return Sample("both", [(media_parts(rng, media, question), answer)])


def talk_sample(rng, scenes, sounds):
    """Two or three turns of one conversation, each about something of its own: a picture, a sound, or text."""
    first = pick(rng, ["image", "audio"])
    kinds = [first, pick(rng, ["image", "audio", "text"])] + (["text"] if rng.random() < 0.3 else [])
    turns = []
    for kind in kinds:
        if kind == "image":
            spec = scenes(rng)
            question, answer = picture_question(rng, spec)
            turns.append((media_parts(rng, [("image", spec)], question), answer))
        elif kind == "audio":
            spec = sounds(rng)
            turns.append((media_parts(rng, [("audio", spec)], pick(rng, TRANSCRIBE)), " ".join(spec["words"])))
        else:
            question, answer = text_turn(rng)
            turns.append(([question], answer))
    return Sample("talk", turns)


def video(rng, frames=(2, 5)):
    """A counter in one colour and font, one frame a second: the frames as scenes."""
    n = int(rng.integers(frames[0], frames[1] + 1))
    step = int(rng.choice([1, 1, 1, 2, 5, -1]))
    low, high = max(0, -step * (n - 1)), min(99, 99 - step * (n - 1))
    first = int(rng.integers(low, high + 1))
    colour, seed = pick(rng, pictures.COLOUR_NAMES), int(rng.integers(1 << 40))
    return [{"things": [("number", colour, str(first + step * i))], "seed": seed} for i in range(n)]


def timestamp(second, style=0):
    return {0: f"00:{second:02d}", 1: f"[00:{second:02d}]", 2: f"0:{second:02d}", 3: f"{second}s"}[style]


def video_sample(rng, videos, sounds):
    """Each frame after its time; the sound track as one clip before, beside or after the frames."""
    frames, sound = videos(rng), sounds(rng)
    values = [f["things"][0][2] for f in frames]
    style = int(rng.choice(4, p=[0.7, 0.1, 0.1, 0.1]))
    parts = []
    for i, frame in enumerate(frames):
        parts += [timestamp(i, style), ("image", frame)]
    at = int(rng.choice([0, 2, len(parts)], p=[0.25, 0.5, 0.25]))
    parts.insert(at, ("audio", sound))
    said, k = " ".join(sound["words"]), int(rng.integers(len(values)))
    question, answer = pick(rng, [
        ("What does the counter show, and what is said?", f"{' '.join(values)}; {said}"),
        ("What does the counter show, and what is said?", f"{' '.join(values)}; {said}"),
        ("Which numbers does the counter show?", " ".join(values)),
        (f"What does the counter show at {timestamp(k, style).strip('[]')}?", values[k]),
        ("What does the counter show at the end?", values[-1]),
        ("What is said in the video?", said),
    ])  # fmt: skip
    return Sample("video", [([*parts, question], answer)])
