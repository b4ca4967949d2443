"""Writes tests/unit/media/data: small picture files of every kind, and expected.json with what Pillow, torchvision and
transformers' image processor make of them (CRC-32 of RGB bytes, rows from the top). make_image_fixtures.py [FOLDER]"""
import io
import itertools
import json
import pathlib
import sys
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps
from transformers.image_transforms import convert_to_rgb

import image_files
from prove_images import processor

FILE_SIZES = [768, 256, 20]
AXES = [(1, 1), (2, 1), (1, 3000), (2000, 7), (768, 500), (500, 768), (256, 3), (767, 769), (512, 512), (4000, 30), (30, 4000), (20001, 2)]


def chosen():
    """Names of image_files' cases that are small and differ in kind."""
    size = [(13, 9)]
    yield from image_files.jpeg_cases(size)
    yield from image_files.png_cases(size)
    yield from image_files.webp_cases(size)
    yield from image_files.pillow_cases(size)
    yield from image_files.bmp_cases()
    yield from (case for number, case in enumerate(image_files.gif_cases()) if number % 11 == 0)
    yield from (case for case in image_files.orientation_cases() if case[0].startswith(('png-exif-', 'jpeg-exif-', 'webp-xmp-6'))
                and 'behind' not in case[0] or case[0].endswith('-6'))


def kept():
    """Of the kinds that come in many qualities and sizes, one."""
    for name, data in chosen():
        if any(part in name for part in ('abgr', '-124', 'palette-4-', 'bgrx', '-down', 'masks', '-interlaced-13', '-95-0-', 'lossy-95', '-80-1-', 'optimized', 'apng', '-P-alphas', 'exif-0', 'exif-9')):
            continue
        yield name, data


def crc(pixels):
    return zlib.crc32(np.ascontiguousarray(pixels).tobytes())


def resized(reference, picture, size):
    values = reference(picture, size={'height': size, 'width': size}, return_tensors='np')['pixel_values'][0]
    return crc(np.rint(values.transpose(1, 2, 0) * 255).astype(np.uint8))


def main():
    warnings.simplefilter('ignore')
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else 'tests/unit/media/data')
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    reference = processor()
    expected = {'files': {}, 'resize': []}
    for name, data in kept():
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        rgb = convert_to_rgb(picture, return_numpy=True)
        expected['files'][name] = {'width': rgb.shape[1], 'height': rgb.shape[0], 'crc': crc(rgb),
                                   'resized': {str(size): resized(reference, picture, size) for size in FILE_SIZES}}
        (folder / name).write_bytes(data)
    for (width, height), size in itertools.product(AXES, (768, 512, 256)):
        # The test makes the same picture: sample i is the top byte of i * 2654435761.
        samples = np.arange(width * height * 3, dtype=np.uint32) * np.uint32(2654435761) >> np.uint32(24)
        picture = Image.fromarray(samples.astype(np.uint8).reshape(height, width, 3))
        expected['resize'].append({'width': width, 'height': height, 'size': size, 'crc': resized(reference, picture, size)})
    lines = ',\n'.join(f'  {json.dumps(name)}: {json.dumps(value)}' for name, value in expected['files'].items())
    more = ',\n'.join(f'  {json.dumps(value)}' for value in expected['resize'])
    (folder / 'expected.json').write_text(f'{{"files": {{\n{lines}\n}},\n"resize": [\n{more}\n]}}\n')
    total = sum(path.stat().st_size for path in folder.iterdir())
    print(f'{len(expected["files"])} files, {total} bytes with expected.json')


if __name__ == '__main__':
    main()
