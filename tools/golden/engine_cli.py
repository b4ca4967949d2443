"""Asks a built `gemma3n` program for what the comparison scripts need."""
import json
import os
import subprocess
import tempfile

import numpy as np


class EngineError(RuntimeError):
    pass


EXACT = ('--precision', 'f32')  # these scripts compare with float32 and float64 references


class Engine:
    def __init__(self, binary, kernels=None):
        self.binary = binary
        self.env = dict(os.environ, **({'GEMMA3N_KERNELS': kernels} if kernels else {}))

    def run(self, *args, stdin=None):
        done = subprocess.run([self.binary, *map(str, args)], input=stdin, capture_output=True, env=self.env, check=False)
        if done.returncode != 0:
            raise EngineError(f'{" ".join(map(str, args))}: exit {done.returncode}: {done.stderr.decode().strip()}')
        return done.stdout

    def answer(self, model, prompt, max_tokens, *flags):
        """Greedy tokens of a chat answer, without the end token."""
        with tempfile.NamedTemporaryFile('w', suffix='.txt') as f:
            f.write(prompt)
            f.flush()
            out = self.run('run', '--model', model, '--prompt', '@' + f.name, '--temperature', 0, '--max-tokens', max_tokens,
                           '--json', *EXACT, *flags)
        return json.loads(out)['tokens']

    def logits(self, model, tokens, *flags):
        """float32 [len(tokens), vocab]."""
        with tempfile.TemporaryDirectory() as directory:
            ids, out = os.path.join(directory, 'ids.json'), os.path.join(directory, 'logits.npy')
            with open(ids, 'w') as f:
                json.dump([int(t) for t in tokens], f)
            self.run('logits', '--model', model, '--tokens', ids, '--output', out, *EXACT, *flags)
            return np.load(out)

    def greedy(self, model, prompt_tokens, count, *flags):
        """Greedy continuation of raw ids, one forward of everything per token (tiny models only): no sampler in between."""
        tokens = [int(t) for t in prompt_tokens]
        for _ in range(count):
            tokens.append(int(self.logits(model, tokens, *flags)[-1].argmax()))
        return tokens[len(prompt_tokens):]
