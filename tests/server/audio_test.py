"""OpenAI's audio API: the official client against gemma3n serve with models/tiny."""
import concurrent.futures
import io
import time
import unittest
import warnings
import wave

import support

try:
    import openai
except ImportError:
    openai = None

SPEECH = support.EXAMPLES / 'media' / 'speech.wav'
WORDS = 'yellow bird up'


def long_sound(times, pause=8):
    """The clip again and again with seconds of silence between, as a WAV file's bytes."""
    with wave.open(str(SPEECH)) as sound:
        params, samples = sound.getparams(), sound.readframes(sound.getnframes())
    out = io.BytesIO()
    with wave.open(out, 'wb') as sound:
        sound.setparams(params)
        for _ in range(times):
            sound.writeframes(samples + bytes(params.framerate * params.sampwidth * params.nchannels * pause))
    return out.getvalue()


@unittest.skipIf(openai is None, 'needs the openai client: tools/install_deps.sh clients')
class AudioTest(support.ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.audio = openai.OpenAI(base_url=cls.server.url + '/v1', api_key='any', max_retries=0).audio

    def transcribe(self, file=SPEECH, **kwargs):
        return self.audio.transcriptions.create(model='tiny', file=file, **kwargs)

    def test_json(self):
        answer = self.transcribe()
        self.assertEqual(answer.text, WORDS)
        self.assertEqual(answer.usage.type, 'tokens')
        self.assertEqual(answer.usage.output_tokens, 3)
        self.assertEqual(answer.usage.total_tokens, answer.usage.input_tokens + 3)
        self.assertGreater(answer.usage.input_tokens, 188)

    def test_formats(self):
        self.assertEqual(self.transcribe(response_format='text'), WORDS + '\n')
        self.assertEqual(self.transcribe(response_format='srt'), f'1\n00:00:00,000 --> 00:00:02,031\n{WORDS}\n\n')
        self.assertEqual(self.transcribe(response_format='vtt'), f'WEBVTT\n\n00:00:00.000 --> 00:00:02.031\n{WORDS}\n\n')

    def test_verbose(self):
        answer = self.transcribe(response_format='verbose_json', language='en', timestamp_granularities=['segment'])
        self.assertEqual((answer.text, answer.language, answer.duration), (WORDS, 'english', 2.031))
        segment, = answer.segments
        self.assertEqual((segment.id, segment.start, segment.end, segment.text), (0, 0, 2.031, WORDS))
        self.assertEqual(len(segment.tokens), 3)
        self.assertTrue(-5 < segment.avg_logprob < 0)

    def test_logprobs(self):
        answer = self.transcribe(include=['logprobs'])
        self.assertEqual(''.join(entry.token for entry in answer.logprobs), WORDS)
        self.assertEqual(bytes(map(int, answer.logprobs[1].bytes)), b' bird')
        self.assertTrue(all(-5 < entry.logprob <= 0 for entry in answer.logprobs))
        self.assertIsNone(self.transcribe().logprobs)
        done = list(self.transcribe(include=['logprobs'], stream=True))[-1]
        self.assertEqual(len(done.logprobs), 3)

    def test_stream(self):
        events = list(self.transcribe(stream=True))
        self.assertEqual([event.type for event in events],
                         ['transcript.text.delta'] * (len(events) - 1) + ['transcript.text.done'])
        self.assertEqual(''.join(event.delta for event in events[:-1]), WORDS)
        self.assertEqual(events[-1].text, WORDS)
        self.assertEqual(events[-1].usage.output_tokens, 3)

    def test_long_sound(self):
        sound = ('long.wav', long_sound(8))  # 80 s, 4 pauses in each window
        answer = self.transcribe(file=sound, response_format='verbose_json')
        self.assertGreaterEqual(len(answer.segments), 3)
        self.assertAlmostEqual(answer.duration, 8 * 10.031, delta=0.01)
        for before, after in zip(answer.segments, answer.segments[1:]):
            self.assertEqual(before.end, after.start)
            self.assertLessEqual(after.end - after.start, 30)
        self.assertIn('bird', answer.text)
        streamed = ''.join(event.delta for event in self.transcribe(file=sound, stream=True)
                           if event.type == 'transcript.text.delta')
        self.assertEqual(streamed.split(), answer.text.split())

    def test_the_command_says_the_same(self):
        path = support.pathlib.Path(self.enterContext(support.tempfile.TemporaryDirectory())) / 'long.wav'
        path.write_bytes(long_sound(5))
        command = support.subprocess.run(
            [support.BIN, 'transcribe', '--model', support.MODEL, '--threads', '1', path, '--format', 'vtt'],
            stdout=support.subprocess.PIPE, check=True)
        self.assertEqual(self.transcribe(file=path, response_format='vtt'), command.stdout.decode())

    def test_a_films_sound(self):
        answer = self.transcribe(file=support.EXAMPLES / 'media' / 'video.mp4')
        self.assertRegex(answer.text, '^[a-z]+( [a-z]+)*$')

    def test_translation(self):
        with open(SPEECH, 'rb') as file, warnings.catch_warnings(action='ignore', category=DeprecationWarning):
            answer = self.audio.translations.create(model='tiny', file=file, response_format='verbose_json')
        self.assertEqual((answer.task, answer.language), ('translate', 'english'))

    def test_errors(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.audio.transcriptions.create(model='whisper-1', file=SPEECH)
        self.assertEqual((caught.exception.code, caught.exception.param), ('model_not_found', 'model'))
        for kwargs, words in (({'file': ('x.wav', b'no sound')}, 'x.wav'),
                              ({'file': support.EXAMPLES / 'media' / 'picture.png'}, 'picture.png'),
                              ({'language': '??'}, 'language'), ({'include': ['x']}, 'include'), ({'response_format': 'xml'}, 'response_format'),
                              ({'timestamp_granularities': ['word']}, 'single words'),
                              ({'stream': True, 'response_format': 'srt'}, 'stream')):
            with self.assertRaisesRegex(openai.BadRequestError, words) as caught:
                self.transcribe(**kwargs)
            self.assertEqual(caught.exception.type, 'invalid_request_error')

    def test_odd_forms(self):
        good = 'multipart/form-data; boundary=XX'
        for content_type, body in (('application/json', b'{}'), (good, b''), (good, b'--XX\r\n'), (good, b'\0' * 1000),
                                   ('multipart/form-data', b'--XX--'), (good, b'--XX--')):
            answer = self.server.json('POST', '/v1/audio/transcriptions', body, status=400,
                                      headers={'Content-Type': content_type})
            self.assertEqual(answer['error']['type'], 'invalid_request_error')

    def test_many_at_once(self):
        sounds = [('long.wav', long_sound(times)) for times in range(1, 9)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda sound: self.transcribe(file=sound).text, sounds))
        self.assertEqual(together, [self.transcribe(file=sound).text for sound in sounds])

    def test_a_client_that_goes(self):
        def asked():
            return self.server.metrics()['gemma3n_prompt_tokens_total']
        before = asked()
        stream = self.transcribe(file=('long.wav', long_sound(200)), stream=True)  # 2006 s: 67 clips or more
        next(iter(stream))
        stream.close()
        deadline = time.monotonic() + 20 * support.PATIENCE
        last, now = None, asked()
        while now != last and time.monotonic() < deadline:  # clips that are in the making end
            time.sleep(0.3)
            last, now = now, asked()
        self.assertEqual(now, last)
        self.assertLess(now - before, 67 * 188)

    def test_stops_in_the_middle(self):
        with support.Server('--drain-seconds', '0') as server:
            audio = openai.OpenAI(base_url=server.url + '/v1', api_key='any', max_retries=0).audio
            stream = audio.transcriptions.create(model='tiny', file=('long.wav', long_sound(120)), stream=True)
            next(iter(stream))
            server.stop()


if __name__ == '__main__':
    unittest.main()
