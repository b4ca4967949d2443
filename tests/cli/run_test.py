"""gemma3n run: prompts, options, output."""
import json
import math
import subprocess
import unittest

import support
from support import BIN


class RunTest(support.CliTest):
    def answer(self, *args, **kwargs):
        return self.gemma3n('run', '--model', self.model, '--max-tokens', 12, *args, **kwargs).stdout

    def test_answer_alone_on_stdout(self):
        done = self.gemma3n('run', '--model', self.model, '--prompt', 'the other', '--max-tokens', 12)
        self.assertTrue(done.stdout.endswith(b'\n'))
        self.assertEqual(done.stderr, b'')  # no progress, no statistics
        stats = self.gemma3n('run', '--model', self.model, '--prompt', 'the other', '--max-tokens', 12, '--stats')
        self.assertEqual(stats.stdout, done.stdout)
        for word in (b'prompt', b'answer', b'machine', b'tokens/s'):
            self.assertIn(word, stats.stderr)

    def test_prompt_sources_agree(self):
        words = 'the other thing\n\nthere @home'
        file = self.folder / 'prompt.txt'
        file.write_text(words)
        given = self.answer('--raw', '--prompt', words)
        self.assertEqual(self.answer('--raw', '--prompt', f'@{file}'), given)
        self.assertEqual(self.answer('--raw', '--prompt', '-', stdin=words), given)
        self.assertEqual(self.answer('--raw', '--prompt', '@@home'), self.answer('--raw', '--prompt', '-', stdin='@home'))

    def test_chat_template_is_the_default(self):
        text = '<start_of_turn>user\nthe other<end_of_turn>\n<start_of_turn>model\n'
        self.assertEqual(self.answer('--prompt', ' the other '), self.answer('--raw', '--prompt', text))
        system = '<start_of_turn>user\nbe terse\n\nthe other<end_of_turn>\n<start_of_turn>model\n'
        self.assertEqual(self.answer('--prompt', 'the other', '--system', 'be terse'), self.answer('--raw', '--prompt', system))

    def test_own_chat_template(self):
        template = self.folder / 'shout.jinja'
        template.write_text("{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}")
        self.assertEqual(self.answer('--prompt', 'the other', '--chat-template', template),
                         self.answer('--raw', '--prompt', 'user: the other\n'))

    def test_json_agrees_with_text(self):
        json = self.run_json('--prompt', 'the other', '--max-tokens', 12)
        self.assertEqual(len(json['tokens']), 12)
        self.assertEqual(json['stop_reason'], 'max tokens')
        self.assertEqual(json['stats']['generated_tokens'], 12)
        self.assertGreater(json['stats']['peak_resident_bytes'], 1 << 20)
        self.assertEqual((json['text'] + '\n').encode(), self.answer('--prompt', 'the other'))

    def test_ways_to_compute_agree(self):
        prompt = ['--prompt', 'the other thing that there is', '--max-tokens', 40]
        first = self.run_json(*prompt)['tokens']
        for option in (['--no-prefill-skip'], ['--prefill-chunk', 1], ['--prefill-chunk', 7], ['--threads', 2], ['--threads', 3], ['--context', 200]):
            self.assertEqual(self.run_json(*prompt, *option)['tokens'], first, option)

    def test_json_schema(self):
        schema = '{"type":"object","properties":{"a":{"type":"string","maxLength":9},"b":{"enum":["the","other"]}},"required":["a","b"]}'
        file = self.folder / 'schema.json'
        file.write_text(schema)
        hot = ['--prompt', 'the', '--temperature', 1, '--seed', 3, '--max-tokens', 150]
        given = self.run_json(*hot, '--json-schema', schema[:-1] + ',"additionalProperties":false}')
        self.assertEqual(given['stop_reason'], 'end')
        value = json.loads(given['text'])
        self.assertEqual(list(value), ['a', 'b'])
        self.assertLessEqual(len(value['a']), 9)
        self.assertIn(value['b'], ['the', 'other'])
        text = self.run_json('--prompt', 'the', '--max-tokens', 40, '--json-schema', f'@{file}')['text']
        self.assertTrue(text.startswith('{'), text)
        refused = self.gemma3n('run', '--model', self.model, '--prompt', 'the', '--json-schema', '{"not":{}}', code=1)
        self.assertIn(b'JSON Schema: #: "not" is not supported', refused.stderr)

    def test_seed_decides(self):
        hot = ['--prompt', 'the', '--temperature', 1.5, '--top-k', 0, '--top-p', 1, '--max-tokens', 30, '--ignore-end-tokens']
        one = self.run_json(*hot, '--seed', 7)['tokens']
        self.assertEqual(self.run_json(*hot, '--seed', 7)['tokens'], one)
        self.assertNotEqual(self.run_json(*hot, '--seed', 8)['tokens'], one)
        greedy = self.run_json('--prompt', 'the', '--max-tokens', 30, '--ignore-end-tokens')['tokens']
        one_choice = ['--prompt', 'the', '--max-tokens', 30, '--ignore-end-tokens', '--top-k', 1, '--temperature', 1]
        self.assertEqual(self.run_json(*one_choice)['tokens'], greedy)

    def test_stop_token_and_bias(self):
        tokens = self.run_json('--prompt', 'the', '--max-tokens', 12, '--ignore-end-tokens')['tokens']
        stopper = next(t for t in tokens if t != tokens[0])
        cut = self.run_json('--prompt', 'the', '--max-tokens', 12, '--ignore-end-tokens', '--stop-token', stopper)
        self.assertEqual(cut['tokens'], tokens[:tokens.index(stopper)])
        self.assertEqual(cut['stop_reason'], 'stop token')
        forced = self.run_json('--prompt', 'the', '--max-tokens', 3, '--logit-bias', '270=1000')
        self.assertEqual(forced['tokens'], [270] * 3)

    def test_stop_string(self):
        biased = ['--prompt', 'x', '--max-tokens', 9, '--logit-bias', '262=900']  # aaaaaaaaa
        self.assertEqual(self.run_json(*biased)['text'], 'a' * 9)
        cut = self.run_json(*biased, '--stop', 'zz', '--stop', 'aaa')
        self.assertEqual((cut['text'], cut['stop_reason']), ('', 'stop string'))

    def test_end_token_ends(self):
        done = self.run_json('--prompt', 'x', '--logit-bias', f'{support.END_OF_TURN}=1000')
        self.assertEqual((done['text'], done['tokens'], done['stop_reason']), ('', [], 'end'))

    def test_context_is_the_end(self):
        done = self.run_json('--prompt', 'x', '--context', 40, '--ignore-end-tokens')
        self.assertEqual(done['stop_reason'], 'context full')
        # The last token needs no place: nothing follows it.
        self.assertEqual(done['stats']['prompt_tokens'] + len(done['tokens']), 40 + 1)

    def test_logprobs_are_the_logits(self):
        exact = ('--precision', 'f32')  # auto multiplies few and many rows in different ways
        done = self.run_json('--raw', '--prompt', 'the other', '--max-tokens', 5, '--logprobs', 3, '--ignore-end-tokens', *exact)
        self.assertEqual([e['token'] for e in done['logprobs']], done['tokens'])
        ids = self.gemma3n('tokenize', '--model', self.model, '--bos', '--prompt', 'the other').stdout
        file = self.folder / 'ids.json'
        file.write_text(str(eval(ids) + done['tokens'][:-1]))
        rows = support.rows_of(*self.logits('--tokens', file, *exact))[-5:]
        for row, entry in zip(rows, done['logprobs']):
            total = math.log(sum(math.exp(x) for x in row))
            best = sorted(range(len(row)), key=lambda i: (-row[i], i))[:3]
            self.assertEqual([t['token'] for t in entry['top']], best)
            self.assertAlmostEqual(entry['logprob'], row[entry['token']] - total, places=4)
        plain = self.gemma3n('run', '--model', self.model, '--raw', '--prompt', 'the other', '--max-tokens', 5, '--logprobs', 0,
                             '--ignore-end-tokens')
        self.assertEqual(plain.stderr.count(b'"logprob"'), 5)

    def test_sizes_run(self):
        whole = self.run_json('--prompt', 'the', '--max-tokens', 8, '--logprobs', 0)
        narrow = self.run_json('--prompt', 'the', '--max-tokens', 8, '--logprobs', 0, '--mlp-width', 32)
        self.assertNotEqual(whole['logprobs'][0]['logprob'], narrow['logprobs'][0]['logprob'])
        listed = self.run_json('--prompt', 'the', '--max-tokens', 8, '--logprobs', 0, '--mlp-width', '32,32,32,32,32')
        self.assertEqual(listed['logprobs'], narrow['logprobs'])
        shallow = self.run_json('--prompt', 'the', '--max-tokens', 8, '--logprobs', 0, '--skip-layers', '1')
        self.assertNotEqual(whole['logprobs'][0]['logprob'], shallow['logprobs'][0]['logprob'])

    def test_usage_errors(self):
        base = ['run', '--model', self.model, '--prompt', 'x']
        for args, word in ((['run'], '--model is required'), (['run', '--model', 'x'], 'expected --prompt or --messages'), (['fly'], 'no such command: fly'),
                           (base + ['--temperature', '-1'], 'expected a number, 0 or more, found "-1"'),
                           (base + ['--top-p', '2'], 'from 0 to 1, found "2"'), (base + ['--seed', '1.5'], 'whole number'),
                           (base + ['--logit-bias', 'x=1'], 'ID=NUMBER'), (base + ['--bogus'], '--bogus'),
                           (base + ['--size', 'e2b', '--mlp-width', '32'], 'excludes'), (base + ['--threads', '0'], '1 to 1024'),
                           (base + ['--image-size', '300'], 'expected one of 256, 512, 768, found "300"'),
                           (base + ['--messages', 'x'], 'excludes')):
            self.fails(*args, words=[word], code=2)

    def test_help_and_version(self):
        self.assertRegex(self.gemma3n('--version').stdout, rb'^gemma3n \d+\.\d+\.\d+\n$')
        for command in ('', 'run', 'chat', 'transcribe', 'logits', 'perplexity', 'tokenize', 'bench', 'quantize', 'inspect', 'slice'):
            text = self.gemma3n(*([command] if command else []), '--help').stdout.decode()
            self.assertIn('Example', text)
            self.assertLessEqual(max(map(len, text.splitlines())), 120, command)
        done = self.gemma3n(code=2)
        self.assertIn(b'Usage: gemma3n', done.stderr)

    def test_closed_and_broken_stdout(self):
        closed = subprocess.run(['sh', '-c', f'exec "{BIN}" run --threads 1 --model "{self.model}" --prompt x >&-'],
                                stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(closed.returncode, 1)
        self.assertIn(b'standard output', closed.stderr)
        broken = subprocess.run(f'"{BIN}" run --threads 1 --model "{self.model}" --prompt x --ignore-end-tokens --logit-bias 262=900 | head -c 1',
                                shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((broken.stdout, broken.stderr), (b'a', b''))


if __name__ == '__main__':
    unittest.main()
