"""The commands in README.md and docs/CLI.md, run as they stand in a folder with the files that they name."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import support

# Published sizes are for E4B's shape, which the small checkpoint has not: refused with this sentence, and all else is right.
WRONG_SHAPE = "expected a checkpoint of E4B's shape"


def commands(path):
    """Lines of ```sh blocks that run gemma3n, but for the server, which does not end (tests/server/docs_test.py runs its page)."""
    blocks = re.findall(r'^```sh\n(.*?)^```', (support.SOURCE / path).read_text(), flags=re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if re.search(r'\bgemma3n (?!serve)', line)]


class DocsTest(support.CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = cls.folder / 'home'
        (cls.home / 'bin').mkdir(parents=True)
        (cls.home / 'bin' / 'gemma3n').symlink_to(support.BIN)
        support.make_checkpoint(cls.home / 'gemma-3n-E2B-it', context=1024)
        # Babble comes to no end of its own: let half of all tokens be ends.
        (cls.home / 'gemma-3n-E2B-it' / 'generation_config.json').write_text(
            json.dumps({'eos_token_id': [1, support.END_OF_TURN, *range(4, 160)], 'do_sample': False}))
        (cls.home / 'gemma-3n-E4B-it').symlink_to('gemma-3n-E2B-it')
        subprocess.run([support.BIN, 'quantize', '--model', cls.home / 'gemma-3n-E2B-it', '--type', 'Q8_0', '--output',
                        cls.home / 'model.gguf'], check=True, capture_output=True)
        for name in ('models', 'examples'):
            (cls.home / name).symlink_to(support.SOURCE / name)
        shutil.copyfile(cls.home / 'gemma-3n-E2B-it' / 'tokenizer.json', cls.home / 'tokenizer.json')
        for name, text in {'question.txt': 'What is it?\n', 'persona.txt': 'You are terse.', 'book.txt': 'the other thing ' * 40,
                           'ids.json': '[2, 262, 263]', 'lines.jsonl': '"one"\n"two lines\\n"\n'}.items():
            (cls.home / name).write_text(text)

    def run_documented(self, path, at_least=9):
        lines = commands(path)
        self.assertGreaterEqual(len(lines), at_least)
        one_processor = {min(os.sched_getaffinity(0))}  # and so one thread: see support.command_line
        env = {**os.environ, 'PATH': f'{self.home / "bin"}:{os.environ["PATH"]}'}
        refused = 0
        for line in lines:
            done = subprocess.run(line, shell=True, cwd=self.home, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                                  preexec_fn=lambda: os.sched_setaffinity(0, one_processor))
            if WRONG_SHAPE in done.stderr.decode():
                self.assertIn('--size', line)
                refused += 1
                if output := re.search(r'--output (\S+)', line):  # for the commands that follow
                    (self.home / output[1]).symlink_to('gemma-3n-E2B-it')
            else:
                said = b'' if '--stats' in line or '--logprobs' in line else re.sub(rb'(?m)^(note: |saved ).*\n', b'', done.stderr)
                self.assertEqual((done.returncode, said), (0, b''), line)
        self.assertLessEqual(refused, 2)

    def test_readme(self):
        self.run_documented('README.md')

    def test_media_page(self):
        self.run_documented('docs/MEDIA.md', at_least=3)

    def test_cli_page(self):
        self.run_documented('docs/CLI.md')
        self.assertEqual((self.home / 'again.jsonl').read_text().splitlines(), ['"one"', '"two lines\\n"'])
        self.assertEqual(len(json.loads((self.home / 'talk.json').read_text())['messages']), 4)

    def test_every_option_is_described(self):
        """docs/CLI.md names no option that does not exist, and README.md is short."""
        known = set()
        for command in ('', 'run', 'chat', 'transcribe', 'logits', 'perplexity', 'tokenize', 'bench', 'quantize', 'inspect', 'slice'):
            known |= set(re.findall(r'--[a-z0-9-]+', self.gemma3n(*([command] if command else []), '--help').stdout.decode()))
        named = set(re.findall(r'(?<![\w-])--[a-z][a-z0-9-]+', (support.SOURCE / 'docs' / 'CLI.md').read_text()))
        self.assertEqual(named - known, set())
        self.assertLess(len((support.SOURCE / 'README.md').read_text().splitlines()), 250)

    def test_links(self):
        """Every relative link of the documents leads somewhere."""
        checked = 0
        for page in [*support.SOURCE.glob('*.md'), *support.SOURCE.glob('docs/*.md'), *support.SOURCE.glob('examples/*.md')]:
            for link in re.findall(r'\]\((?!https?:|#)([^)#]+)', re.sub(r'(?ms)^```.*?^```', '', page.read_text())):
                checked += 1
                self.assertTrue((page.parent / link).exists(), f'{page}: {link}')
        self.assertGreater(checked, 8)


if __name__ == '__main__':
    unittest.main()
