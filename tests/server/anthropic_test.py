"""Anthropic's Messages API: the official client against gemma3n serve with models/tiny."""
import base64
import json
import unittest

import support

try:
    import anthropic
except ImportError:
    anthropic = None

MEDIA = support.EXAMPLES / 'media'
GREEDY = {'temperature': 0}
REPEAT = 'Repeat: red star blue ring'  # the tiny model can
WEATHER = {'name': 'weather', 'description': 'Says what the weather is.',
           'input_schema': {'type': 'object', 'properties': {'days': {'enum': [1, 2]}}, 'required': ['days'],
                            'additionalProperties': False}}


def base64_of(name):
    return base64.b64encode((MEDIA / name).read_bytes()).decode()


def user(*content):
    return [{'role': 'user', 'content': content[0] if len(content) == 1 else list(content)}]


def text(words):
    return {'type': 'text', 'text': words}


@unittest.skipIf(anthropic is None, 'needs the anthropic client: tools/install_deps.sh clients')
class AnthropicTest(support.ServerTest):
    ARGS = ('--media-folder', support.EXAMPLES)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = anthropic.Anthropic(base_url=cls.server.url, api_key='any', max_retries=0)

    def create(self, messages, max_tokens=60, body=GREEDY, **kwargs):
        return self.client.messages.create(model='tiny', max_tokens=max_tokens, messages=messages,
                                           extra_body=body, **kwargs)

    def said(self, *content, **kwargs):
        message = self.create(user(*content), **kwargs)
        self.assertEqual([block.type for block in message.content], ['text'])
        return message.content[0].text

    def test_text(self):
        message = self.create(user(REPEAT))
        self.assertEqual(message.content[0].text, 'red star blue ring')
        self.assertEqual((message.role, message.model, message.stop_reason), ('assistant', 'tiny', 'end_turn'))
        self.assertRegex(message.id, '^msg_')
        self.assertEqual(message.usage.output_tokens, 4)
        count = self.client.messages.count_tokens(model='tiny', messages=user(REPEAT)).input_tokens
        self.assertEqual(message.usage.input_tokens + message.usage.cache_read_input_tokens, count)

    def test_limits_of_the_answer(self):
        short = self.create(user(REPEAT), max_tokens=2)
        self.assertEqual((short.content[0].text, short.stop_reason), ('red star', 'max_tokens'))
        stopped = self.create(user(REPEAT), stop_sequences=[' blue', 'zebra'])
        self.assertEqual((stopped.content[0].text, stopped.stop_reason, stopped.stop_sequence),
                         ('red star', 'stop_sequence', ' blue'))

    def test_picture_and_sound(self):
        picture = {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': base64_of('picture.png')}}
        self.assertEqual(self.said(picture, text('What is in this picture?')), 'a blue star and the number 42 in orange')
        sound = {'type': 'audio', 'source': {'type': 'base64', 'media_type': 'audio/wav', 'data': base64_of('speech.wav')}}
        self.assertEqual(self.said(sound, text('Transcribe the speech.')), 'yellow bird up')

    def test_media_by_url(self):
        def ask(url):
            return self.said({'type': 'image', 'source': {'type': 'url', 'url': url}}, text('What is in this picture?'))
        self.assertIn('blue star', ask(f'file://{MEDIA}/picture.png'))
        self.assertIn('blue star', ask('data:image/png;base64,' + base64_of('picture.png')))
        for url, words in (('https://example.org/a.png', '--allow-remote-media'), ('file:///etc/hostname', 'allows media'),
                           (f'file://{MEDIA}/absent.png', 'no such file')):
            with self.assertRaisesRegex(anthropic.BadRequestError, words):
                ask(url)

    def test_stream(self):
        with self.client.messages.stream(model='tiny', max_tokens=60, messages=user(REPEAT), extra_body=GREEDY) as stream:
            pieces = list(stream.text_stream)
            message = stream.get_final_message()
        self.assertEqual(''.join(pieces), 'red star blue ring')
        self.assertGreater(len(pieces), 2)
        self.assertEqual(message.content[0].text, 'red star blue ring')
        self.assertEqual(message.stop_reason, 'end_turn')
        self.assertEqual(message.usage.output_tokens, 4)

    def test_events_of_a_stream(self):
        body = {'model': 'tiny', 'max_tokens': 2, 'messages': user(REPEAT), 'stream': True, 'temperature': 0}
        events = list(self.server.events('/v1/messages', body, {'anthropic-version': '2023-06-01'}))
        names = [name for name, _ in events]
        self.assertEqual(names, ['message_start', 'ping', 'content_block_start'] + ['content_block_delta'] * (len(names) - 6)
                         + ['content_block_stop', 'message_delta', 'message_stop'])
        for name, data in events:
            self.assertEqual(json.loads(data)['type'], name)
        self.assertEqual(json.loads(events[-2][1])['delta'], {'stop_reason': 'max_tokens', 'stop_sequence': None})

    def test_the_prompt_is_cached(self):
        question = user('Repeat: ' + ' '.join(['green ring blue bird'] * 20))
        first, again = self.create(question), self.create(question)
        self.assertEqual(first.content, again.content)
        self.assertGreater(again.usage.cache_read_input_tokens, 20)
        self.assertEqual(first.usage.input_tokens + first.usage.cache_read_input_tokens,
                         again.usage.input_tokens + again.usage.cache_read_input_tokens)

    def test_goes_on_after_an_answers_beginning(self):
        beginning = {'role': 'assistant', 'content': 'red star'}
        message = self.create(user(REPEAT) + [beginning])
        self.assertEqual(message.content[0].text, ' blue ring')

    def test_system_and_turns(self):
        messages = user(REPEAT) + [{'role': 'assistant', 'content': [text('red star blue ring')]}] + user('Repeat: green fish')
        self.assertEqual(self.create(messages).content[0].text, 'green fish')
        with_system = self.client.messages.count_tokens(model='tiny', messages=messages, system='Be brief.').input_tokens
        self.assertGreater(with_system, self.client.messages.count_tokens(model='tiny', messages=messages).input_tokens)

    def test_a_tool_that_must_be_called(self):
        for choice in ({'type': 'any', 'disable_parallel_tool_use': True}, {'type': 'tool', 'name': 'weather',
                                                                            'disable_parallel_tool_use': True}):
            message = self.create(user('Weather?'), max_tokens=200, tools=[WEATHER], tool_choice=choice)
            self.assertEqual(message.stop_reason, 'tool_use')
            call = message.content[-1]
            self.assertEqual((call.type, call.name), ('tool_use', 'weather'))
            self.assertIn(call.input, ({'days': 1}, {'days': 2}))
        with self.client.messages.stream(model='tiny', max_tokens=200, messages=user('Weather?'), tools=[WEATHER],
                                         tool_choice=choice, extra_body=GREEDY) as stream:
            streamed = stream.get_final_message()
        self.assertEqual(streamed.stop_reason, 'tool_use')
        self.assertEqual((streamed.content[-1].name, streamed.content[-1].input), (call.name, call.input))
        # Its result comes back in the next turn.
        again = self.create(user('Weather?') + [
            {'role': 'assistant', 'content': message.content},
            {'role': 'user', 'content': [{'type': 'tool_result', 'tool_use_id': call.id, 'content': 'rain'}, text(REPEAT)]}],
            tools=[WEATHER], tool_choice={'type': 'none'})
        self.assertEqual(again.content[0].type, 'text')

    def test_schema(self):
        schema = {'type': 'object', 'properties': {'colour': {'enum': ['red', 'blue']}}, 'required': ['colour'],
                  'additionalProperties': False}
        message = self.create(user('A colour?'), max_tokens=200,
                              output_config={'format': {'type': 'json_schema', 'schema': schema}})
        self.assertIn(json.loads(message.content[0].text), ({'colour': 'red'}, {'colour': 'blue'}))

    def test_models(self):
        listed = self.client.models.list()
        self.assertEqual([model.id for model in listed], ['tiny'])
        self.assertEqual((listed.data[0].type, listed.data[0].display_name), ('model', 'tiny'))
        self.assertEqual(self.client.models.retrieve('tiny'), listed.data[0])
        with self.assertRaises(anthropic.NotFoundError):
            self.client.models.retrieve('claude')

    def test_errors(self):
        with self.assertRaises(anthropic.NotFoundError) as caught:
            self.client.messages.create(model='claude', max_tokens=5, messages=user('Hi'))
        self.assertEqual(caught.exception.body['error']['type'], 'not_found_error')
        for messages, words in ((user({'type': 'image', 'source': {'type': 'base64', 'data': 'aGk='}}, text('?')), 'picture|image'),
                                ([], 'messages'), ([{'role': 'robot', 'content': 'x'}], 'role'),
                                (user('x ' * 20000), 'context|tokens')):
            with self.assertRaisesRegex(anthropic.BadRequestError, words) as caught:
                self.create(messages)
            self.assertEqual(caught.exception.body['type'], 'error')
            self.assertEqual(caught.exception.body['error']['type'], 'invalid_request_error')
        with self.assertRaisesRegex(anthropic.BadRequestError, 'max_tokens'):
            self.create(user('Hi'), max_tokens=0)


@unittest.skipIf(anthropic is None, 'needs the anthropic client: tools/install_deps.sh clients')
class KeyTest(unittest.TestCase):
    def test_keys(self):
        with support.tempfile.NamedTemporaryFile('w') as keys:
            keys.write('someone: secret-key\n')
            keys.flush()
            with support.Server('--api-key-file', keys.name) as server:
                good = anthropic.Anthropic(base_url=server.url, api_key='secret-key', max_retries=0)
                self.assertEqual(good.messages.count_tokens(model='tiny', messages=user('Hi')).input_tokens > 3, True)
                bad = anthropic.Anthropic(base_url=server.url, api_key='other', max_retries=0)
                with self.assertRaises(anthropic.AuthenticationError) as caught:
                    bad.messages.create(model='tiny', max_tokens=5, messages=user('Hi'))
                self.assertEqual(caught.exception.body['error']['type'], 'authentication_error')


if __name__ == '__main__':
    unittest.main()
