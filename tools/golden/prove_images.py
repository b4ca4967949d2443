"""Decoding, compositing and resizing against transformers' image processor, sample by sample:
    prove_images.py PROBE [--sizes 768 512 256] [--only TEXT] [--keep FOLDER]
PROBE is the program tests/unit/media/decode_probe.cc. The reference is the processor that AutoImageProcessor gives for
Gemma 3n (torchvision), on PIL.ImageOps.exif_transpose(PIL.Image.open(file)). Prints every file that differs, and a summary."""
import argparse
import base64
import collections
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse
import warnings

import numpy as np
from PIL import Image, ImageOps
from transformers import AutoImageProcessor
from transformers.image_transforms import convert_to_rgb

import image_files

SETTINGS = {'image_processor_type': 'SiglipImageProcessor', 'do_normalize': False, 'do_rescale': True, 'do_resize': True,
            'do_convert_rgb': True, 'resample': 2, 'rescale_factor': 1 / 255, 'size': {'height': 768, 'width': 768}}


def processor():
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / 'preprocessor_config.json').write_text(json.dumps(SETTINGS))
        return AutoImageProcessor.from_pretrained(folder)


def read_exactly(stream, shape):
    data = stream.read(int(np.prod(shape)))
    assert len(data) == np.prod(shape), 'the probe ended early'
    return np.frombuffer(data, np.uint8).reshape(shape)


def differing(name, ours, want):
    if ours.shape != want.shape:
        print(f'{name}: shape {ours.shape}, the reference has {want.shape}')
        return max(ours.size, want.size)
    count = int((ours != want).sum())
    if count:
        gap = np.abs(ours.astype(np.float64) - want).max()
        print(f'{name}: {count} of {want.size} samples differ, by at most {gap:g}')
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('probe')
    parser.add_argument('--sizes', type=int, nargs='+', default=[768, 512, 256])
    parser.add_argument('--only', default='')
    parser.add_argument('--keep', help='write the files here')
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    Image.MAX_IMAGE_PIXELS = None
    reference = processor()
    print('reference:', type(reference).__module__ + '.' + type(reference).__name__)
    folder = pathlib.Path(args.keep or tempfile.mkdtemp(prefix='prove-images-'))
    folder.mkdir(exist_ok=True)
    probe = subprocess.Popen([args.probe, *map(str, args.sizes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    files = collections.Counter()
    samples = bad = failed = 0
    for number, (name, data) in enumerate(image_files.cases()):
        if args.only not in name:
            continue
        source = folder / name
        if len(data) < 20000 and number % 5 == 0:  # some as data: URLs
            text = base64.b64encode(data).decode() if number % 2 else urllib.parse.quote(data)
            source = f'data:image/png{";base64" * (number % 2)},{text}'
        else:
            source.write_bytes(data)
        probe.stdin.write(f'{source}\n'.encode())
        probe.stdin.flush()
        files[name.split('-')[0].rstrip('0123456789')] += 1
        line = json.loads(probe.stdout.readline())
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        if 'error' in line:
            print(f'{name}: {line["error"]}')
            failed += 1
            continue
        want = convert_to_rgb(picture, return_numpy=True)
        ours = read_exactly(probe.stdout, (line['height'], line['width'], 3))
        bad += differing(f'{name} ({picture.mode})', ours, want)
        samples += want.size
        for size in args.sizes:
            pixels = reference(picture, size={'height': size, 'width': size}, return_tensors='np')['pixel_values'][0]
            resized = read_exactly(probe.stdout, (size, size, 3)).transpose(2, 0, 1)
            bad += differing(f'{name} at {size}', resized.astype(np.float32) * np.float32(1 / 255), pixels)
            samples += pixels.size
    probe.stdin.close()
    probe.wait()
    print(f'{sum(files.values())} files {dict(files)}, {samples} samples: {bad} differ; {failed} files not decoded')
    sys.exit(bad > 0 or failed > 0 or probe.returncode != 0)


if __name__ == '__main__':
    main()
