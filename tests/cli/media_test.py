"""Pictures, sound and video through the program, with the trained model and the files of examples/media."""
import base64
import json
import os
import re
import shutil
import struct
import time
import unittest
import wave
import zlib

import support
from terminal import Terminal

MODEL = support.SOURCE / 'models' / 'tiny'
MEDIA = support.SOURCE / 'examples' / 'media'
PICTURE, SPEECH, VIDEO = MEDIA / 'picture.png', MEDIA / 'speech.wav', MEDIA / 'video.mp4'
LOOK, LISTEN, WATCH = 'What is in this picture?', 'Transcribe the speech.', 'What does the counter show, and what is said?'
SEEN, HEARD, WATCHED = 'a blue star and the number 42 in orange', 'yellow bird up', '17 18 19 20; go left'
# Here the model takes the number for further left; transformers answers the same.
BOTH, SEEN_AND_HEARD = 'What do you see and what is said?', 'a blue star and the number 42 in orange; yellow bird up'


class MediaTest(support.CliTest):
    def ask(self, *args, command='run', **kwargs):
        done = self.gemma3n(command, '--model', MODEL, '--temperature', 0, '--max-tokens', 40, *args, **kwargs)
        return done.stdout.decode().rstrip('\n'), done.stderr.decode()

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def messages(self, *parts):
        content = [{'type': 'text', 'text': p} if isinstance(p, str) else {'type': p[0], 'path': str(p[1])} for p in parts]
        return self.write('messages.json', json.dumps([{'role': 'user', 'content': content}]).encode())


class AnswerTest(MediaTest):
    def test_reads_a_picture_in_every_precision(self):
        for precision in ('auto', 'f32', 'bf16', 'int8'):
            self.assertEqual(self.ask('--image', PICTURE, '--prompt', LOOK, '--media-precision', precision), (SEEN, ''), precision)

    def test_hears_a_clip(self):
        self.assertEqual(self.ask('--audio', SPEECH, '--prompt', LISTEN), (HEARD, ''))

    def test_watches_a_video(self):
        self.assertEqual(self.ask('--video', VIDEO, '--prompt', WATCH), (WATCHED, ''))

    def test_every_kernel_table(self):
        """All media, with the arithmetic that other processors have, as their users run it."""
        refusal = self.fails('run', '--model', MODEL, '--prompt', 'x', env=os.environ | {'GEMMA3N_KERNELS': 'none'})
        tables = re.search('expected one of (.*), found', refusal).group(1).split(', ')
        self.assertIn('reference', tables)
        for table in set(tables) - {'reference'}:
            for ask, answer in ((('--image', PICTURE, '--audio', SPEECH, '--prompt', BOTH), SEEN_AND_HEARD),
                                (('--video', VIDEO, '--prompt', WATCH), WATCHED)):
                self.assertEqual(self.ask(*ask, env=os.environ | {'GEMMA3N_KERNELS': table}), (answer, ''), table)

    def test_pictures_and_sound_together(self):
        both = ('--image', PICTURE, '--audio', SPEECH, '--prompt')
        self.assertEqual(self.ask(*both, LOOK)[0], SEEN)
        self.assertEqual(self.ask(*both, 'What is said?')[0], HEARD)
        self.assertEqual(self.ask(*both, BOTH)[0], SEEN_AND_HEARD)

    def test_a_picture_at_every_size(self):
        """The model knows 256 pixels; here the larger sizes only have to give an answer."""
        self.assertEqual(self.ask('--image', PICTURE, '--image-size', 256, '--prompt', LOOK)[0], SEEN)
        for size in (512, 768):
            self.assertTrue(self.ask('--image', PICTURE, '--image-size', size, '--prompt', LOOK)[0])

    def test_the_contents_of_a_data_url(self):
        url = 'data:image/png;base64,' + base64.b64encode(PICTURE.read_bytes()).decode()
        self.assertEqual(self.ask('--messages', self.messages(('image', url), LOOK))[0], SEEN)

    def test_the_format_is_what_the_file_holds(self):
        misnamed = self.folder / 'picture.jpg'
        shutil.copyfile(PICTURE, misnamed)
        self.assertEqual(self.ask('--image', misnamed, '--prompt', LOOK)[0], SEEN)

    def test_order_is_the_command_lines(self):
        def prompt(*args):
            return self.gemma3n('logits', '--model', MODEL, '--chat', '--prompt', 'x', *args, '--output', '-').stdout
        mixed = prompt('--audio', SPEECH, '--image', PICTURE)
        self.assertNotEqual(mixed, prompt('--image', PICTURE, '--audio', SPEECH))
        self.assertEqual(mixed, self.gemma3n('logits', '--model', MODEL, '--output', '-', '--messages', self.messages(
            ('audio', SPEECH), ('image', PICTURE), 'x')).stdout)

    def test_raw_prompts_say_where(self):
        turn = '<start_of_turn>user\n<image_soft_token>' + LOOK + '<end_of_turn>\n<start_of_turn>model\n'
        self.assertEqual(self.ask('--raw', '--prompt', turn, '--image', PICTURE)[0], SEEN)
        self.fails('run', '--model', MODEL, '--raw', '--prompt', turn, words=['1 placeholders', 'found 1'][1:])
        self.fails('run', '--model', MODEL, '--raw', '--prompt', 'no place', '--image', PICTURE, words=['found 0'])

    def test_words_cannot_pass_for_media(self):
        self.fails('run', '--model', MODEL, '--prompt', 'a <image_soft_token>', words=['<image_soft_token>', 'attach'])


class VideoTest(MediaTest):
    def test_frames_are_thinned_to_the_context(self):
        answer, said = self.ask('--video', VIDEO, '--prompt', WATCH, '--context', 1500)
        self.assertIn('2 of 4 frames are read, every 2 s', said)
        self.assertTrue(answer)

    def test_no_room_for_one_frame(self):
        self.fails('run', '--model', MODEL, '--video', VIDEO, '--prompt', WATCH, '--context', 600, words=['video.mp4', 'room'])

    def test_frame_rate(self):
        def tokens(*args):
            out = self.run_json('--video', VIDEO, '--prompt', WATCH, '--max-tokens', 1, *args, model=MODEL)
            return out['stats']['prompt_tokens']
        once, half, twice = tokens(), tokens('--video-fps', 0.5), tokens('--video-fps', 2)
        self.assertEqual(round((twice - once) / 4 / 260, 1), round((once - half) / 2 / 260, 1))


class TranscribeTest(MediaTest):
    def pcm(self):
        with wave.open(str(SPEECH), 'rb') as f:
            return f.readframes(f.getnframes())

    def long(self):
        """Some seconds: the clip, silence, and the clip again."""
        path = self.folder / 'long.wav'
        with wave.open(str(path), 'wb') as f:
            f.setnchannels(1)
            f.setsampwidth(2)
            f.setframerate(16000)
            clip = self.pcm()
            f.writeframes(clip + bytes(2 * 16000) + clip)
        return path

    def transcribe(self, *args, stdin=b''):
        return self.gemma3n('transcribe', '--model', MODEL, '--prompt', LISTEN, *args, stdin=stdin).stdout.decode()

    def test_formats(self):
        self.assertEqual(self.transcribe(SPEECH), HEARD + '\n')
        seconds = (SPEECH.stat().st_size - 44) / 32000
        end = f'00:00:{seconds:06.3f}'
        self.assertEqual(self.transcribe(SPEECH, '--format', 'srt'),
                         f'1\n00:00:00,000 --> {end.replace(".", ",")}\n{HEARD}\n\n')
        self.assertEqual(self.transcribe(SPEECH, '--format', 'vtt'), f'WEBVTT\n\n00:00:00.000 --> {end}\n{HEARD}\n\n')

    def test_the_sound_of_a_video(self):
        self.assertEqual(self.transcribe(VIDEO), 'go left\n')

    def test_sound_of_any_length_in_clips(self):
        entries = self.transcribe(self.long(), '--format', 'srt', '--audio-window', 4).strip().split('\n\n')
        self.assertEqual(len(entries), 2)
        self.assertEqual([entry.split('\n')[2] for entry in entries], [HEARD, HEARD])
        self.assertEqual(entries[0].split('\n')[1].split(' --> ')[1], entries[1].split('\n')[1].split(' --> ')[0])

    def test_raw_samples_from_a_pipe(self):
        self.assertEqual(self.transcribe('-', stdin=self.pcm()), HEARD + '\n')

    def test_a_pipe_is_written_down_as_it_goes(self):
        """The first clip's words come while the sender is still there."""
        process = support.start('transcribe', '--model', MODEL, '--prompt', LISTEN, '--audio-window', 4, '-')
        clip = self.pcm()
        process.stdin.write(clip + bytes(2 * 16000 * 5 - len(clip)))
        process.stdin.flush()
        self.assertEqual(process.stdout.readline().decode(), HEARD + '\n')
        self.assertIsNone(process.poll())
        process.stdin.close()
        self.assertEqual(process.wait(60), 0)
        process.stdout.close()
        process.stderr.close()

    def test_bad_input(self):
        for name, data, words in (('empty.wav', b'', ['empty.wav']), ('text.mp3', b'just words ' * 50, ['text.mp3'])):
            self.fails('transcribe', '--model', MODEL, self.write(name, data), words=words)
        self.fails('transcribe', '--model', MODEL, self.folder / 'none.wav', words=['none.wav', 'no such file'])


class BadMediaTest(MediaTest):
    def refused(self, option, path, *words):
        return self.fails('run', '--model', MODEL, option, path, '--prompt', 'x', words=[path.name, *words])

    def test_pictures(self):
        data = PICTURE.read_bytes()
        self.refused('--image', self.write('cut.png', data[:500]), 'ends early')
        self.refused('--image', self.write('empty.png', b''))
        self.refused('--image', self.write('words.png', b'no picture at all'), 'expected JPEG, PNG')
        self.refused('--image', self.folder / 'none.png', 'no such file')
        self.refused('--image', SPEECH, 'expected JPEG, PNG')
        self.refused('--image', self.folder, '')
        vast = bytearray(data)
        vast[16:24] = struct.pack('>II', 60000, 60000)
        vast[29:33] = struct.pack('>I', zlib.crc32(bytes(vast[12:29])))
        started = time.monotonic()
        self.refused('--image', self.write('vast.png', bytes(vast)), '60000')
        self.assertLess(time.monotonic() - started, 10)

    def test_sound_and_video(self):
        self.refused('--audio', PICTURE, 'expected sound')
        self.refused('--video', SPEECH, 'expected a video')
        self.refused('--video', self.write('words.mp4', b'no video at all' * 20))
        self.refused('--video', self.write('cut.mp4', VIDEO.read_bytes()[:3000]))

    def test_a_checkpoint_without_towers(self):
        self.fails('run', '--model', self.model, '--image', PICTURE, '--prompt', 'x', words=['expected a picture tower'])
        self.fails('run', '--model', self.model, '--audio', SPEECH, '--prompt', 'x', words=['expected a sound tower'])


class ChatTest(MediaTest):
    def test_a_picture_is_asked_about_twice_and_read_once(self):
        lines = f'/image {PICTURE}\n{LOOK}\n/audio {SPEECH}\n{LISTEN}\n/save {self.folder}/talk.json\n'
        done = self.gemma3n('chat', '--model', MODEL, '--temperature', 0, '--max-tokens', 40, '--stats', stdin=lines)
        self.assertEqual(done.stdout.decode(), f'{SEEN}\n{HEARD}\n')
        prompts = [line.split() for line in done.stderr.decode().splitlines() if line.startswith('prompt')]
        self.assertGreater(int(prompts[1][3]), int(prompts[0][1]))  # the second turn found the first in the cache
        saved = json.loads((self.folder / 'talk.json').read_text())['messages']
        self.assertEqual(saved[0]['content'], [{'type': 'image', 'path': str(PICTURE)}, {'type': 'text', 'text': LOOK}])
        again = f'/load {self.folder}/talk.json\n/image {PICTURE}\n{LOOK}\n'
        done = self.gemma3n('chat', '--model', MODEL, '--temperature', 0, '--max-tokens', 40, stdin=again)
        self.assertTrue(done.stdout)

    def test_a_bad_picture_does_not_end_the_conversation(self):
        cut = self.write('cut.png', PICTURE.read_bytes()[:500])
        chat = Terminal('chat', '--model', MODEL, '--temperature', 0, '--max-tokens', 40, '--no-history')
        chat.expect(b'> ')
        chat.send(f'/image {cut}\n'.encode())
        chat.expect(b'ends early')
        chat.send(b'/image\n')
        chat.expect(b'expected a file name')
        chat.send(f'/image {PICTURE}\n'.encode())
        chat.expect(b'goes with the next message')
        chat.send(LOOK.encode() + b'\n')
        chat.expect(SEEN.encode())
        chat.send(b'/exit\n')
        self.assertEqual(chat.finish(), 0)


if __name__ == '__main__':
    unittest.main()
