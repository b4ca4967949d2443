"""bench/serve_load.py against a server: what it counts is what the server counts."""
import json
import pathlib
import subprocess
import sys
import tempfile

import unittest

import support


class LoadTest(support.ServerTest):
    def load(self, *options):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / 'out.json'
            done = subprocess.run([sys.executable, support.SOURCE / 'bench' / 'serve_load.py', self.server.url, '--pid', str(self.server.process.pid),
                                   '--json', out, *options], capture_output=True, text=True, timeout=100)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn('| tokens/s, all answers together |', done.stdout)
            return json.loads(out.read_text())

    def test_counts(self):
        before = self.server.metrics()
        options = ('--connections', '8', '--requests', '24', '--prompt-tokens', '60', '--system-tokens', '300', '--max-tokens', '12',
                   '--ignore-eos', '--patience', '30')
        result = self.load(*options)
        after = self.server.metrics()
        self.assertEqual((result['requests'], result['tokens'], result['errors']), (24, 24 * 12, {}))
        gained = after['gemma3n_generated_tokens_total'] - before['gemma3n_generated_tokens_total']
        self.assertGreaterEqual(gained, 24 * 12)
        self.assertLess(gained, 24 * 12 + 40)  # and a token for each prompt that measured lengths
        self.assertAlmostEqual(result['prompt_tokens_each'], 60, delta=6)
        self.assertGreater(result['cached_prompt_tokens'], 12 * 250)  # the shared prompt
        self.assertLess(result['cached_prompt_tokens'], result['prompt_tokens'])
        self.assertGreaterEqual(result['first_token_ms']['p99'], result['first_token_ms']['p50'])
        self.assertGreater(result['server']['rss_mb']['max'], 20)

    def test_errors_are_counted(self):
        done = subprocess.run([sys.executable, support.SOURCE / 'bench' / 'serve_load.py', self.server.url, '--model', 'none'],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn('404', done.stderr)


if __name__ == '__main__':
    unittest.main()
