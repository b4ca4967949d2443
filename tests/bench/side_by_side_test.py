"""bench/compare_peers.py: what it counts, how it judges, and a run on the small model without a peer."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

ROOT = os.environ['GEMMA3N_SOURCE']
PROGRAM = os.environ['GEMMA3N_BIN']
sys.path.insert(0, os.path.join(ROOT, 'bench'))
from side_by_side import cells, report, settle  # noqa: E402
from side_by_side.gguf_header import read_header  # noqa: E402
from side_by_side.needs import Needs, needs_of  # noqa: E402


def small_needs(**changes):
    """Three layers, two with keys of their own, a window of 4 in the first; one matrix of each kind, of 100 values."""
    names = ['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down']
    matrices = {(layer, name): (100, 50) for layer in range(3) for name in names}
    matrices |= {(None, 'token_embd'): (1000, 500), (None, 'altup_proj'): (10, 5), (None, 'altup_unembd_proj'): (10, 5),
                 (None, 'per_layer_model_proj'): (30, 15)}
    return Needs(**dict(dict(layers=3, owners=2, sliding=[True, False, False], window=4, heads=2, kv_heads=1, head_dim=8,
                             alive=[0.1, 1, 1], matrices=matrices), **changes))


class NeedsTest(unittest.TestCase):
    def test_decoded_token(self):
        # Layer 0: five whole matrices and two at a tenth; layer 1: seven; layer 2: seven less k and v; the unembedding in 3 bits a value.
        weights = 50 * (5 + 0.2 + 7 + 5) + 375 + 5 + 5 + 15
        cache = 2 * 8 * 2 * (4 + 11 + 11)  # after ten tokens: a window, and all with the token itself
        self.assertAlmostEqual(small_needs().decode_bytes(10), weights + cache)

    def test_prompt(self):
        # Each token: layer 0, layer 1's k and v, altup_proj and a third of the per-layer projection.
        each = 100 * 5.2 + 200 + 10 + 10
        # The last one: layer 1's five others, layer 2's five, both unembeddings.
        last = 100 * 5 + 100 * 5 + 1000 + 10
        keys = (1 + 2 + 3 + 4 + 4 + 4) + 6 + 6  # six tokens in layer 0; the last one in the others
        self.assertAlmostEqual(small_needs().prompt_macs(6), 6 * each + last + 2 * 2 * 8 * keys)

    def test_prompt_shorter_than_the_window(self):
        needs = small_needs()
        self.assertEqual(needs.attention_macs(0, 3), 2 * 2 * 8 * 6)
        self.assertEqual(needs.attention_macs(0, 3), needs.attention_macs(1, 3))


class CellsTest(unittest.TestCase):
    def rows(self, ours, theirs, **arguments):
        samples = {'gemma3n': {'': ours}, 'llama.cpp': theirs}
        return {row['key']: row for row in cells.table(samples, None, None, **arguments)}

    def test_medians_and_the_better_variant(self):
        rows = self.rows({'prefill 512': [100, 170, 180]}, {'flash': {'prefill 512': [20, 30, 25]}, 'none': {'prefill 512': [28]}})
        row = rows['prefill 512']
        self.assertEqual((row['ours'], row['theirs'], row['their_variant']), (170, 28, 'none'))
        self.assertAlmostEqual(row['ratio'], 170 / 28)
        self.assertTrue(row['met'])
        self.assertEqual(row['counts'], [3, 1])
        self.assertEqual(set(rows), {'prefill 512'})

    def test_winners(self):
        variants = {'a': {'prefill 512': [3], 'first token': [2.0]}, 'b': {'prefill 512': [2], 'first token': [3.0]},
                    'c': {'prefill 512': [1], 'first token': [1.0]}}
        self.assertEqual(cells.winners(variants), {'a', 'c'})
        self.assertEqual(cells.winners({'': {}}), set())

    def test_seconds_and_bytes_are_better_when_small(self):
        rows = self.rows({'first token': [1.0], 'peak memory': [3.3]}, {'a': {'first token': [2.5], 'peak memory': [7.0]},
                                                                        'b': {'first token': [2.2], 'peak memory': [7.5]}})
        self.assertEqual(rows['first token']['their_variant'], 'b')
        self.assertAlmostEqual(rows['first token']['ratio'], 2.2)
        self.assertTrue(rows['first token']['met'])
        self.assertGreater(rows['peak memory']['ratio'], 2)
        self.assertFalse(rows['peak memory']['met'], 'half of theirs, but above 3.2 GB')

    def test_not_met(self):
        self.assertFalse(self.rows({'decode 512': [12]}, {'a': {'decode 512': [10]}})['decode 512']['met'])

    def test_alone(self):
        row = cells.table({'gemma3n': {'': {'decode 512': [12]}}}, None, None)[0]
        self.assertEqual((row['ours'], row['theirs'], row['ratio'], row['met']), (12, None, None, None))

    def test_share_of_the_machine(self):
        needs = small_needs()
        limits = cells.best_limits([[{'threads': 1, 'int8_gmacs': 9, 'read_gbytes': 9}, {'threads': 2, 'int8_gmacs': 1, 'read_gbytes': 3}],
                                    [{'threads': 1, 'int8_gmacs': 9, 'read_gbytes': 9}, {'threads': 2, 'int8_gmacs': 2, 'read_gbytes': 1}]], 2)
        self.assertEqual((limits['int8_gmacs'], limits['read_gbytes']), (2, 3))
        samples = {'gemma3n': {'': {'decode 512': [100], 'prefill 512': [1000], 'first token': [1]}}}
        rows = {row['key']: row['share'] for row in cells.table(samples, needs, limits)}
        self.assertAlmostEqual(rows['decode 512'], 100 * needs.decode_bytes(512) / 3e9)
        self.assertAlmostEqual(rows['prefill 512'], 1000 * needs.prompt_macs(512) / 512 / 2e9)
        self.assertIsNone(rows['first token'])


class ReportTest(unittest.TestCase):
    def test_markdown(self):
        samples = {'gemma3n': {'': {'prefill 512': [160.0], 'decode 512': [9.0]}}, 'llama.cpp': {'flash': {'prefill 512': [20.0]}}}
        text = report.markdown(cells.table(samples, None, None))
        self.assertIn('| prefill of 512 | 160.0 tok/s | 20.0 tok/s (flash) | 8.00x | 6x | met |  |', text)
        self.assertIn('| decode after 512 | 9.0 tok/s | - | - | 1.25x |  |  |', text)

    def test_lengths(self):
        text = report.lengths_table({'a': {'': {'prefill 64': [10.0], 'decode 64': [2.0], 'decode 1024': [1.0]}},
                                     'b': {'x': {'prefill 64': [3.0, 5.0, 4.0]}, 'y': {'prefill 64': [3.5]}}})
        self.assertIn('| 64 | 10.0 tok/s | 4.0 tok/s | 2.0 tok/s | - |', text)
        self.assertIn('| 1,024 | - | - | 1.0 tok/s | - |', text)

    def test_file_name(self):
        import datetime
        stem = report.file_stem({'model': 'Intel(R) Xeon(R) Processor @ 2.0GHz'}, datetime.datetime(2026, 1, 2))
        self.assertEqual(stem, '2026-01-02-intel-xeon-processor-2-0ghz')


class SettleTest(unittest.TestCase):
    def test_the_file_is_in_memory_again(self):
        self.assertGreater(settle.available_memory(), 1 << 20)
        with tempfile.NamedTemporaryFile() as file, unittest.mock.patch.object(
                settle, 'available_memory', return_value=settle.SPARE + 3 * settle.HUGE_PAGE + 1):
            file.write(bytes(range(256)) * 1000)
            file.flush()
            settle.lay_out(file.name)  # takes 6 MB meanwhile
            with open(file.name, 'rb') as again:
                self.assertEqual(again.read(), bytes(range(256)) * 1000)
        with self.assertRaises(subprocess.CalledProcessError):
            settle.settle('/no such file')


class ProgramTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = os.path.join(cls.folder.name, 'tiny.gguf')
        subprocess.run([PROGRAM, 'quantize', '--model', os.path.join(ROOT, 'models/tiny'), '--type', 'Q8_0', '--output', cls.model],
                       check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def compare(self, *arguments):
        return subprocess.run([sys.executable, '-B', os.path.join(ROOT, 'bench/compare_peers.py'), *arguments], capture_output=True,
                              text=True)

    def test_header(self):
        metadata, tensors = read_header(self.model)
        self.assertEqual(metadata['general.architecture'], 'gemma3n')
        by_name = {tensor.name: tensor for tensor in tensors}
        gate = by_name['blk.0.ffn_gate.weight']
        self.assertEqual((gate.shape, gate.kind, gate.bytes), ((128, 1024), 'Q8_0', 128 * 1024 // 32 * 34))
        with open(self.model, 'rb') as file:
            count = struct.unpack('<Q', file.read(16)[8:])[0]
        self.assertEqual(len(tensors), count)
        needs = needs_of(self.model)
        self.assertEqual((needs.layers, needs.owners, needs.window), (9, 6, 128))
        self.assertAlmostEqual(needs.alive[0], 0.05, 6)
        self.assertEqual(needs.alive[3:], [1] * 6)

    def test_alone(self):
        results = os.path.join(self.folder.name, 'results')
        done = self.compare(self.model, '--gemma3n', PROGRAM, '--python', '/nonexistent/python', '--lengths', '24', '512', '--decode',
                            '2', '--repeats', '1', '--start-repeats', '1', '--threads', '1', '--results', results)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('pip install llama-cpp-python', done.stderr)
        self.assertIn('| prefill of 512 |', done.stdout)
        self.assertIn('| start to first token', done.stdout)
        names = sorted(os.listdir(results))
        self.assertEqual([os.path.splitext(name)[1] for name in names], ['.jsonl', '.md'])
        with open(os.path.join(results, names[0])) as file:
            record = json.loads(file.readline())
        self.assertGreater(record['samples']['gemma3n']['']['prefill 24'][0], 0)
        self.assertFalse(record['interrupted'])

    def test_what_failed_ends_the_run_and_the_rest_is_kept(self):
        done = self.compare(self.model, '--gemma3n', PROGRAM, '--alone', '--lengths', '24', '20000000', '--repeats', '1', '--threads', '1',
                            '--start-repeats', '1', '--results', '')
        self.assertEqual(done.returncode, 1)
        self.assertIn('Interrupted', done.stdout)
        self.assertIn('| start to first token', done.stdout)

    def test_not_a_file(self):
        done = self.compare('/nonexistent.gguf')
        self.assertEqual(done.returncode, 2)
        self.assertIn('expected a GGUF file', done.stderr)


if __name__ == '__main__':
    unittest.main()
