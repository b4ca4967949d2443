"""Picture files of every kind that people have: cases() yields (name, bytes), made with Pillow, or by hand where Pillow
does not write the kind."""
import io
import itertools
import struct
import subprocess
import zlib

import numpy as np
from PIL import Image

SIZES = [(1, 1), (1, 7), (7, 1), (2, 3), (13, 9), (16, 16), (17, 31), (64, 48), (255, 257), (256, 256), (300, 200), (512, 512),
         (768, 768), (768, 500), (500, 768), (767, 769), (1024, 512), (2000, 7), (7, 2000), (1, 3000), (3000, 1), (1920, 1080)]
LARGE = [(4000, 3000), (3024, 4032), (6000, 40), (65500, 3), (3, 65500)]


def picture(width, height, channels, seed):
    """[height, width, channels] uint8: gradients, edges and noise."""
    rng = np.random.default_rng([seed, width, height, channels])
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    planes = []
    for _ in range(channels):
        a, b, c, d = rng.uniform(-3, 3, 4)
        wave = np.sin(7 * (a * x + b * y + c)) * 90 + 128 + 60 * ((x * d + y * a) % 0.3 > 0.15)
        planes.append(wave + rng.normal(0, 12, (height, width)))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def image(mode, width, height, seed):
    channels = {'1': 1, 'L': 1, 'P': 3, 'LA': 2, 'RGB': 3, 'RGBA': 4, 'CMYK': 4}[mode]
    pixels = picture(width, height, channels, seed)
    if mode == 'P':
        return Image.fromarray(pixels).quantize(77)
    if mode == '1':
        return Image.fromarray(pixels[..., 0]).convert('1')
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode=None if mode != 'CMYK' else 'CMYK')


def saved(picture_image, kind, **options):
    out = io.BytesIO()
    picture_image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation, big_endian=False):
    order = '>' if big_endian else '<'
    head = (b'MM\0*' if big_endian else b'II*\0') + struct.pack(order + 'I', 8)
    entries = [(0x010f, 3, 1, 7), (0x0112, 3, 1, orientation), (0x0128, 3, 1, 2)]
    body = b''.join(struct.pack(order + 'HHIHH', tag, kind, count, value, 0) for tag, kind, count, value in entries)
    return b'Exif\0\0' + head + struct.pack(order + 'H', len(entries)) + body + struct.pack(order + 'I', 0)


def xmp(orientation, attribute=True):
    text = f'tiff:Orientation="{orientation}"' if attribute else f'><tiff:Orientation>{orientation}</tiff:Orientation'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {text}></rdf:Description></x:xmpmeta>'.encode()


# PNG by hand

def png_chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png_rows(samples, depth):
    """samples: [height, width, channels] of `depth` bits, as filter type and bytes of each row."""
    height, width, channels = samples.shape
    if not height or not width:
        return b''
    flat = samples.reshape(height, width * channels)
    if depth == 16:
        rows = flat.astype('>u2').view(np.uint8)
    elif depth == 8:
        rows = flat.astype(np.uint8)
    else:
        bits = ((flat[..., None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(height, -1).astype(np.uint8)
        rows = np.packbits(bits, axis=1)
    return np.concatenate([np.zeros((height, 1), np.uint8), rows], 1).tobytes()


def png(samples, depth, color_type, before_data=b'', interlaced=False, after_data=b''):
    height, width, _ = samples.shape
    data = png_rows(samples, depth)
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        data = b''.join(png_rows(samples[y::dy, x::dx], depth) for y, x, dy, dx in passes)
    return (b'\x89PNG\r\n\x1a\n' + png_chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, color_type, 0, 0, interlaced))
            + before_data + png_chunk(b'IDAT', zlib.compress(data)) + after_data + png_chunk(b'IEND', b''))


def png_cases(sizes):
    rng = np.random.default_rng(5)
    kinds = [(0, (1, 2, 4, 8, 16), 1), (2, (8, 16), 3), (3, (1, 2, 4, 8), 1), (4, (8, 16), 2), (6, (8, 16), 4)]
    for (color_type, depths, channels), (width, height) in itertools.product(kinds, sizes):
        for depth, interlaced, transparent in itertools.product(depths, (False, True), (False, True)):
            if transparent and color_type > 3:
                continue
            samples = rng.integers(0, 1 << depth, (height, width, channels))
            if depth == 16 and rng.integers(2):
                samples = samples % 300
            extra = b''
            if color_type == 3:
                extra = png_chunk(b'PLTE', rng.integers(0, 256, 3 << depth, np.uint8).tobytes())
            if transparent:
                pixel = samples[rng.integers(height), rng.integers(width)]
                extra += png_chunk(b'tRNS', rng.integers(0, 256, 1 << depth, np.uint8).tobytes() if color_type == 3
                                   else pixel.astype('>u2').tobytes())
            name = f'png{color_type}-{depth}{"-interlaced" * interlaced}{"-transparent" * transparent}-{width}x{height}'
            yield name, png(samples, depth, color_type, extra, interlaced)


# GIF by hand

def gif(width, height, frame, indices, palette=None, local=None, transparent=None, interlaced=False):
    """One frame (x, y, width, height) of 2-bit indices on a screen; palettes of 4 RGB entries."""
    x, y, frame_width, frame_height = frame
    rows = np.asarray(indices).reshape(frame_height, frame_width)
    if interlaced:
        rows = np.concatenate([rows[a::b] for a, b in ((0, 8), (4, 8), (2, 4), (1, 2))])
    bits = position = 0
    for index in rows.ravel():  # a clear code before each index keeps the codes at 3 bits
        bits |= (4 | int(index) << 3) << position
        position += 6
    bits |= 5 << position
    data = bits.to_bytes((position + 10) // 8, 'little')
    blocks = b''.join(bytes([len(part)]) + part for part in (data[i:i + 255] for i in range(0, len(data), 255)))
    return (b'GIF89a' + struct.pack('<HHBBB', width, height, 0x81 if palette else 0, 1, 0) + (palette or b'')
            + (b'!\xf9\x04' + struct.pack('<BHBB', 1, 0, transparent, 0) if transparent is not None else b'')
            + b',' + struct.pack('<HHHHB', x, y, frame_width, frame_height, (0x81 if local else 0) | 0x40 * interlaced)
            + (local or b'') + b'\x02' + blocks + b'\0;')


def gif_cases():
    rng = np.random.default_rng(6)
    palettes = [rng.integers(0, 256, 12, np.uint8).tobytes() for _ in range(2)] + [bytes(i // 3 for i in range(12))]
    frames = [(20, 30, (0, 0, 20, 30)), (20, 30, (5, 7, 11, 9)), (9, 8, (4, 5, 8, 10))]
    for (width, height, frame), palette, local, transparent, interlaced in itertools.product(
            frames, (None, palettes[0], palettes[2]), (None, palettes[1], palettes[2]), (None, 0, 2, 200), (False, True)):
        name = f'gif-hand-{width}-{palettes.index(palette) if palette else "none"}-{palettes.index(local) if local else "none"}'
        yield (f'{name}-{transparent}{"-interlaced" * interlaced}',
               gif(width, height, frame, rng.integers(0, 4, frame[2] * frame[3]), palette, local, transparent, interlaced))


# BMP by hand

def bmp(width, height, bits, rows, compression=0, header=40, masks=(), palette=b'', top_down=False):
    """rows: bytes of the pixels, each row padded to 4 bytes, in the file's order."""
    if header == 12:
        dib = struct.pack('<IHHHH', 12, width, height, 1, bits)
    else:
        dib = struct.pack('<IiiHHIIiiII', header, width, -height if top_down else height, 1, bits, compression, len(rows), 2835, 2835,
                          len(palette) // 4, 0)
    fields = struct.pack(f'<{len(masks)}I', *masks)
    dib += fields + b'\0' * max(0, header - len(dib) - len(fields))
    offset = 14 + len(dib) + len(palette)
    return b'BM' + struct.pack('<IHHI', offset + len(rows), 0, 0, offset) + dib + palette + rows


def bmp_cases():
    rng = np.random.default_rng(7)
    width, height = 13, 5

    def rows(row_bits):
        stride = (width * row_bits + 31) // 32 * 4
        return rng.integers(0, 256, stride * height, np.uint8).tobytes()
    for top_down in (False, True):
        down = '-down' * top_down
        yield f'bmp-24{down}', bmp(width, height, 24, rows(24), top_down=top_down)
        yield f'bmp-32{down}', bmp(width, height, 32, rows(32), top_down=top_down)
        yield f'bmp-555{down}', bmp(width, height, 16, rows(16), top_down=top_down)
        yield f'bmp-565{down}', bmp(width, height, 16, rows(16), 3, masks=(0xf800, 0x7e0, 0x1f), top_down=top_down)
        yield f'bmp-555-masks{down}', bmp(width, height, 16, rows(16), 3, masks=(0x7c00, 0x3e0, 0x1f), top_down=top_down)
    for header in (40, 56, 108, 124):
        for name, masks in (('bgrx', (0xff0000, 0xff00, 0xff, 0)), ('bgra', (0xff0000, 0xff00, 0xff, 0xff000000)),
                            ('rgba', (0xff, 0xff00, 0xff0000, 0xff000000)), ('abgr', (0xff000000, 0xff0000, 0xff00, 0xff))):
            if header > 40 or masks[3] == 0:
                yield (f'bmp-{name}-{header}', bmp(width, height, 32, rows(32), 3, header, masks[:4 if header > 40 else 3]))
    for bits in (1, 4, 8):
        for header in (12, 40, 108):
            entry = 3 if header == 12 else 4
            palette = rng.integers(0, 256, entry << bits, np.uint8).tobytes()
            if bits == 8 and header == 40:
                palette = palette[:4 * 200]
            yield f'bmp-palette-{bits}-{header}', bmp(width, height, bits, rows(bits), header=header, palette=palette)


# JPEG

def jpeg_cases(sizes, seed=1):
    for (width, height), mode in itertools.product(sizes, ('RGB', 'L', 'CMYK')):
        original = image(mode, width, height, seed)
        for progressive, (quality, subsampling) in itertools.product((False, True), ((95, 0), (80, 1), (50, 2))):
            if mode == 'RGB' or subsampling == 2:
                yield (f'jpeg-{mode}{"-progressive" * progressive}-{quality}-{subsampling}-{width}x{height}',
                       saved(original, 'JPEG', quality=quality, subsampling=subsampling, progressive=progressive))
    original = image('RGB', 29, 23, seed)
    yield 'jpeg-restart', saved(original, 'JPEG', restart_marker_blocks=3)
    yield 'jpeg-rgb', saved(original, 'JPEG', keep_rgb=True)
    yield 'jpeg-optimized', saved(original, 'JPEG', optimize=True)
    cmyk = saved(image('CMYK', 21, 18, seed), 'JPEG', quality=95)
    at = cmyk.index(b'Adobe') + 11
    yield 'jpeg-ycck', cmyk[:at] + b'\x02' + cmyk[at + 1:]
    at = cmyk.index(b'\xff\xee')
    yield 'jpeg-cmyk-unmarked', cmyk[:at] + cmyk[at + 2 + struct.unpack_from('>H', cmyk, at + 2)[0]:]
    yield 'jpeg-garbage-behind', saved(original, 'JPEG') + b'garbage'


def jpeg_sampling_cases():
    """Chroma layouts that Pillow does not write, from libjpeg-turbo's own program (libjpeg-turbo-progs)."""
    for layout, (width, height) in itertools.product(('1x2', '4x1', '1x4', '2x1,1x1,2x1', '3x1'), ((64, 48), (61, 47), (203, 99))):
        for options in ((), ('-progressive',), ('-arithmetic',)):
            data = subprocess.run(['cjpeg', '-quality', '85', '-sample', layout, *options], check=True, capture_output=True,
                                  input=saved(image('RGB', width, height, 3), 'PPM')).stdout
            yield f'jpeg-sampled-{layout}{"".join(options)}-{width}x{height}', data


def orientation_cases():
    original, alpha = image('RGB', 23, 14, 2), image('RGBA', 23, 14, 2)
    for code in range(0, 10):
        block = exif(code, big_endian=code % 2 == 1)
        yield f'jpeg-exif-{code}', saved(original, 'JPEG', exif=block)
        yield f'png-exif-{code}', saved(alpha, 'PNG', exif=block)
        yield f'webp-exif-{code}', saved(alpha, 'WEBP', lossless=True, exif=block)
        samples = picture(23, 14, 3, code)
        yield f'png-exif-behind-{code}', png(samples, 8, 2, after_data=png_chunk(b'eXIf', block[6:]))
        raw = f'\nexif\n{len(block):8}\n{block.hex()}\n'.encode()
        yield f'png-raw-profile-{code}', png(samples, 8, 2, png_chunk(b'zTXt', b'Raw profile type exif\0\0' + zlib.compress(raw)))
        packet = xmp(code, attribute=code % 2 == 0)
        yield f'jpeg-xmp-{code}', saved(original, 'JPEG', xmp=packet)
        yield f'webp-xmp-{code}', saved(original, 'WEBP', xmp=packet)
        yield f'png-xmp-{code}', png(samples, 8, 2, png_chunk(b'iTXt', b'XML:com.adobe.xmp\0\0\0\0\0' + packet))
    yield 'jpeg-exif-over-xmp', saved(original, 'JPEG', exif=exif(6), xmp=xmp(3))


def webp_cases(sizes):
    for (width, height), mode in itertools.product(sizes, ('RGB', 'RGBA')):
        original = image(mode, width, height, 3)
        for name, options in (('lossy', {'quality': 70}), ('lossy-95', {'quality': 95, 'method': 0}), ('lossless', {'lossless': True})):
            yield f'webp-{mode}-{name}-{width}x{height}', saved(original, 'WEBP', **options)
    for mode, lossless in itertools.product(('RGB', 'RGBA'), (False, True)):
        frames = [image(mode, 15, 11, seed) for seed in (1, 2)]
        yield (f'webp-animation-{mode}{"-lossless" * lossless}',
               saved(frames[0], 'WEBP', save_all=True, append_images=frames[1:], lossless=lossless))
    # A first frame that does not fill its canvas.
    for lossless in (False, True):
        frame = saved(image('RGBA', 12, 10, 4), 'WEBP', lossless=lossless, exact=True)[12:]
        if frame[:4] == b'VP8X':
            frame = frame[18:]
        for flags in (0x12, 0x02):
            header = struct.pack('<I', 6 // 2)[:3] + struct.pack('<I', 4 // 2)[:3] + struct.pack('<I', 11)[:3] + struct.pack('<I', 9)[:3]
            anmf = header + struct.pack('<I', 100)[:3] + b'\0' + frame
            body = (b'WEBPVP8X' + struct.pack('<I', 10) + bytes([flags, 0, 0, 0]) + struct.pack('<I', 29)[:3] + struct.pack('<I', 19)[:3]
                    + b'ANIM' + struct.pack('<I', 6) + b'\x10\x20\x30\xff\0\0' + b'ANMF' + struct.pack('<I', len(anmf)) + anmf)
            yield f'webp-partial{"-lossless" * lossless}-{flags}', b'RIFF' + struct.pack('<I', len(body)) + body


def pillow_cases(sizes):
    """PNG, GIF and BMP as Pillow writes each mode."""
    for (width, height), mode in itertools.product(sizes, ('1', 'L', 'LA', 'P', 'RGB', 'RGBA')):
        original = image(mode, width, height, 4)
        yield f'png-{mode}-{width}x{height}', saved(original, 'PNG')
        if mode not in ('LA', 'RGBA'):
            yield f'bmp-{mode}-{width}x{height}', saved(original, 'BMP')
        if mode in ('L', 'P', 'RGBA'):
            yield f'gif-{mode}-{width}x{height}', saved(original, 'GIF')
    original = image('P', 20, 16, 4)
    yield 'png-P-one-transparent', saved(original, 'PNG', transparency=3)
    yield 'png-P-alphas', saved(original, 'PNG', transparency=bytes(range(0, 255, 5)))
    for bits in (1, 2, 4):
        yield f'png-P-{bits}-bits', saved(Image.fromarray(picture(20, 16, 3, 4)).quantize(1 << bits), 'PNG', bits=bits)
    yield 'gif-P-transparent', saved(original, 'GIF', transparency=3)
    yield 'gif-animation', saved(original, 'GIF', save_all=True, append_images=[image('P', 20, 16, seed) for seed in (5, 6)])
    yield 'png-apng', saved(image('RGBA', 50, 40, 4), 'PNG', save_all=True, append_images=[image('RGBA', 50, 40, 5)])


def cases():
    some = [size for size in SIZES if max(size) < 400] + [(768, 500)]
    yield from jpeg_cases(SIZES)
    yield from jpeg_sampling_cases()
    yield from orientation_cases()
    yield from png_cases([(1, 1), (5, 3), (33, 18), (257, 12)])
    yield from webp_cases(some)
    yield from pillow_cases(some)
    yield from gif_cases()
    yield from bmp_cases()
    for width, height in LARGE:
        yield f'jpeg-large-{width}x{height}', saved(image('RGB', width, height, 8), 'JPEG', quality=85)
    yield 'png-large', saved(image('RGBA', 4000, 3000, 8), 'PNG', compress_level=1)
