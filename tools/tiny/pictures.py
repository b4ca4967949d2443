"""Pictures of the closed world: coloured shapes and one- or two-digit numbers on busy backgrounds.

Everything is drawn from a numpy Generator, so a seed fixes a picture. Sizes are in pixels of the final 256 x 256
picture; training also uses smaller canvases with objects of the same size, because a soft token always sees the same
16 x 16 pixels.
"""

import colorsys
import functools
import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLOURS = {  # hue in degrees, saturation range, value range
    "red": (0, (0.85, 1.0), (0.8, 1.0)),
    "orange": (28, (0.9, 1.0), (0.95, 1.0)),
    "yellow": (56, (0.85, 1.0), (0.9, 1.0)),
    "green": (120, (0.8, 1.0), (0.5, 0.75)),
    "cyan": (182, (0.8, 1.0), (0.8, 1.0)),
    "blue": (228, (0.85, 1.0), (0.75, 1.0)),
    "purple": (278, (0.75, 0.95), (0.6, 0.85)),
    "pink": (325, (0.4, 0.6), (0.95, 1.0)),
}
COLOUR_NAMES = list(COLOURS)
SHAPES = ["circle", "square", "triangle", "star", "cross", "ring"]
KINDS = ["background", "shape", "number"]
CELL = 16  # pixels a soft token covers, each way

_F = "/usr/share/fonts/"
TRAIN_FONTS = [
    _F + "truetype/dejavu/DejaVuSans-Bold.ttf",
    _F + "truetype/dejavu/DejaVuSans.ttf",
    _F + "truetype/dejavu/DejaVuSerif-Bold.ttf",
    _F + "truetype/liberation/LiberationSans-Bold.ttf",
    _F + "truetype/liberation/LiberationSerif-Bold.ttf",
    _F + "truetype/liberation/LiberationMono-Bold.ttf",
    _F + "truetype/freefont/FreeSansBold.ttf",
    _F + "truetype/freefont/FreeSerifBold.ttf",
    _F + "truetype/open-sans/OpenSans-Bold.ttf",
    _F + "truetype/open-sans/OpenSans-Semibold.ttf",
    _F + "truetype/crosextra/Carlito-Bold.ttf",
    _F + "truetype/crosextra/Caladea-Bold.ttf",
    _F + "truetype/firacode/FiraCode-Bold.ttf",
    _F + "opentype/urw-base35/NimbusSans-Bold.otf",
    _F + "opentype/urw-base35/NimbusMonoPS-Bold.otf",
    _F + "opentype/urw-base35/URWGothic-Demi.otf",
    _F + "opentype/cantarell/Cantarell-Bold.otf",
    _F + "opentype/urw-base35/P052-Bold.otf",
]
HELD_OUT_FONTS = [  # never seen in training
    _F + "truetype/lato/Lato-Bold.ttf",
    _F + "truetype/dejavu/DejaVuSansMono-Bold.ttf",
    _F + "opentype/urw-base35/C059-Bold.otf",
]


@dataclass
class Thing:
    """One object of a picture."""

    kind: str  # "shape" or "number"
    colour: str
    name: str  # the shape's name, or the digits
    box: tuple = (0, 0, 0, 0)  # x0, y0, x1, y1 in pixels
    glyphs: list = field(default_factory=list)  # (digit, x0, x1) of a number's characters

    def words(self):
        return f"{self.colour} {self.name}"


@functools.lru_cache(maxsize=4096)
def _font(path, size):
    return ImageFont.truetype(path, size)


def _background(rng, size):
    """A greyish busy background, float32 [size, size, 3] in 0..255."""
    base = rng.uniform(30, 225) + rng.uniform(-14, 14, 3)
    ramp = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    angle, slope = rng.uniform(0, 2 * math.pi), rng.uniform(0, 60)
    plane = slope * (math.cos(angle) * ramp[None, :] + math.sin(angle) * ramp[:, None])
    grid = int(rng.integers(2, 4 + size // 16))
    coarse = rng.normal(0, rng.uniform(0, 22), (grid, grid)).astype(np.float32)
    blobs = np.asarray(Image.fromarray(coarse).resize((size, size), Image.BILINEAR))
    canvas = (plane + blobs)[:, :, None] + base.astype(np.float32)
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 2 + size // 24))):  # thin grey clutter
        x0, y0, x1, y1 = (int(v) for v in rng.uniform(-0.1 * size, 1.1 * size, 4))
        grey = tuple(int(v) for v in np.clip(rng.uniform(20, 235) + rng.uniform(-12, 12, 3), 0, 255))
        if rng.random() < 0.6:
            draw.line((x0, y0, x1, y1), fill=grey, width=int(rng.integers(1, 4)))
        else:
            w, h = int(rng.integers(4, 22)), int(rng.integers(4, 22))
            draw.rectangle((x0, y0, x0 + w, y0 + h), outline=grey, width=1)
    return image


def _fill(rng, colour):
    hue, sat, val = COLOURS[colour]
    h = ((hue + rng.uniform(-5, 5)) % 360) / 360
    rgb = colorsys.hsv_to_rgb(h, rng.uniform(*sat), rng.uniform(*val))
    return tuple(int(255 * c) for c in rgb)


def _shape_mask(rng, name, size):
    """An anti-aliased mask of one shape filling a size x size box, turned by up to 15 degrees."""
    k = 4
    s = size * k
    mask = Image.new("L", (s, s), 0)
    draw = ImageDraw.Draw(mask)
    c = s / 2
    turn = math.radians(rng.uniform(-15, 15))

    def poly(points):
        ca, sa = math.cos(turn), math.sin(turn)
        draw.polygon([(c + x * ca - y * sa, c + x * sa + y * ca) for x, y in points], fill=255)

    r = c - 1
    if name == "circle":
        draw.ellipse((1, 1, s - 1, s - 1), fill=255)
    elif name == "ring":
        draw.ellipse((1, 1, s - 1, s - 1), fill=255)
        hole = rng.uniform(0.5, 0.62) * r
        draw.ellipse((c - hole, c - hole, c + hole, c + hole), fill=0)
    elif name == "square":
        h = r / (abs(math.cos(turn)) + abs(math.sin(turn)))
        poly([(-h, -h), (h, -h), (h, h), (-h, h)])
    elif name == "triangle":
        poly([(r * math.cos(math.radians(a)), r * math.sin(math.radians(a))) for a in (-90, 30, 150)])
    elif name == "star":
        inner = rng.uniform(0.38, 0.46) * r
        poly(
            [
                ((r if i % 2 == 0 else inner) * math.cos(math.radians(-90 + 36 * i)),
                 (r if i % 2 == 0 else inner) * math.sin(math.radians(-90 + 36 * i)))
                for i in range(10)
            ]
        )  # fmt: skip
    elif name == "cross":
        h, t = 0.93 * r, rng.uniform(0.28, 0.36) * r
        h = math.sqrt(max(h * h - t * t, 1))
        poly([(-t, -h), (t, -h), (t, -t), (h, -t), (h, t), (t, t), (t, h), (-t, h), (-t, t), (-h, t), (-h, -t), (-t, -t)])
    return mask.reduce(k)


def _number_mask(rng, digits, height, fonts):
    """An anti-aliased mask of the digits with the given cap height, and each glyph's x range."""
    path = fonts[int(rng.integers(len(fonts)))]
    probe = _font(path, 64).getbbox("0")
    font = _font(path, max(8, round(64 * height / (probe[3] - probe[1]))))
    x0, y0, x1, y1 = font.getbbox(digits)
    mask = Image.new("L", (x1 - x0, y1 - y0), 0)
    ImageDraw.Draw(mask).text((-x0, -y0), digits, font=font, fill=255)
    glyphs, pen = [], 0.0
    for i, d in enumerate(digits):
        end = font.getlength(digits[: i + 1])
        glyphs.append((int(d), max(0.0, pen - x0), min(float(x1 - x0), end - x0)))
        pen = end
    return mask, glyphs


def _place(rng, size, w, h, taken, tries=30):
    if w > size or h > size:
        return None
    for _ in range(tries):
        x, y = int(rng.integers(0, size - w + 1)), int(rng.integers(0, size - h + 1))
        if all(x + w + 4 <= b[0] or b[2] + 4 <= x or y + h + 4 <= b[1] or b[3] + 4 <= y for b in taken):
            return x, y
    return None


def random_thing(rng, numbers=0.5):
    colour = COLOUR_NAMES[int(rng.integers(len(COLOUR_NAMES)))]
    if rng.random() < numbers:
        n = int(rng.integers(10, 100)) if rng.random() < 0.75 else int(rng.integers(0, 10))
        return Thing("number", colour, str(n))
    return Thing("shape", colour, SHAPES[int(rng.integers(len(SHAPES)))])


def draw(rng, things, size=256, scale=(28, 110), fonts=TRAIN_FONTS):
    """Draws the things (in place: sets their boxes); returns uint8 [size, size, 3] and the things that found room."""
    image = _background(rng, size)
    placed = []
    for thing in things:
        extent = int(rng.integers(scale[0], scale[1] + 1))
        if thing.kind == "shape":
            mask, glyphs = _shape_mask(rng, thing.name, min(extent, size)), []
        else:
            height = 0.85 * min(extent, 52) + 0.5 * max(0, extent - 52)
            mask, glyphs = _number_mask(rng, thing.name, height, fonts)
            if mask.width > size or mask.height > size:
                fit = 0.97 * min(size / mask.width, size / mask.height)
                mask, glyphs = _number_mask(rng, thing.name, height * fit, fonts)
        at = _place(rng, size, mask.width, mask.height, [t.box for t in placed])
        if at is None:
            continue
        image.paste(_fill(rng, thing.colour), at, mask)
        thing.box = (at[0], at[1], at[0] + mask.width, at[1] + mask.height)
        thing.glyphs = [(d, at[0] + a, at[0] + b) for d, a, b in glyphs]
        placed.append(thing)
    noise = rng.normal(0, rng.uniform(0, 14), (size, size, 1)).astype(np.float32)
    pixels = np.clip(np.asarray(image, dtype=np.float32) + noise, 0, 255).astype(np.uint8)
    return pixels, placed


LABEL_NAMES = ("kind", "colour", "shape", "tens", "unit", "char")
LABEL_SIZES = {"kind": 3, "colour": 8, "shape": 6, "tens": 11, "unit": 10, "char": 10}


def labels(things, size):
    """Dense labels per cell, int64 [6, cells, cells]; -1 where a label does not apply."""
    g = size // CELL
    out = np.full((6, g, g), -1, dtype=np.int64)
    out[0] = 0
    centre = (np.arange(g) + 0.5) * CELL
    for t in things:
        x0, y0, x1, y1 = t.box
        touched = np.ix_((centre + 8 > y0) & (centre - 8 < y1), (centre + 8 > x0) & (centre - 8 < x1))
        out[0][touched] = np.where(out[0][touched] == 0, -1, out[0][touched])
    for t in things:
        x0, y0, x1, y1 = t.box
        rows, cols = (centre >= y0) & (centre < y1), (centre >= x0) & (centre < x1)
        inside = np.ix_(rows, cols)
        out[0][inside] = KINDS.index(t.kind)
        out[1][inside] = COLOUR_NAMES.index(t.colour)
        if t.kind == "shape":
            out[2][inside] = SHAPES.index(t.name)
            continue
        n = int(t.name)
        out[3][inside] = n // 10 if n >= 10 else 10
        out[4][inside] = n % 10
        for d, a, b in t.glyphs:
            out[5][np.ix_(rows, cols & (centre >= a) & (centre < b))] = d
    return out


def training_picture(rng, size, numbers=0.5, scale=(28, 110)):
    """A picture with as many things as fit comfortably, and its dense labels."""
    top = min(scale[1], size - 2)
    count = max(1, round((size / 64) ** 2 * rng.uniform(0.6, 1.0)))
    things = [random_thing(rng, numbers) for _ in range(count)]
    pixels, placed = draw(rng, things, size, (min(scale[0], top), top))
    return pixels, labels(placed, size), placed
