"""The two engines as child processes. A pass is one process that prefills to each length and decodes from there."""
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HOW_TO_INSTALL = ('llama.cpp is not measured: llama-cpp-python is not to be had in {python}. To install it:\n'
                  '  python3 -m venv peers && CMAKE_ARGS=-DGGML_NATIVE=ON peers/bin/pip install llama-cpp-python\n'
                  'and give peers/bin/python by --python (make bench PEER_PYTHON=...). bench/README.md has a word on GCC 12.')


class EngineFailed(Exception):
    pass


def run(command, env=None):
    done = subprocess.run([str(x) for x in command], capture_output=True, text=True, env=env)
    if done.returncode != 0:
        raise EngineFailed(f'{command[0]} gave {done.returncode}: {done.stderr.strip()[-400:]}')
    return done.stdout


def commit_of(folder):
    try:
        return run(['git', '-C', folder, 'describe', '--always', '--dirty']).strip()
    except (EngineFailed, OSError):
        return ''


def whole_context(lengths, decode):
    """The smallest context for a pass, in the steps of 256 that llama.cpp rounds to."""
    return -(-(max(lengths) + decode + 1) // 256) * 256


class Gemma3n:
    name = 'gemma3n'
    variants = ('',)

    def __init__(self, program, threads, arguments=()):
        self.program, self.threads, self.arguments = program, threads, list(arguments)

    def about(self):
        return {'engine': 'gemma3n', 'version': run([self.program, '--version']).strip(), 'commit': commit_of(HERE),
                'arguments': ' '.join(self.arguments)}

    def options(self, model):
        return ['--model', model, '--threads', self.threads, *self.arguments]

    def measure(self, model, lengths, decode, variant=''):
        told = json.loads(run([self.program, 'bench', *self.options(model), '--json', '--repeats', 1, '--warmup', 1,
                               '--warmup-tokens', 16, '--gen-tokens', decode + 1, '--prompt-tokens',
                               ','.join(map(str, lengths)), '--context', whole_context(lengths, decode)]))
        figures = {}
        for entry in told.get('lengths', [told]):
            figures[f'prefill {entry["prompt_tokens"]}'] = entry['prefill_tokens_per_second']
            figures[f'decode {entry["prompt_tokens"]}'] = entry['decode_tokens_per_second']
        return dict(figures, peak_bytes=told['peak_resident_bytes'], load_seconds=told['load_seconds'],
                    notes=[f'kernels {told["kernels"]}'])

    def first_token(self, model, text, tokens, variant=''):
        """Seconds from the start of the process to its end, with one token for an answer."""
        command = [self.program, 'run', *self.options(model), '--raw', '--prompt', text, '--max-tokens', 1,
                   '--temperature', 0, '--ignore-end-tokens']
        start = time.monotonic()
        run(command)
        return time.monotonic() - start

    def tokenize(self, model, text):
        return json.loads(run([self.program, 'tokenize', '--model', model, '--prompt', text, '--bos']))


class Child:
    """A peer behind a script of this folder that prints a line of JSON per length and a last one of the process."""

    def __init__(self, python, threads):
        self.python, self.threads = python, threads

    def child(self, *arguments, env=None):
        out = run([self.python, os.path.join(HERE, self.script), *arguments], env=env)
        return [json.loads(line) for line in out.splitlines() if line.startswith('{')]

    def about(self):
        return self.child('--about')[0]

    def figures(self, lines):
        *entries, last = lines
        found = {f'{kind} {entry["length"]}': entry[kind] for entry in entries for kind in ('prefill', 'decode')}
        return dict(found, peak_bytes=last['peak_bytes'], load_seconds=last['load_seconds'], notes=last.get('buffers', []))

    def first_token(self, model, text, tokens, variant):
        return None  # not measured


class Llama(Child):
    name, script = 'llama.cpp', 'llama_child.py'
    OPTIONS = {'flash': ['--flash', 'on'], 'no flash': ['--flash', 'off'], 'flash, full': ['--flash', 'on', '--swa-full'],
               'no flash, full': ['--flash', 'off', '--swa-full'], 'flash, no repack': ['--flash', 'on', '--no-repack']}

    def __init__(self, python, threads, variants=('flash', 'no flash')):
        super().__init__(python, threads)
        self.variants = tuple(variants)

    def measure(self, model, lengths, decode, variant):
        return self.figures(self.child(model, '--threads', self.threads, '--decode', decode, '--context',
                                       whole_context(lengths, decode), *self.OPTIONS[variant], '--lengths', *lengths))

    def first_token(self, model, text, tokens, variant):
        """Seconds after Python has imported everything, so that only llama.cpp's own share counts."""
        return self.child(model, '--threads', self.threads, '--context', 4096, *self.OPTIONS[variant],
                          '--first-token', *tokens)[0]['seconds']


class MistralRs(Child):
    """On the same GGUF file, or on a hub directory in its place."""
    name, script, variants = 'mistral.rs', 'mistralrs_child.py', ('',)

    def __init__(self, python, threads, model=None):
        super().__init__(python, threads)
        self.model = model

    def measure(self, model, lengths, decode, variant):
        env = dict(os.environ, RAYON_NUM_THREADS=str(self.threads))
        return self.figures(self.child(self.model or model, '--decode', decode, '--lengths', *lengths, env=env))


class OpenVino(Child):
    """On the model that optimum-cli exported."""
    name, script, variants = 'OpenVINO', 'openvino_child.py', ('',)

    def __init__(self, python, threads, model):
        super().__init__(python, threads)
        self.model = model

    def measure(self, model, lengths, decode, variant):
        return self.figures(self.child(self.model, '--threads', self.threads, '--decode', decode, '--lengths', *lengths))


def llama_if_there(python, threads, variants):
    engine = Llama(python, threads, variants)
    try:
        engine.about()
    except (EngineFailed, OSError) as error:
        print(HOW_TO_INSTALL.format(python=python), f'({error})', sep='\n', file=sys.stderr)
        return []
    return [engine]


def text_of_tokens(engine, model, count):
    """Words that make `count` tokens, <bos> with them, and those tokens."""
    words = 'the house of the old man at the sea was full of books and maps that no one had read for many years'.split()
    text, tokens = '', []
    for word in (words * (count + 1))[:2 * count]:
        longer = f'{text} {word}'.strip()
        found = engine.tokenize(model, longer)
        if len(found) > count:
            break
        text, tokens = longer, found
        if len(tokens) == count:
            break
    return text, tokens


def warm_page_cache(path):
    with open(path, 'rb', buffering=0) as file:
        block = bytearray(1 << 24)
        while file.readinto(block):
            pass
