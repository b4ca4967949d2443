"""What the end-to-end tests of the program share: a checkpoint with a tokenizer, running gemma3n, reading .npy files.

The program is $GEMMA3N_BIN, the repository $GEMMA3N_SOURCE. The checkpoint is the golden fixture sharded_f16 (random
weights) with a tokenizer of single letters and a few merges, so answers are babble; what is tested is everything else.
"""
import array
import ast
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest

BIN = os.environ['GEMMA3N_BIN']
SOURCE = pathlib.Path(os.environ['GEMMA3N_SOURCE'])
FIXTURES = SOURCE / 'tests' / 'golden' / 'fixtures'
BASE = 'sharded_f16'
PATIENCE = float(os.environ.get('GEMMA3N_PATIENCE', 1))  # what limits of time are multiplied by: an emulator is slow
START_OF_TURN, END_OF_TURN = 260, 261


def tokenizer_json():
    """A byte-fallback BPE tokenizer.json of 296 pieces in the layout of Gemma's."""
    special = {0: '<pad>', 1: '<eos>', 2: '<bos>', 3: '<unk>', START_OF_TURN: '<start_of_turn>',
               END_OF_TURN: '<end_of_turn>'}
    pieces = [special[i] for i in range(4)] + [f'<0x{b:02X}>' for b in range(256)]
    pieces += [special[START_OF_TURN], special[END_OF_TURN]]
    pieces += [chr(c) for c in range(ord('a'), ord('z') + 1)] + ['\u2581', '\n', '\n\n']
    merges = [['t', 'h'], ['th', 'e'], ['\u2581', 'the'], ['e', 'r'], ['\n', '\n']]
    pieces += ['th', 'the', '\u2581the', 'er']
    return {
        'version': '1.0', 'truncation': None, 'padding': None,
        'added_tokens': [{'id': i, 'content': text, 'single_word': False, 'lstrip': False, 'rstrip': False,
                          'normalized': False, 'special': True} for i, text in special.items()],
        'normalizer': {'type': 'Replace', 'pattern': {'String': ' '}, 'content': '\u2581'},
        'pre_tokenizer': {'type': 'Split', 'pattern': {'String': ' '}, 'behavior': 'MergedWithPrevious', 'invert': False},
        'post_processor': None,
        'decoder': {'type': 'Sequence', 'decoders': [{'type': 'Replace', 'pattern': {'String': '\u2581'}, 'content': ' '},
                                                     {'type': 'ByteFallback'}, {'type': 'Fuse'}]},
        'model': {'type': 'BPE', 'dropout': None, 'unk_token': '<unk>', 'continuing_subword_prefix': None,
                  'end_of_word_suffix': None, 'fuse_unk': True, 'byte_fallback': True, 'ignore_merges': False,
                  'vocab': {piece: i for i, piece in enumerate(pieces)}, 'merges': merges},
    }


def make_checkpoint(path, context=256, **config_changes):
    """Copies the fixture to `path` with a tokenizer; config fields can be changed."""
    path = pathlib.Path(path)
    path.mkdir(parents=True)
    for source in (FIXTURES / BASE).iterdir():
        if source.name != 'expected.safetensors':
            shutil.copyfile(source, path / source.name)
    config = json.loads((path / 'config.json').read_text())
    config.update(max_position_embeddings=context, **config_changes)
    (path / 'config.json').write_text(json.dumps(config))
    (path / 'generation_config.json').write_text(json.dumps({'eos_token_id': [1, END_OF_TURN], 'do_sample': False}))
    (path / 'tokenizer.json').write_text(json.dumps(tokenizer_json()))
    return path


def read_safetensors(path):
    """name -> (dtype, shape, bytes)"""
    data = pathlib.Path(path).read_bytes()
    length = struct.unpack('<Q', data[:8])[0]
    header = json.loads(data[8:8 + length])
    body = data[8 + length:]
    return {name: (t['dtype'], t['shape'], body[slice(*t['data_offsets'])])
            for name, t in header.items() if name != '__metadata__'}


def write_safetensors(path, tensors):
    header, body = {}, b''
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack('<Q', len(text)) + text + body)


def parse_npy(data):
    """float32 .npy bytes -> (shape, array of all values). Follows the format's description, not our writer."""
    assert data[:8] == b'\x93NUMPY\x01\x00', data[:8]
    length = struct.unpack('<H', data[8:10])[0]
    assert (10 + length) % 64 == 0
    header = ast.literal_eval(data[10:10 + length].decode())
    assert header['descr'] == '<f4' and header['fortran_order'] is False, header
    values = array.array('f')
    values.frombytes(data[10 + length:])
    rows, cols = header['shape']
    assert len(values) == rows * cols
    return (rows, cols), values


def rows_of(shape, values):
    return [values[i * shape[1]:(i + 1) * shape[1]] for i in range(shape[0])]


def command_line(*args):
    """One thread unless a test says otherwise: on a busy machine the threads of a tiny model only wait for each other."""
    args = [str(a) for a in args]
    if args and args[0] in ('run', 'chat', 'transcribe', 'logits', 'perplexity', 'bench', 'quantize', 'slice') and '--threads' not in args:
        args += ['--threads', '1']
    return [BIN, *args]


class CliTest(unittest.TestCase):
    """Each test class gets a folder with the checkpoint in self.model."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix='gemma3n-cli-'))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.model = make_checkpoint(cls.folder / 'model')

    def gemma3n(self, *args, stdin=b'', code=0, timeout=120, **kwargs):
        """Runs the program, checks its exit code, returns the finished process (bytes)."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        done = subprocess.run(command_line(*args), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout * PATIENCE, **kwargs)
        self.assertEqual(done.returncode, code, f'{args}\nstdout {done.stdout[-500:]}\nstderr {done.stderr[-500:]}')
        return done

    def run_json(self, *args, model=None, **kwargs):
        done = self.gemma3n('run', '--model', model or self.model, '--json', *args, **kwargs)
        return json.loads(done.stdout)

    def logits(self, *args, model=None):
        out = self.folder / 'logits.npy'
        self.gemma3n('logits', '--model', model or self.model, '--output', out, *args)
        return parse_npy(out.read_bytes())

    def fails(self, *args, words=(), code=1, **kwargs):
        """The call must fail with one sentence on stderr that has all the words, and nothing on stdout."""
        done = self.gemma3n(*args, code=code, **kwargs)
        text = done.stderr.decode()
        self.assertTrue(text.startswith('gemma3n: '), text)
        self.assertEqual(text.count('\n'), 1, text)
        self.assertEqual(done.stdout, b'')
        for word in words:
            self.assertIn(str(word), text)
        return text


def start(*args, **kwargs):
    """Starts the program with pipes; SIGINT works as on a terminal."""
    return subprocess.Popen(command_line(*args), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **kwargs)
