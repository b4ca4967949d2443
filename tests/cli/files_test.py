"""gemma3n logits, perplexity, tokenize, bench, inspect, quantize, slice."""
import array
import json
import math
import shutil
import subprocess
import unittest

import support
from support import BIN, FIXTURES


def floats(data):
    values = array.array('f')
    values.frombytes(data)
    return values


class LogitsTest(support.CliTest):
    def test_equal_to_the_reference(self):
        """The golden logits of every fixture that can be loaded with a tokenizer in its place, through the program."""
        expected = support.read_safetensors(FIXTURES / support.BASE / 'expected.safetensors')
        for prompt in ('prompt0', 'prompt1'):
            tokens = [int(t) for t in floats(expected[f'{prompt}/tokens'][2])]
            file = self.folder / 'tokens.json'
            file.write_text(json.dumps(tokens))
            shape, got = self.logits('--tokens', file, '--precision', 'f32')
            want = floats(expected[f'{prompt}/logits'][2])
            self.assertEqual(list(shape), expected[f'{prompt}/logits'][1])
            worst = max(abs(a - b) for a, b in zip(got, want))
            self.assertLessEqual(worst, 2e-5)

    def test_auto_is_near_float32(self):
        """Activations rounded for dot products: logits of a trained model within 2 % (root mean square) of float32's."""
        for kind in ('Q4_0', 'Q8_0'):
            model = self.folder / f'tiny-{kind}.gguf'
            self.gemma3n('quantize', '--model', support.SOURCE / 'models' / 'tiny', '--type', kind, '--output', model)
            prompt = ('--chat', '--prompt', 'The quick brown fox jumps over the lazy dog. What is said? One, two, three, and a red circle.')
            exact, auto = (self.logits(*prompt, '--precision', how, model=model) for how in ('f32', 'auto'))
            self.assertEqual(exact[0], auto[0])
            mean = sum(exact[1]) / len(exact[1])
            error = sum((a - b) ** 2 for a, b in zip(auto[1], exact[1])) / sum((b - mean) ** 2 for b in exact[1])
            self.assertLess(math.sqrt(error), 0.02, kind)

    def test_stdout_equals_file(self):
        shape, values = self.logits('--prompt', 'the other')
        out = self.gemma3n('logits', '--model', self.model, '--prompt', 'the other', '--output', '-').stdout
        self.assertEqual(support.parse_npy(out), (shape, values))

    def test_sources(self):
        ids = json.loads(self.gemma3n('tokenize', '--model', self.model, '--prompt', 'the other', '--bos').stdout)
        values = self.logits('--prompt', 'the other')
        piped = self.gemma3n('logits', '--model', self.model, '--tokens', '-', '--output', '-', stdin=json.dumps(ids)).stdout
        self.assertEqual(support.parse_npy(piped), values)
        self.assertEqual(self.logits('--prompt', '<bos>the other', '--no-bos'), values)
        chat = '<start_of_turn>user\nthe other<end_of_turn>\n<start_of_turn>model\n'
        self.assertEqual(self.logits('--prompt', 'the other', '--chat'), self.logits('--prompt', chat))

    def test_bad_tokens(self):
        file = self.folder / 'bad.json'
        out = self.folder / 'none.npy'
        for text, words in (('[1, 2', ['not JSON']), ('{}', ['object']), ('[1, "a"]', ['element 1']), ('[1.5]', ['element 0']),
                            ('[-1]', ['element 0']), ('[]', []), ('[2, 999999]', ['999999'])):
            file.write_text(text)
            self.fails('logits', '--model', self.model, '--tokens', file, '--output', out, words=words)
            self.assertFalse(out.exists())
        self.fails('logits', '--model', self.model, '--output', out, code=2)


class PerplexityTest(support.CliTest):
    TEXT = 'the other thing is that there is another thing and then the rest of it'

    def perplexity(self, *args):
        file = self.folder / 'text.txt'
        file.write_text(self.TEXT)
        return json.loads(self.gemma3n('perplexity', '--model', self.model, '--file', file, '--json', *args).stdout)

    def expected_nats(self, ids):
        """Sum over ids[1:] from our logits."""
        file = self.folder / 'ids.json'
        file.write_text(json.dumps(ids))
        rows = support.rows_of(*self.logits('--tokens', file))
        return sum(math.log(sum(math.exp(x) for x in row)) - row[t] for row, t in zip(rows, ids[1:]))

    def test_one_window(self):
        ids = json.loads(self.gemma3n('tokenize', '--model', self.model, '--prompt', self.TEXT, '--bos').stdout)
        got = self.perplexity()
        self.assertEqual((got['tokens'], got['windows'], got['bytes']), (len(ids) - 1, 1, len(self.TEXT)))
        mean = self.expected_nats(ids) / (len(ids) - 1)
        self.assertAlmostEqual(got['nats_per_token'], mean, places=5)
        self.assertAlmostEqual(got['perplexity'], math.exp(mean), delta=1e-4 * math.exp(mean))
        self.assertAlmostEqual(got['bits_per_byte'], mean * (len(ids) - 1) / math.log(2) / len(self.TEXT), places=5)

    def test_windows_count_each_token_once(self):
        ids = json.loads(self.gemma3n('tokenize', '--model', self.model, '--prompt', self.TEXT).stdout)
        got = self.perplexity('--window', 11)  # <bos> and ten
        windows = [[2] + ids[i:i + 10] for i in range(0, len(ids), 10)]
        self.assertEqual((got['tokens'], got['windows']), (len(ids), len(windows)))
        self.assertAlmostEqual(got['nats_per_token'], sum(map(self.expected_nats, windows)) / len(ids), places=5)
        overlap = self.perplexity('--window', 11, '--stride', 3)
        self.assertEqual(overlap['tokens'], len(ids))
        self.assertGreater(overlap['windows'], got['windows'])

    def test_refusals(self):
        self.fails('perplexity', '--model', self.model, '--file', '-', words=['some tokens'])
        self.fails('perplexity', '--model', self.model, '--file', '-', '--window', 11, '--stride', 12, stdin='the', words=['--stride'])
        self.fails('perplexity', '--model', self.model, '--file', '-', stdin=b'ab\xff', words=['0xff', 'offset 2'])


class TokenizeTest(support.CliTest):
    LINES = ['the other', '', 'a  b', 'é 🙂 漢', '<end_of_turn>', 'tab\tline\nend', '\u2581']

    def test_json_lines(self):
        text = ''.join(json.dumps(line) + '\n' for line in self.LINES)
        raw = ''.join(json.dumps(line, ensure_ascii=False) + '\n' for line in self.LINES)
        done = self.gemma3n('tokenize', '--model', self.model, '--jsonl', stdin=text).stdout
        self.assertEqual(self.gemma3n('tokenize', '--model', self.model, '--jsonl', stdin=raw.rstrip('\n')).stdout, done)
        ids = [json.loads(line) for line in done.decode().splitlines()]
        self.assertEqual(len(ids), len(self.LINES))
        self.assertEqual(ids[1], [])
        self.assertEqual(ids[4], [support.END_OF_TURN])
        with_bos = self.gemma3n('tokenize', '--model', self.model, '--jsonl', '--bos', stdin=text).stdout
        self.assertEqual([json.loads(line) for line in with_bos.decode().splitlines()], [[2] + i for i in ids])
        back = self.gemma3n('tokenize', '--model', self.model, '--jsonl', '--decode', '--keep-special', stdin=done).stdout
        decoded = [json.loads(line) for line in back.decode().splitlines()]
        self.assertEqual(decoded[:-1], self.LINES[:-1])
        self.assertEqual(decoded[-1], ' ')  # the piece for a space

    def test_tokenizer_file_alone(self):
        file = self.folder / 'tokenizer.json'
        shutil.copyfile(self.model / 'tokenizer.json', file)
        one = self.gemma3n('tokenize', '--model', file, '--prompt', 'the other').stdout
        self.assertEqual(one, self.gemma3n('tokenize', '--model', self.model, '--prompt', 'the other').stdout)
        pieces = self.gemma3n('tokenize', '--model', file, '--pieces', stdin='the x').stdout.decode()
        self.assertEqual([json.loads(line.split(None, 1)[1]) for line in pieces.splitlines()], ['the', '\u2581', 'x'])
        self.assertEqual(self.gemma3n('tokenize', '--model', file, '--decode', '--prompt', one.decode()).stdout, b'the other\n')

    def test_plain(self):
        ids = json.loads(self.gemma3n('tokenize', '--model', self.model, '--plain', '--prompt', '<bos>').stdout)
        self.assertGreater(len(ids), 1)

    def test_answers_line_by_line(self):
        process = support.start('tokenize', '--model', self.model, '--jsonl')
        try:
            for line in ('"the"', '"other"'):
                process.stdin.write(line.encode() + b'\n')
                process.stdin.flush()
                self.assertIsInstance(json.loads(process.stdout.readline()), list)
        finally:
            process.communicate(timeout=30)

    def test_bad_lines(self):
        done = self.gemma3n('tokenize', '--model', self.model, '--jsonl', stdin='"the"\n{"a": 1}\n"x"\n', code=1)
        self.assertEqual(done.stdout.count(b'\n'), 1)
        self.assertIn(b'line 2: expected one JSON string, found object', done.stderr)
        self.fails('tokenize', '--model', self.model, '--jsonl', stdin=b'"\xff"\n', words=['line 1'])


class PrecisionTest(support.CliTest):
    """Few rows of quantised weights hold x in about 15 bits: logits are as near to float32 as that allows, and not the same."""

    def test_few_rows(self):
        for kind in ('q4_0', 'q8_0'):
            gguf = self.folder / f'{kind}.gguf'
            self.gemma3n('quantize', '--model', support.SOURCE / 'models/tiny', '--type', kind, '--output', gguf)
            (shape, fast), (_, exact) = (
                support.parse_npy(self.gemma3n('logits', '--model', gguf, '--prompt', 'one two', '--precision', precision,
                                               '--output', '-').stdout) for precision in ('auto', 'f32'))
            self.assertLessEqual(shape[0], 8)
            error = sum((a - b) ** 2 for a, b in zip(fast, exact)) ** 0.5 / sum(b * b for b in exact) ** 0.5
            self.assertLess(error, 3e-4, kind)
            self.assertGreater(error, 0, kind)


class BenchTest(support.CliTest):
    def test_figures(self):
        done = self.gemma3n('bench', '--model', self.model, '--prompt-tokens', 20, '--gen-tokens', 5, '--repeats', 2, '--json')
        figures = json.loads(done.stdout)
        self.assertEqual((figures['prompt_tokens'], figures['gen_tokens'], figures['repeats']), (20, 5, 2))
        for key in ('load_seconds', 'prefill_tokens_per_second', 'decode_tokens_per_second', 'time_to_first_token_seconds',
                    'peak_resident_bytes', 'decode_weight_bytes'):
            self.assertGreater(figures[key], 0, key)
        text = self.gemma3n('bench', '--model', self.model, '--prompt-tokens', 20, '--gen-tokens', 5).stdout
        self.assertIn(b'tokens/s', text)

    def test_lengths(self):
        done = self.gemma3n('bench', '--model', self.model, '--prompt-tokens', '20,40', '--gen-tokens', 5, '--repeats', 1,
                            '--warmup-tokens', 4, '--json')
        first, second = json.loads(done.stdout)['lengths']
        self.assertEqual((first['prompt_tokens'], second['prompt_tokens']), (20, 40))
        self.assertLess(first['prefill_seconds'], second['prefill_seconds'], 'counted from the start')
        self.fails('bench', '--model', self.model, '--prompt-tokens', '20,22', '--gen-tokens', 5, words=['room for 5', '22 after 20'])

    def test_too_long(self):
        self.fails('bench', '--model', self.model, '--prompt-tokens', 300)


class ConvertTest(support.CliTest):
    def test_inspect(self):
        text = self.gemma3n('inspect', self.model).stdout
        self.assertIn(b'Gemma3n', text)
        figures = json.loads(self.gemma3n('inspect', '--model', self.model, '--json').stdout)
        self.assertIsInstance(figures, dict)

    def test_gguf_answers_the_same(self):
        want = self.logits('--prompt', 'the other thing')
        for kind in ('F32', 'F16'):  # both hold the fixture's F16 exactly
            out = self.folder / f'{kind}.gguf'
            done = self.gemma3n('quantize', '--model', self.model, '--type', kind, '--output', out)
            self.assertTrue(done.stdout.startswith(f'wrote {out}'.encode()), done.stdout)
            got = self.logits('--prompt', 'the other thing', model=out)
            self.assertEqual(got[0], want[0])
            self.assertLessEqual(max(abs(a - b) for a, b in zip(got[1], want[1])), 1e-5)
        tokens = self.gemma3n('tokenize', '--model', out, '--prompt', 'the other').stdout
        self.assertEqual(tokens, self.gemma3n('tokenize', '--model', self.model, '--prompt', 'the other').stdout)

    def test_quantized_runs(self):
        for kind in ('Q8_0', 'q4_0', 'Q4_K', 'BF16'):
            out = self.folder / f'{kind}.gguf'
            self.gemma3n('quantize', '--model', self.model, '--type', kind, '--output', out)
            self.assertEqual(len(self.run_json('--prompt', 'the', '--max-tokens', 4, '--ignore-end-tokens', model=out)['tokens']), 4)
            self.gemma3n('inspect', out)

    def test_slice_answers_as_the_sliced_run(self):
        size = ['--mlp-width', '64', '--skip-layers', '1']
        want = self.logits('--prompt', 'the other thing', *size)
        for name in ('sliced', 'sliced.gguf'):
            out = self.folder / name
            self.gemma3n('slice', '--model', self.model, *size, '--output', out, *(['--type', 'F32'] if '.gguf' in name else []))
            got = self.logits('--prompt', 'the other thing', model=out)
            self.assertEqual(got[0], want[0])
            self.assertLessEqual(max(abs(a - b) for a, b in zip(got[1], want[1])), 1e-5)

    def test_refusals(self):
        out = self.folder / 'out'
        self.fails('slice', '--model', self.model, '--output', out, code=2, words=['--size'])
        self.fails('slice', '--model', self.model, '--mlp-width', 64, '--output', out, '--type', 'Q8_0', words=['.gguf'])
        self.fails('slice', '--model', self.model, '--mlp-width', 9999, '--output', out, words=['9999'])
        self.fails('slice', '--model', self.model, '--skip-layers', '3-1', '--mlp-width', 64, '--output', out, words=['3-1'])
        self.fails('quantize', '--model', self.model, '--type', 'Q3_K', '--output', out, code=2, words=['Q3_K', 'Q4_0'])
        self.fails('quantize', '--model', self.model, '--output', '/dev/null', words=['/dev/null'])
        self.fails('quantize', '--model', self.model, '--output', self.folder, words=['directory'])
        self.assertFalse(out.exists())
        model = self.folder / 'same.gguf'
        self.gemma3n('quantize', '--model', self.model, '--type', 'F32', '--output', model)
        before = model.read_bytes()
        self.fails('quantize', '--model', model, '--type', 'Q4_0', '--output', self.folder / '.' / 'same.gguf', words=['another name'])
        self.assertEqual(model.read_bytes(), before)


if __name__ == '__main__':
    unittest.main()
