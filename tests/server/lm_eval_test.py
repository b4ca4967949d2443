"""lm-evaluation-harness, by its local-completions, against what the program itself computes."""
import ast
import json
import math
import pathlib
import struct
import subprocess
import tempfile
import unittest

from clients import require
from support import BIN, MODEL, ServerTest

require('lm_eval')
from lm_eval.evaluator import simple_evaluate  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

TURN = '<start_of_turn>user\n{}<end_of_turn>\n<start_of_turn>model\n'
# Question, choices, the right one's place.
CHOICES = [('Copy: red cat', ['red cat', 'blue dog', 'one'], 0),
           ('What is two plus two?', ['seven', 'four', 'three'], 1),
           ('Count: cat cat cat', ['two', 'nine', 'three'], 2),
           ('Sort: 3 1 2', ['1 2 3', '3 2 1', '2 1 3'], 0)]
QUESTIONS = ['What is three plus four?', 'Copy: red cat', 'Sort: 3 1 2']

CHOICE_TASK = """
task: tiny_choice
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{file}"}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{text}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{label}}}}"
target_delimiter: ""
metric_list: [{{metric: acc}}]
"""
WRITE_TASK = """
task: tiny_write
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{file}"}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{text}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["<end_of_turn>"], max_gen_toks: 12, temperature: 0}}
metric_list: [{{metric: exact_match}}]
"""


def read_npy(path):
    """Rows of a float32 .npy."""
    data = path.read_bytes()
    length = struct.unpack('<H', data[8:10])[0]
    header = ast.literal_eval(data[10:10 + length].decode())
    rows, cols = header['shape']
    values = struct.unpack(f'<{rows * cols}f', data[10 + length:])
    return [values[r * cols:(r + 1) * cols] for r in range(rows)]


class LmEvalTest(ServerTest):
    """In float32, so that it makes no difference which requests ran in one batch."""
    ARGS = ('--precision', 'f32')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.write('choice', CHOICE_TASK, [{'text': TURN.format(q), 'choices': c, 'label': i} for q, c, i in CHOICES])
        cls.answers = [cls.run_cli('run', '--prompt', q, '--temperature', 0, '--max-tokens', 12).decode().rstrip('\n')
                       for q in QUESTIONS]
        cls.write('write', WRITE_TASK, [{'text': TURN.format(q), 'answer': a} for q, a in zip(QUESTIONS, cls.answers)])
        cls.tasks = TaskManager(include_path=str(cls.folder), include_defaults=False)

    @classmethod
    def write(cls, name, task, docs):
        file = cls.folder / f'{name}.jsonl'
        file.write_text(''.join(json.dumps(doc) + '\n' for doc in docs))
        (cls.folder / f'{name}.yaml').write_text(task.format(file=file))

    @classmethod
    def run_cli(cls, command, *args, stdin=''):
        return subprocess.run([BIN, command, '--model', str(MODEL), '--threads', '1', *cls.ARGS, *map(str, args)], check=True,
                              input=stdin.encode(), stdout=subprocess.PIPE).stdout

    def evaluate(self, task, batch_size=1, **options):
        args = dict(model='tiny', base_url=self.server.url + '/v1/completions', max_retries=1, **options)
        return simple_evaluate(model='local-completions', model_args=args, tasks=[task], task_manager=self.tasks,
                               log_samples=True, bootstrap_iters=0, batch_size=batch_size)

    def ids(self, text):
        return self.server.json('POST', '/tokenize', {'prompt': text, 'add_special_tokens': False})['tokens']

    def likelihood(self, context, continuation, bos):
        """Of the continuation by `gemma3n logits`, and whether it is the greedy one."""
        whole = self.ids(context + continuation)
        ids = ([2] if bos else []) + whole
        # The harness counts spaces at the context's end to the continuation.
        first = len(ids) - len(whole) + len(self.ids(context.rstrip()))
        file = self.folder / 'logits.npy'
        self.run_cli('logits', '--tokens', '-', '--output', file, stdin=json.dumps(ids))
        total, greedy = 0, True
        for row, token in list(zip(read_npy(file), ids[1:]))[first - 1:]:
            most = max(row)
            total += row[token] - most - math.log(sum(math.exp(x - most) for x in row))
            greedy = greedy and row[token] == most
        return total, greedy

    def check_choices(self, bos, **options):
        results = self.evaluate('tiny_choice', **options)
        right = 0
        for (question, choices, label), sample in zip(CHOICES, results['samples']['tiny_choice']):
            expected = [self.likelihood(TURN.format(question), c, bos) for c in choices]
            for (logprob, greedy), (want, want_greedy) in zip(sample['filtered_resps'], expected):
                self.assertAlmostEqual(float(logprob), want, delta=1e-4)
                self.assertEqual(str(greedy), str(want_greedy))
            right += max(range(len(choices)), key=lambda i: expected[i][0]) == label
        self.assertAlmostEqual(results['results']['tiny_choice']['acc,none'], right / len(CHOICES))

    def test_scores_ids(self):
        # With the server's own tokenizer, which the harness finds by itself.
        self.check_choices(bos=False)

    def test_scores_texts(self):
        # <bos> comes in front, as texts get it, and is no part of what is scored.
        self.check_choices(bos=True, tokenized_requests=False, batch_size=3)

    def test_scores_many_at_once(self):
        self.check_choices(bos=False, num_concurrent=4)

    def test_generates(self):
        results = self.evaluate('tiny_write', tokenized_requests=False)
        self.assertEqual(results['results']['tiny_write']['exact_match,none'], 1)
        self.assertEqual([s['filtered_resps'][0] for s in results['samples']['tiny_write']], self.answers)

    def test_chats(self):
        self.write('chat', WRITE_TASK.replace('tiny_write', 'tiny_chat'),
                   [{'text': q, 'answer': a} for q, a in zip(QUESTIONS, self.answers)])
        results = simple_evaluate(model='local-chat-completions', tasks=['tiny_chat'], apply_chat_template=True,
                                  model_args=dict(model='tiny', base_url=self.server.url + '/v1/chat/completions'),
                                  task_manager=TaskManager(include_path=str(self.folder), include_defaults=False),
                                  bootstrap_iters=0)
        self.assertEqual(results['results']['tiny_chat']['exact_match,none'], 1)


if __name__ == '__main__':
    unittest.main()
