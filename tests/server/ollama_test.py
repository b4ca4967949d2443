"""Ollama's API: the official client against gemma3n serve with models/tiny."""
import base64
import json
import unittest

import support

try:
    import ollama
except ImportError:
    ollama = None

MEDIA = support.EXAMPLES / 'media'
GREEDY = {'temperature': 0, 'num_predict': 60}
REPEAT = 'Repeat: red star blue ring'  # the tiny model can
ANSWER = 'red star blue ring'


def user(words, **more):
    return [{'role': 'user', 'content': words, **more}]


@unittest.skipIf(ollama is None, 'needs the ollama client: tools/install_deps.sh clients')
class OllamaTest(support.ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = ollama.Client(host=cls.server.url)

    def chat(self, messages, options=GREEDY, model='tiny', **kwargs):
        return self.client.chat(model, messages=messages, options=options, **kwargs)

    def generate(self, prompt, options=GREEDY, **kwargs):
        return self.client.generate('tiny', prompt, options=options, **kwargs)

    def test_chat(self):
        answer = self.chat(user(REPEAT))
        self.assertEqual((answer.message.role, answer.message.content), ('assistant', ANSWER))
        self.assertEqual((answer.done, answer.done_reason, answer.eval_count), (True, 'stop', 4))
        self.assertGreater(answer.prompt_eval_count, 10)
        self.assertGreater(answer.total_duration, answer.eval_duration)
        self.assertGreater(answer.prompt_eval_duration, 0)
        self.assertEqual(self.chat(user(REPEAT), model='tiny:latest').message.content, ANSWER)

    def test_chat_streams(self):
        parts = list(self.chat(user(REPEAT), stream=True))
        self.assertEqual(''.join(part.message.content for part in parts), ANSWER)
        self.assertGreater(len(parts), 3)
        self.assertEqual([part.done for part in parts], [False] * (len(parts) - 1) + [True])
        self.assertEqual(parts[-1].done_reason, 'stop')

    def test_streams_unless_told_otherwise(self):
        status, headers, body = self.server.post('/api/chat', {'model': 'tiny', 'messages': user(REPEAT), 'options': GREEDY})
        self.assertEqual((status, headers['content-type']), (200, 'application/x-ndjson'))
        lines = [json.loads(line) for line in body.splitlines()]
        self.assertEqual(''.join(line['message']['content'] for line in lines), ANSWER)

    def test_media(self):
        picture = self.chat(user('What is in this picture?', images=[str(MEDIA / 'picture.png')]))
        self.assertEqual(picture.message.content, 'a blue star and the number 42 in orange')
        sound = base64.b64encode((MEDIA / 'speech.wav').read_bytes()).decode()
        answer = self.server.json('POST', '/api/chat', {
            'model': 'tiny', 'stream': False, 'options': GREEDY, 'messages': user('Transcribe the speech.', audios=[sound])})
        self.assertEqual(answer['message']['content'], 'yellow bird up')
        generated = self.generate('What is in this picture?', images=[(MEDIA / 'picture.png').read_bytes()])
        self.assertIn('blue star', generated.response)
        self.assertIsNone(generated.context)  # ids alone would not tell the picture

    def test_options(self):
        short = self.chat(user(REPEAT), options={'temperature': 0, 'num_predict': 2})
        self.assertEqual((short.message.content, short.done_reason), ('red star', 'length'))
        stopped = self.chat(user(REPEAT), options={**GREEDY, 'stop': [' blue']})
        self.assertEqual((stopped.message.content, stopped.done_reason), ('red star', 'stop'))
        warm = {'temperature': 5, 'top_k': 0, 'top_p': 1, 'num_predict': 10}
        one, same, other = (self.chat(user(REPEAT), options={**warm, 'seed': seed}).message.content for seed in (1, 1, 2))
        self.assertEqual(one, same)
        self.assertNotEqual(one, other)

    def test_generate(self):
        answer = self.generate(REPEAT)
        self.assertEqual((answer.response, answer.done_reason), (ANSWER, 'stop'))
        again = self.generate('Repeat: green fish', context=answer.context)
        self.assertEqual(again.response, 'green fish')
        # The same conversation in one piece has the same ids.
        chat = self.chat(user(REPEAT) + [{'role': 'assistant', 'content': ANSWER}] + user('Repeat: green fish'))
        self.assertEqual(chat.message.content, 'green fish')
        self.assertEqual(chat.prompt_eval_count, again.prompt_eval_count)
        self.assertEqual(''.join(part.response for part in self.generate(REPEAT, stream=True)), ANSWER)

    def test_generate_raw(self):
        prompt = f'<start_of_turn>user\n{REPEAT}<end_of_turn>\n<start_of_turn>model\n'
        answer = self.generate(prompt, raw=True)
        self.assertEqual(answer.response, ANSWER)
        self.assertEqual(answer.prompt_eval_count, self.generate(REPEAT).prompt_eval_count)
        self.assertEqual(self.generate('').done_reason, 'load')

    def test_goes_on_after_an_answers_beginning(self):
        answer = self.chat(user(REPEAT) + [{'role': 'assistant', 'content': 'red star'}])
        self.assertEqual(answer.message.content, ' blue ring')

    def test_logprobs(self):
        answer = self.chat(user(REPEAT), logprobs=True, top_logprobs=2)
        self.assertEqual([entry.token for entry in answer.logprobs], ['red', ' star', ' blue', ' ring'])
        for entry in answer.logprobs:
            self.assertLessEqual(entry.logprob, 0)
            self.assertEqual(len(entry.top_logprobs), 2)
            self.assertEqual(entry.top_logprobs[0].token, entry.token)  # greedy
        streamed = [entry for part in self.chat(user(REPEAT), logprobs=True, top_logprobs=2, stream=True)
                    for entry in part.logprobs or []]
        self.assertEqual([entry.token for entry in streamed], [entry.token for entry in answer.logprobs])

    def test_formats(self):
        schema = {'type': 'object', 'properties': {'colour': {'enum': ['red', 'blue']}}, 'required': ['colour'],
                  'additionalProperties': False}
        answer = self.chat(user('A colour?'), format=schema, options={'temperature': 0, 'num_predict': 200})
        self.assertIn(json.loads(answer.message.content), ({'colour': 'red'}, {'colour': 'blue'}))

    def test_tools_are_told(self):
        tool = {'type': 'function', 'function': {'name': 'weather', 'description': 'Says it',
                                                 'parameters': {'type': 'object', 'properties': {}}}}
        plain, told = self.chat(user(REPEAT)), self.chat(user(REPEAT), tools=[tool])
        self.assertGreater(told.prompt_eval_count, plain.prompt_eval_count + 50)

    def test_what_is_served(self):
        self.assertEqual([model.model for model in self.client.list().models], ['tiny'])
        self.assertEqual(self.client.ps().models[0].context_length, 8192)
        shown = self.client.show('tiny')
        self.assertEqual(shown.details.family, 'gemma3n')
        self.assertEqual(set(shown.capabilities), {'completion', 'tools', 'vision', 'audio'})
        self.assertRegex(self.server.json('GET', '/api/version')['version'], r'^\d+\.\d+\.\d+$')

    def test_errors(self):
        with self.assertRaises(ollama.ResponseError) as caught:
            self.chat(user('Hi'), model='llama3')
        self.assertEqual(caught.exception.status_code, 404)
        self.assertIn('llama3', caught.exception.error)
        for call, words in ((lambda: self.chat(user('x ' * 20000)), 'context|tokens'),
                            (lambda: self.chat(user('Hi'), think=True), 'does not support thinking'),
                            (lambda: self.generate('Hi', suffix='x'), 'suffix'),
                            (lambda: self.generate('Hi', images=[b'no picture']), 'picture|image'),
                            (lambda: list(self.chat(user('x ' * 20000), stream=True)), 'context|tokens')):
            with self.assertRaisesRegex(ollama.ResponseError, words) as caught:
                call()
            self.assertEqual(caught.exception.status_code, 400)


if __name__ == '__main__':
    unittest.main()
