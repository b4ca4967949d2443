"""Bad input, full disks, kills: one clear sentence, a non-zero exit, and nothing lost."""
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import time
import unittest

import support

SHARD = 'model-00002-of-00003.safetensors'


class BadFilesTest(support.CliTest):
    def setUp(self):
        self.bad = self.folder / 'bad'
        shutil.rmtree(self.bad, ignore_errors=True)
        shutil.copytree(self.model, self.bad)

    def refused(self, *words, command='run'):
        args = {'run': ['--prompt', 'x', '--max-tokens', 1], 'logits': ['--prompt', 'x', '--output', self.folder / 'o.npy'],
                'quantize': ['--output', self.folder / 'o.gguf'], 'inspect': []}[command]
        return self.fails(command, '--model', self.bad, *args, words=words)

    def edit_json(self, name, change):
        value = json.loads((self.bad / name).read_text())
        change(value)
        (self.bad / name).write_text(json.dumps(value))

    def edit_shard(self, change):
        tensors = support.read_safetensors(self.bad / SHARD)
        change(tensors)
        support.write_safetensors(self.bad / SHARD, tensors)

    def test_nothing_there(self):
        shutil.rmtree(self.bad)
        self.refused(self.bad, 'no such file')
        self.bad.mkdir()
        self.refused(self.bad)

    def test_truncated(self):
        size = (self.bad / SHARD).stat().st_size
        for length in (0, 3, 8, 100, size // 2, size - 1):
            with open(self.bad / SHARD, 'r+b') as f:
                f.truncate(length)
            for command in ('run', 'logits', 'quantize', 'inspect'):
                self.refused(SHARD, command=command)
            shutil.copyfile(self.model / SHARD, self.bad / SHARD)

    def test_oversized_header(self):
        data = bytearray((self.bad / SHARD).read_bytes())
        for length in (len(data), 1 << 40, (1 << 64) - 1):
            data[:8] = struct.pack('<Q', length)
            (self.bad / SHARD).write_bytes(data)
            self.refused(SHARD)

    def test_flipped_bits_in_the_header(self):
        """Any one flip is either refused in one sentence or does not matter; nothing crashes."""
        rng = random.Random(5)
        data = (self.model / SHARD).read_bytes()
        header = 8 + struct.unpack('<Q', data[:8])[0]
        refusals = 0
        for _ in range(40):
            flipped = bytearray(data)
            flipped[rng.randrange(header)] ^= 1 << rng.randrange(8)
            (self.bad / SHARD).write_bytes(flipped)
            done = subprocess.run(support.command_line('run', '--model', self.bad, '--prompt', 'x', '--max-tokens', 1),
                                  capture_output=True, timeout=60)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            if done.returncode == 1:
                refusals += 1
                self.assertTrue(done.stderr.startswith(b'gemma3n: ') and done.stderr.count(b'\n') == 1, done.stderr)
        self.assertGreater(refusals, 20)

    def test_wrong_shape_missing_tensor_wrong_dtype(self):
        name = next(n for n in support.read_safetensors(self.bad / SHARD) if n.endswith('self_attn.q_proj.weight'))
        short = name.split('model.')[-1]

        def transpose(tensors):
            dtype, shape, data = tensors[name]
            tensors[name] = (dtype, [shape[0] // 2, shape[1] * 2], data)
        self.edit_shard(transpose)
        text = self.refused(short, command='logits')
        self.assertIn('expected', text)

        shutil.copyfile(self.model / SHARD, self.bad / SHARD)
        self.edit_shard(lambda tensors: tensors.pop(name))
        self.refused(short)

        shutil.copyfile(self.model / SHARD, self.bad / SHARD)
        self.edit_shard(lambda tensors: tensors.update({name: ('F64', tensors[name][1], tensors[name][2])}))
        self.refused(SHARD)

    def test_index_files(self):
        index = 'model.safetensors.index.json'

        def all_to(shard):
            return lambda value: value['weight_map'].update({k: shard for k in value['weight_map']})
        self.edit_json(index, all_to('nowhere.safetensors'))
        self.refused('nowhere.safetensors')
        self.edit_json(index, all_to('../model/' + SHARD))
        self.refused(index)
        self.edit_json(index, all_to(index))  # an index that names itself
        self.refused(index)
        self.edit_json(index, all_to(SHARD))  # tensors that the shard lacks
        self.refused(SHARD)
        (self.bad / index).write_text('[' * 100000)
        self.refused(index)

    def test_config(self):
        for change, words in ((lambda c: c.pop('hidden_size'), []), (lambda c: c.update(num_hidden_layers='five'), ['num_hidden_layers']),
                              (lambda c: c.update(num_hidden_layers=10**12), ['num_hidden_layers']),
                              (lambda c: c.update(intermediate_size=[96, 96]), ['intermediate_size']),
                              (lambda c: c.update(head_dim=-16), ['head_dim']),
                              (lambda c: c.update(architectures=['LlamaForCausalLM'], model_type='llama'), ['llama']),
                              (lambda c: c.update(vocab_size=10**9), [])):
            shutil.copyfile(self.model / 'config.json', self.bad / 'config.json')
            self.edit_json('config.json', change)
            self.refused(*words)
        (self.bad / 'config.json').write_text('{"hidden_size": 64')
        self.refused('config.json')

    def test_tokenizer(self):
        (self.bad / 'tokenizer.json').write_text('{"model": {"type": "WordPiece"}}')
        self.refused('tokenizer.json')
        (self.bad / 'tokenizer.json').unlink()
        self.refused('tokenizer')
        (self.bad / 'tokenizer.model').write_bytes(bytes(range(256)))
        self.refused('tokenizer.model')
        self.fails('tokenize', '--model', self.bad / 'tokenizer.model', '--prompt', 'x', words=['tokenizer.model'])

    def test_chat_template(self):
        file = self.folder / 'bad.jinja'
        for text in ('{% for x in %}', '{{ messages | unheard_of }}', '{% macro m() %}{% endmacro %}{% import "x" as y %}',
                     '{{ raise_exception("not today") }}'):
            file.write_text(text)
            self.fails('run', '--model', self.model, '--prompt', 'x', '--chat-template', file)
        self.fails('run', '--model', self.model, '--prompt', 'x', '--chat-template', self.folder / 'none', words=['none'])

    def test_gguf(self):
        good, bad = self.folder / 'good.gguf', self.folder / 'bad.gguf'
        self.gemma3n('quantize', '--model', self.model, '--type', 'Q8_0', '--output', good)
        data = good.read_bytes()
        for broken in (data[:3], data[:40], data[:len(data) // 2], data[:-1], b'GGUX' + data[4:],
                       data[:4] + struct.pack('<I', 99) + data[8:], data[:8] + struct.pack('<Q', 1 << 60) + data[16:],
                       data[:16] + struct.pack('<Q', 1 << 60) + data[24:]):
            bad.write_bytes(broken)
            self.fails('run', '--model', bad, '--prompt', 'x', '--max-tokens', 1, words=['bad.gguf'])
            self.fails('inspect', bad, words=['bad.gguf'])
        rng = random.Random(6)
        for _ in range(40):
            flipped = bytearray(data)
            flipped[rng.randrange(6000)] ^= 1 << rng.randrange(8)
            bad.write_bytes(flipped)
            done = subprocess.run(support.command_line('run', '--model', bad, '--prompt', 'x', '--max-tokens', 1), capture_output=True,
                                  timeout=60)
            self.assertIn(done.returncode, (0, 1), done.stderr)

    def test_prompts(self):
        run = ['run', '--model', self.model, '--prompt']
        self.fails(*run, '', words=['--prompt', 'found none'])
        self.fails(*run, '-', words=['standard input'])
        self.fails(*run, ' \n', words=['spaces'])
        self.fails(*run, b'ab\xffc'.decode(errors='surrogateescape'), words=['0xff', 'offset 2'])
        self.fails(*run, '-', stdin=b'\xed\xa0\x80', words=['UTF-8', 'offset 0'])
        self.fails(*run, '@/nowhere/prompt', words=['/nowhere/prompt'])
        self.fails(*run, '@', words=['file name'])
        self.fails(*run, f'@{self.folder}', words=[self.folder])
        self.fails(*run, 'x ' * 300, words=['context', '256'])
        self.fails(*run, 'the', '--context', '5', words=['context', '5'])
        self.fails(*run, 'x', '--context', '300', words=['context', '256'])
        self.fails(*run, 'x', '--size', 'e2b', words=['e2b'])
        self.fails(*run, 'x', '--size', 'huge', words=['huge'])
        self.fails(*run, 'x', '--mlp-width', '97', words=['97', '96'])
        self.fails(*run, 'x', '--skip-layers', '9', words=['9'])
        self.fails(*run, 'x', '--stop-token', '999', '--logit-bias', '999=1', words=['999'])
        self.fails('logits', '--model', self.model, '--prompt', 'x ' * 300, '--output', self.folder / 'o.npy', words=['256'])


class WritingTest(support.CliTest):
    """Writes that do not come to their end. The model is wide, so that writing takes a while."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.wide = support.make_checkpoint(cls.folder / 'wide')
        vocab = 600_000
        config = json.loads((cls.wide / 'config.json').read_text())
        config.update(vocab_size=vocab, vocab_size_per_layer_input=vocab)
        (cls.wide / 'config.json').write_text(json.dumps(config))
        tensors = {}
        for shard in cls.wide.glob('*.safetensors'):
            tensors.update(support.read_safetensors(shard))
            shard.unlink()
        (cls.wide / 'model.safetensors.index.json').unlink()
        tensors.pop('lm_head.weight', None)  # tied to the table that grows
        cls.write_sparse(cls.wide / 'model.safetensors', tensors, vocab)

    @staticmethod
    def write_sparse(path, tensors, vocab):
        """The two vocabulary tables last, grown to `vocab` rows of zeros that take no room on the disk."""
        tables = [n for n in tensors if n.endswith(('embed_tokens.weight', 'embed_tokens_per_layer.weight'))]
        header, body, at = {}, b'', 0
        for name in [n for n in tensors if n not in tables] + tables:
            dtype, shape, data = tensors[name]
            if name in tables:
                shape = [vocab, shape[1]]
            size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1) if name in tables else len(data)
            header[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [at, at + size]}
            body += b'' if name in tables else data
            at += size
        text = json.dumps(header).encode()
        with open(path, 'wb') as f:
            f.write(struct.pack('<Q', len(text)) + text + body)
            f.truncate(8 + len(text) + at)

    def start_quantize(self, folder):
        """A quantize run whose temporary file has begun to grow."""
        folder.mkdir(exist_ok=True)
        out = folder / 'out.gguf'
        process = support.start('quantize', '--model', self.wide, '--type', 'F32', '--output', out)
        end = time.monotonic() + 60
        while not any(p.stat().st_size > 1 << 20 for p in folder.iterdir() if p != out):
            self.assertIsNone(process.poll(), 'ended before it could be stopped')
            self.assertLess(time.monotonic(), end)
            time.sleep(0.002)
        return process, out

    def test_kill_leaves_no_half_file(self):
        process, out = self.start_quantize(self.folder / 'killed')
        process.kill()
        process.communicate()
        self.assertFalse(out.exists())

    def test_kill_leaves_the_old_file(self):
        folder = self.folder / 'old'
        folder.mkdir()
        (folder / 'out.gguf').write_bytes(b'the old one')
        process, out = self.start_quantize(folder)
        process.kill()
        process.communicate()
        self.assertEqual(out.read_bytes(), b'the old one')

    def test_interrupt_cleans_up(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process, out = self.start_quantize(self.folder / 'stopped')
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=60)
            self.assertEqual((process.returncode, stdout, stderr), (128 + number, b'', b''))
            self.assertEqual(list(out.parent.iterdir()), [])

    def test_interrupt_ends_an_answer(self):
        model = support.make_checkpoint(self.folder / 'long', context=32768)
        process = support.start('run', '--model', model, '--prompt', 'x', '--logit-bias', '262=900', '--stats')
        self.assertEqual(os.read(process.stdout.fileno(), 1), b'a')
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertRegex(stdout, rb'^a*\n$')  # one letter was read above
        self.assertIn(b'ended by cancelled', stderr)

    def test_interrupt_of_logits_leaves_nothing(self):
        model = support.make_checkpoint(self.folder / 'long2', context=32768)
        folder = self.folder / 'npy'
        folder.mkdir()
        ids = self.folder / 'many.json'
        ids.write_text(json.dumps([2] + [270, 271] * 12000))
        process = support.start('logits', '--model', model, '--tokens', ids, '--output', folder / 'o.npy')
        while not list(folder.iterdir()):
            self.assertIsNone(process.poll())
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual((process.returncode, list(folder.iterdir())), (130, []))

    def test_full_disk_on_stdout(self):
        for args in (['run', '--model', self.model, '--prompt', 'x'], ['logits', '--model', self.model, '--prompt', 'x', '--output', '-'],
                     ['tokenize', '--model', self.model, '--prompt', 'x'], ['inspect', self.model],
                     ['bench', '--model', self.model, '--prompt-tokens', 4, '--gen-tokens', 2, '--json']):
            with open('/dev/full', 'wb') as full:
                done = subprocess.run(support.command_line(*args), stdout=full, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(done.returncode, 1, args)
            self.assertRegex(done.stderr, rb'^gemma3n: standard output: cannot write it \(No space left on device\)\n$')

    def test_full_disk(self):
        """A limit on file sizes stands in for a small disk where none can be mounted; both are tried where both can be."""
        out = self.folder / 'limited'
        out.mkdir()

        def limit():
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        for args in (['quantize', '--model', self.wide, '--output', out / 'o.gguf'],
                     ['slice', '--model', self.wide, '--mlp-width', 64, '--output', out / 'sliced']):
            self.fails(*args, words=[out], preexec_fn=limit)
            self.assertEqual(list(out.iterdir()), [])
        disk = self.folder / 'disk'
        disk.mkdir()
        if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], capture_output=True).returncode != 0:
            self.skipTest('cannot mount a small disk here')
        try:
            (disk / 'o.gguf').write_bytes(b'the old one')
            self.fails('quantize', '--model', self.wide, '--output', disk / 'o.gguf', words=['o.gguf', 'No space left'])
            self.assertEqual((disk / 'o.gguf').read_bytes(), b'the old one')
            self.assertEqual(len(list(disk.iterdir())), 1)
            ids = self.folder / 'ids.json'
            ids.write_text(json.dumps([2] * 3))
            self.fails('logits', '--model', self.wide, '--tokens', ids, '--output', disk / 'o.npy', words=['o.npy', 'No space left'])
            self.assertEqual(len(list(disk.iterdir())), 1)
        finally:
            subprocess.run(['umount', disk])


if __name__ == '__main__':
    unittest.main()
