#!/usr/bin/env python3
"""Compares this project's sound and video decoding with the ffmpeg program's, over many formats.

    prove.py --tool build/release/bin/media_probe [--work FOLDER] [--names pcm16 x265 ...]

--tool is the test program media_probe (ninja media_probe). Needs numpy and soxr from PyPI, and ffmpeg 5.1 or later with x264,
x265, vpx, SVT-AV1, theora, lame, opus and vorbis. Exits 1 when anything differs by more than it may.

Sound: noise and tones below 0.4 of the lower rate, as every pair of codec, rate and channel count. The reference is ffmpeg's
own decoder with `pan` to the channels' mean, then soxr.resample(quality='HQ'), which is what librosa.load does. Video: every frame of a film with
camera noise, decoded by ffmpeg from the beginning; the frames that media_probe picks must be those whose time comes last at
or before each moment, byte for byte (ffmpeg's scaler with the same flags).
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import soxr

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000)
CHANNELS = (1, 2, 6)
SOUND = {  # name: (suffix, arguments, rates it has or None, most channels)
    'pcm16': ('wav', ['-c:a', 'pcm_s16le'], None, 6),
    'pcm24': ('wav', ['-c:a', 'pcm_s24le'], None, 6),
    'float': ('wav', ['-c:a', 'pcm_f32le'], None, 6),
    'alac': ('m4a', ['-c:a', 'alac'], None, 6),
    'flac': ('flac', ['-c:a', 'flac'], None, 6),
    'mp3': ('mp3', ['-c:a', 'libmp3lame', '-b:a', '96k'], (8000, 11025, 16000, 22050, 32000, 44100, 48000), 2),
    'vorbis': ('ogg', ['-c:a', 'libvorbis', '-q:a', '4'], (8000, 11025, 16000, 22050, 32000, 44100, 48000), 6),
    'opus': ('opus', ['-c:a', 'libopus', '-b:a', '96k'], (8000, 16000, 48000), 6),
    'aac': ('m4a', ['-c:a', 'aac', '-b:a', '128k'], None, 6),
    'aac-adts': ('aac', ['-c:a', 'aac', '-b:a', '128k'], None, 6),
    'ac3': ('ac3', ['-c:a', 'ac3', '-b:a', '320k'], (32000, 44100, 48000), 6),
    'wma': ('wma', ['-c:a', 'wmav2', '-b:a', '128k'], (8000, 11025, 16000, 22050, 32000, 44100), 2),
    'mulaw': ('au', ['-c:a', 'pcm_mulaw'], None, 6),
    'aiff': ('aiff', ['-c:a', 'pcm_s16be'], None, 6),
}


def run(*args, data=None):
    done = subprocess.run([str(a) for a in args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise RuntimeError(f'{" ".join(map(str, args))}\n{done.stderr.decode()[-2000:]}')
    return done


def ffmpeg(*args, data=None):
    return run('ffmpeg', '-v', 'error', '-y', *args, data=data).stdout


def signal(rate, channels, seconds=1.5, seed=1):
    """[samples, channels] float32: band-limited noise and a tone in each channel."""
    random = np.random.default_rng(seed)
    n = int(rate * seconds)
    spectrum = np.fft.rfft(random.normal(size=(channels, n)))
    spectrum[:, np.fft.rfftfreq(n, 1 / rate) > 0.4 * min(rate, 16000)] = 0
    noise = np.fft.irfft(spectrum, n)
    noise *= 0.1 / np.abs(noise).std()
    t = np.arange(n) / rate
    tone = np.stack([0.2 * np.sin(2 * np.pi * (300 + 130 * c) * t) for c in range(channels)])
    return np.clip(noise + tone, -0.99, 0.99).T.astype('<f4')


def snr(want, got):
    n = min(len(want), len(got))
    want, got = want[:n].astype(np.float64), got[:n].astype(np.float64)
    noise = np.sum((want - got) ** 2)
    return 10 * np.log10(np.sum(want ** 2) / noise) if noise > 0 else np.inf


def prove_sound(tool, folder, names):
    bad = files = 0
    for name, (suffix, codec, rates, most) in ((n, SOUND[n]) for n in SOUND if n in names):
        worst, exact, count, longest = np.inf, 0, 0, 0
        for rate in RATES:
            for channels in CHANNELS:
                if channels > most or (rates and rate not in rates):
                    continue
                path = folder / f'{name}-{rate}-{channels}.{suffix}'
                layout = {1: 'mono', 2: 'stereo', 6: '5.1'}[channels]
                ffmpeg('-f', 'f32le', '-ar', rate, '-ac', channels, '-channel_layout', layout, '-i', '-', *codec, path,
                       data=signal(rate, channels).tobytes())
                decoded = json.loads(run('ffprobe', '-v', 'error', '-of', 'json', '-show_streams', path).stdout)['streams'][0]
                mean = '+'.join(f'{1 / decoded["channels"]!r}*c{c}' for c in range(decoded['channels']))
                chain = f'aformat=sample_fmts=dbl,pan=mono|c0={mean}'
                want = np.frombuffer(ffmpeg('-i', path, '-af', chain, '-f', 'f32le', '-c:a', 'pcm_f32le', '-'), '<f4')
                want = soxr.resample(want, int(decoded['sample_rate']), 16000, quality='HQ')
                got = np.frombuffer(run(tool, 'audio', path).stdout, '<f4')
                ratio = snr(want, got)
                worst, count = min(worst, ratio), count + 1
                exact += np.array_equal(want, got)
                longest = max(longest, abs(len(want) - len(got)))
                if ratio < 100 or abs(len(want) - len(got)) > 1:
                    bad += 1
                    print(f'  {path.name}: {ratio:.1f} dB, {len(got)} samples for {len(want)}')
        files += count
        print(f'{name:9} {count:3} files, worst {worst:6.1f} dB, {exact:2} identical, lengths within {longest}')
    print(f'sound: {files} files, {bad} bad')
    return bad


FILM = {  # name: (suffix, arguments)
    'x264-bframes': ('mp4', ['-c:v', 'libx264', '-g', '50', '-bf', '3', '-pix_fmt', 'yuv420p']),
    'x264-open-gop': ('mkv', ['-c:v', 'libx264', '-x264-params', 'open-gop=1:keyint=40:min-keyint=40:scenecut=0', '-bf', '3',
                              '-pix_fmt', 'yuv420p']),
    'x264-long-gop': ('mp4', ['-c:v', 'libx264', '-g', '1000', '-pix_fmt', 'yuv422p']),
    'x264-fragments': ('mp4', ['-c:v', 'libx264', '-g', '25', '-movflags', 'frag_keyframe+empty_moov', '-pix_fmt', 'yuv420p']),
    'x264-refresh': ('mkv', ['-c:v', 'libx264', '-x264-params', 'intra-refresh=1:keyint=50', '-pix_fmt', 'yuv420p']),
    'x265': ('mp4', ['-c:v', 'libx265', '-x265-params', 'log-level=error:keyint=60', '-pix_fmt', 'yuv420p10le']),
    'vp8': ('webm', ['-c:v', 'libvpx', '-b:v', '300k', '-g', '60', '-auto-alt-ref', '1', '-lag-in-frames', '16']),
    'vp9': ('webm', ['-c:v', 'libvpx-vp9', '-b:v', '300k', '-g', '60', '-cpu-used', '5']),
    'av1': ('mkv', ['-c:v', 'libsvtav1', '-preset', '12', '-g', '60']),
    'mpeg4': ('mov', ['-c:v', 'mpeg4', '-bf', '2', '-g', '40']),
    'mpeg4-avi': ('avi', ['-c:v', 'mpeg4', '-bf', '2', '-g', '40']),
    'mpeg2-ts': ('ts', ['-c:v', 'mpeg2video', '-bf', '2']),
    'x264-ts': ('ts', ['-c:v', 'libx264', '-g', '50', '-bf', '3', '-pix_fmt', 'yuv420p']),
    'flv': ('flv', ['-c:v', 'flv', '-g', '40']),
    'mjpeg': ('mov', ['-c:v', 'mjpeg', '-q:v', '5']),
    'gif': ('gif', ['-t', '3']),
    'prores': ('mov', ['-c:v', 'prores']),
    'theora': ('ogv', ['-c:v', 'libtheora', '-q:v', '5']),
    'vfr': ('mkv', ['-c:v', 'libx264', '-g', '40', '-vf', "select='not(mod(floor(n*n/7)\\,3))'", '-vsync', 'vfr', '-pix_fmt', 'yuv420p']),
    'late': ('mkv', ['-c:v', 'libx264', '-g', '50', '-output_ts_offset', '7.3', '-pix_fmt', 'yuv420p']),
    'bt709-full': ('mp4', ['-c:v', 'libx264', '-pix_fmt', 'yuvj444p', '-colorspace', 'bt709', '-color_range', 'pc']),
    'bt2020': ('mp4', ['-c:v', 'libx264', '-pix_fmt', 'yuv420p10le', '-colorspace', 'bt2020nc']),
    'turned-90': ('mp4', ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-metadata:s:v', 'rotate=90']),
    'turned-180': ('mp4', ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-metadata:s:v', 'rotate=180']),
    'turned-270': ('mp4', ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-metadata:s:v', 'rotate=270']),
}
FLAGS = 'bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact'


def all_frames(path, width, height):
    """ffmpeg's frames of the whole film, each with its time from the first."""
    shown = json.loads(run('ffprobe', '-v', 'error', '-of', 'json', '-select_streams', 'v:0', '-show_entries',
                           'frame=best_effort_timestamp_time,pts_time', path).stdout)['frames']
    times = np.array([float(f.get('best_effort_timestamp_time', 'nan')) for f in shown])
    if np.isnan(times).any():  # AVI has no presentation times
        times = np.arange(len(shown)) / 25
    pixels = ffmpeg('-i', path, '-map', '0:v:0', '-vsync', 'passthrough', '-vf', f'scale=flags={FLAGS}', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-')
    frames = np.frombuffer(pixels, np.uint8).reshape(-1, height * width * 3)
    return times - times[0], frames


def prove_video(tool, folder, names):
    bad = compared = files = 0
    film = folder / 'film.y4m'
    ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=25:duration=12,noise=alls=12:allf=t', '-pix_fmt', 'yuv444p', film)
    for name, (suffix, codec) in ((n, FILM[n]) for n in FILM if n in names):
        path = folder / f'{name}.{suffix}'
        ffmpeg('-i', film, *codec, path)
        width, height = (120, 160) if name in ('turned-90', 'turned-270') else (160, 120)
        times, frames = all_frames(path, width, height)
        wrong = largest = differ = seen = 0
        for rate, most in ((1, 1000), (0.3, 1000), (7, 1000), (25, 1000), (10, 5), (3, 17)):
            done = run(tool, 'video', path, rate, most)
            lines = [json.loads(line) for line in done.stderr.decode().splitlines()]
            ours = np.frombuffer(done.stdout, np.uint8).reshape(-1, height * width * 3)
            for line, image in zip(lines[1:], ours, strict=True):
                wanted = max(int(np.searchsorted(times, line['seconds'] + 1e-5, side='right')) - 1, 0)
                gap = int(np.abs(image.astype(int) - frames[wanted].astype(int)).max())
                seen += 1
                differ += gap > 0
                largest = max(largest, gap)
                wrong += gap > 3 or abs(line['shown_at'] - times[wanted]) > 2e-3
        compared += seen
        files += 1
        bad += wrong > 0
        print(f'{name:15} {len(frames):4} frames, {seen:4} picked, {wrong} wrong; {differ} not identical, largest difference {largest}')
    print(f'video: {files} files, {compared} frames compared, {bad} files bad')
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--tool', required=True, type=pathlib.Path)
    parser.add_argument('--work', type=pathlib.Path)
    parser.add_argument('--names', nargs='+', default=[*SOUND, *FILM], help='which of the formats, default all')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.work or pathlib.Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        tool = options.tool.resolve()
        bad = prove_sound(tool, folder, options.names) + prove_video(tool, folder, options.names)
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
