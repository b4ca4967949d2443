"""The commands of docs/SERVER.md that ask the server, run as they stand, and its Python snippets' addresses and options."""
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import support

PAGE = support.SOURCE / 'docs' / 'SERVER.md'


def commands():
    """Commands of ```sh blocks that name the server's address; lines that end inside quotes, or with a pipe, go on."""
    found = []
    for block in re.findall(r'^```sh\n(.*?)^```', PAGE.read_text(), flags=re.M | re.S):
        command = ''
        for line in block.splitlines(keepends=True):
            command += line
            if command.count("'") % 2 == 0 and not command.rstrip().endswith('|'):
                found.append(command)
                command = ''
    return [c for c in found if 'http://127.0.0.1:8080' in c and not c.startswith(('docker', 'sudo'))]


class DocsTest(support.ServerTest):
    ARGS = ('--media-folder', 'examples/media')

    @classmethod
    def setUpClass(cls):
        os.chdir(support.SOURCE)  # as the page's first command is given
        super().setUpClass()

    def test_commands(self):
        home = pathlib.Path(tempfile.mkdtemp(prefix='gemma3n-docs-'))
        self.addCleanup(shutil.rmtree, home)
        (home / 'examples').symlink_to(support.EXAMPLES)
        (home / 'curl').write_text(f'#!/bin/sh\nexec {shutil.which("curl")} -sS --fail-with-body --max-time 60 "$@"\n')
        (home / 'curl').chmod(0o755)
        env = {**os.environ, 'PATH': f'{home}:{os.environ["PATH"]}'}
        said = {}
        for command in commands():
            done = subprocess.run(['bash', '-euo', 'pipefail', '-c', command.replace('http://127.0.0.1:8080', self.server.url)],
                                  cwd=home, env=env, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ''), f'{command}\n{done.stdout}')
            said[command] = done.stdout
        self.assertGreaterEqual(len(said), 15)

        def answers(word):
            return [text for command, text in said.items() if word in command]
        self.assertIn('a blue star and the number 42 in orange', answers('base64 -w0')[0])
        self.assertIn('17 18 19 20; go left', answers('video.mp4')[0])
        self.assertIn('data: [DONE]', answers('"stream": true')[0])
        pair = json.loads(json.loads(answers('json_schema')[0])['choices'][0]['message']['content'])
        self.assertIn(pair['colour'], ('red', 'green'))
        call = json.loads(answers('"look"')[0])['choices'][0]['message']['tool_calls'][0]['function']
        self.assertIn(json.loads(call['arguments'])['where'], ('door', 'window'))
        for path in ('/v1/messages', '/api/chat', '/v1/responses'):
            self.assertIn('three', answers(path)[0], path)
        self.assertIn('token_logprobs', answers('"echo"')[0])
        self.assertIn('yellow bird up', answers('transcriptions')[0])
        self.assertIn('00:00:00,000 --> ', answers('srt')[0])

    def test_clients(self):
        """The Python snippets, where their packages are."""
        snippets = re.findall(r'^```python\n(.*?)^```', PAGE.read_text(), flags=re.M | re.S)
        self.assertGreaterEqual(len(snippets), 2)
        for snippet in snippets:
            package = re.match(r'from (\w+)', snippet)[1]
            with self.subTest(package):
                if importlib.util.find_spec(package) is None:
                    self.skipTest(f'no {package} here')
                code = snippet.replace('http://127.0.0.1:8080', self.server.url)
                done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ''))
                self.assertTrue(done.stdout.strip())

    def test_options(self):
        """The page names every option of serve's own and none that it has not, and its defaults are serve's."""
        known = subprocess.run([support.BIN, 'serve', '--help'], check=True, capture_output=True, text=True).stdout
        text = re.sub(r'^```.*?^```', '', PAGE.read_text(), flags=re.M | re.S)
        for option in set(re.findall(r'`(--[a-z][a-z-]+)', text)):
            self.assertIn(f'{option} ', known.replace('\n', ' ').replace(',', ' '), option)
        own = known.split('\nModel:')[0]
        for option in re.findall(r'^  (--[a-z-]+)', own, flags=re.M):
            self.assertIn(f'`{option}', text)
        for option, default in re.findall(r'^\| `(--[a-z-]+)`[^|]*\| (\d+[MGK]?) \|', text, flags=re.M):
            line = re.search(rf'{option} .*?\(default ([^;)]*)', known, flags=re.S)
            self.assertEqual(line and line[1].strip(), default, option)

    def test_every_route(self):
        """The table of paths is what the server has."""
        for path in re.findall(r'`(/[a-z0-9_/]*)`', PAGE.read_text().split('## OpenAI')[0]):
            with self.subTest(path):
                self.assertNotEqual(self.server.request('OPTIONS', path)[0], 404, path)


if __name__ == '__main__':
    unittest.main()
