"""Makes tests/golden/media: tiny sound and video files whose content is a formula that the tests know too.

    python3 tools/golden/media_fixtures.py        needs numpy and the ffmpeg program (5.1, with x264, vpx, lame, opus)

Sound: two sweeps, 200 to 3000 Hz on the left, 3000 to 200 Hz on the right, amplitudes 0.4 and 0.2, half a second.
Video: 64 x 48 pixels, 10 frames a second, 4 seconds. Second s is one colour and a tone of 400 + 300 s Hz; the frame's number
stands in eight blocks of 8 x 8 pixels from (0, 4) on, the lowest bit first, white for 1 and black for 0.
"""
import pathlib
import subprocess
import tempfile

import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / 'tests' / 'golden' / 'media'
COLOURS = [(200, 40, 40), (40, 160, 60), (50, 70, 200), (190, 180, 60)]
WIDTH, HEIGHT, RATE, FRAMES = 64, 48, 10, 40
PLAIN = ('-fflags', '+bitexact', '-flags:v', '+bitexact', '-flags:a', '+bitexact', '-map_metadata', '-1')


def ffmpeg(*args, data=None):
    subprocess.run(['ffmpeg', '-v', 'error', '-y', *map(str, args)], input=data, check=True)


def sweeps(rate, seconds=0.5):
    """[samples, 2] float."""
    t = np.arange(int(rate * seconds)) / rate
    phase = lambda f0, f1: 2 * np.pi * (f0 * t + (f1 - f0) * t * t / (2 * seconds))
    return np.stack([0.4 * np.sin(phase(200, 3000)), 0.2 * np.sin(phase(3000, 200))], axis=1)


def pcm16(samples):
    return np.round(samples * 32767).astype('<i2').tobytes()


def sound(name, rate, *codec):
    ffmpeg('-f', 's16le', '-ar', rate, '-ac', 2, '-i', '-', *PLAIN, *codec, OUT / name, data=pcm16(sweeps(rate)))


def picture(n):
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = COLOURS[n // RATE]
    for bit in range(8):
        image[4:12, bit * 8:bit * 8 + 8] = 255 if n >> bit & 1 else 0
    return image


def tones(rate=16000):
    t = np.arange(4 * rate) / rate
    return 0.5 * np.sin(2 * np.pi * (400 + 300 * np.floor(t)) * t)


def video(name, folder, *args, sound_too=True, filters='null'):
    inputs = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', f'{WIDTH}x{HEIGHT}', '-r', RATE, '-i', folder / 'frames']
    if sound_too:
        inputs += ['-f', 's16le', '-ar', 16000, '-ac', 1, '-i', folder / 'tones']
    ffmpeg(*inputs, *PLAIN, '-vf', filters, *args, OUT / name)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    sound('sweep-8k.wav', 8000, '-c:a', 'pcm_s16le')
    sound('sweep-22k.flac', 22050, '-c:a', 'flac')
    sound('sweep-44k.mp3', 44100, '-c:a', 'libmp3lame', '-b:a', '64k')
    sound('sweep-48k.opus', 48000, '-c:a', 'libopus', '-b:a', '64k')
    sound('sweep-32k.m4a', 32000, '-c:a', 'aac', '-b:a', '96k')
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / 'frames').write_bytes(b''.join(picture(n).tobytes() for n in range(FRAMES)))
        (folder / 'tones').write_bytes(pcm16(tones()))
        h264 = ('-c:v', 'libx264', '-crf', 22, '-g', 10, '-bf', 2, '-threads', 1)
        yuv = ('-pix_fmt', 'yuv420p')
        aac = ('-c:a', 'aac', '-b:a', '24k')
        bt601 = 'scale=out_color_matrix=bt601:out_range=tv'
        bt709 = 'scale=out_color_matrix=bt709:out_range=pc'
        # B-frames; the header after the data
        video('seconds.mp4', folder, *h264, *yuv, *aac, filters=bt601)
        # BT.709, full range, no subsampling; starts at 5 seconds
        video('late-709.mkv', folder, *h264, '-pix_fmt', 'yuv444p', '-colorspace', 'bt709', '-color_range', 'pc',
              '-c:a', 'libmp3lame', '-b:a', '24k', '-output_ts_offset', 5, filters=bt709)
        video('seconds.webm', folder, '-c:v', 'libvpx-vp9', '-b:v', '60k', '-g', 20, *yuv, '-c:a', 'libopus', '-b:a', '16k', filters=bt601)
        # shown a quarter turn counter-clockwise (ffmpeg 5.1 writes that for rotate=90)
        video('upright.mov', folder, *h264, *yuv, *aac, filters=bt601)
        ffmpeg('-i', OUT / 'upright.mov', *PLAIN, '-c', 'copy', '-metadata:s:v', 'rotate=90', OUT / 'turned.mov')
        (OUT / 'upright.mov').unlink()
        # frame n at n * n / 400 seconds: gaps from 2.5 to 197.5 ms; no sound
        video('varying.mkv', folder, *h264, *yuv, '-vsync', 'vfr', '-enc_time_base', '1/1000', sound_too=False,
              filters=f'{bt601},settb=1/1000,setpts=N*N*1000/400')
        # no timestamps at all
        video('bare.h264', folder, *h264, *yuv, '-an', sound_too=False, filters=bt601)
    total = 0
    for path in sorted(OUT.iterdir()):
        print(f'{path.stat().st_size:7} {path.name}')
        total += path.stat().st_size
    print(f'{total:7} in all')


if __name__ == '__main__':
    main()
