"""gemma3n chat: piped, and on a terminal."""
import json
import os
import signal
import unittest

import support
from terminal import Terminal


class PipedChatTest(support.CliTest):
    def chat(self, text, *args, **kwargs):
        return self.gemma3n('chat', '--model', self.model, '--max-tokens', 8, *args, stdin=text, **kwargs)

    def saved(self, text, *args, **kwargs):
        """The conversation's messages at the end of `text`."""
        file = self.folder / 'saved.json'
        file.unlink(missing_ok=True)
        self.chat(f'{text}\n/save {file}\n', *args, **kwargs)
        return [(m['role'], m['content']) for m in json.loads(file.read_text())['messages']]

    def test_answers_like_run(self):
        done = self.chat('the other\n')
        self.assertEqual(done.stdout, self.gemma3n('run', '--model', self.model, '--prompt', 'the other', '--max-tokens', 8).stdout)
        self.assertEqual(done.stderr, b'')
        self.assertEqual(self.chat('the other').stdout, done.stdout)  # no newline at the end

    def test_turns_build_a_conversation(self):
        messages = self.saved('the\nother\n', '--system', 'be terse', '--logit-bias', '262=900')
        self.assertEqual(messages, [('system', 'be terse'), ('user', 'the'), ('assistant', 'a' * 8), ('user', 'other'),
                                    ('assistant', 'a' * 8)])

    def test_second_turn_costs_its_new_tokens(self):
        stats = self.chat('the\nother\n', '--stats').stderr.decode()
        prompts = [line.split() for line in stats.splitlines() if line.startswith('prompt')]
        total, cached = int(prompts[1][1]), int(prompts[1][3])
        # Before: the first prompt, and the answer but for its last token, which was not run.
        self.assertEqual(cached, int(prompts[0][1]) + 8 - 1)
        turn = '<end_of_turn>\n<start_of_turn>user\nother<end_of_turn>\n<start_of_turn>model\n'
        new = json.loads(self.gemma3n('tokenize', '--model', self.model, '--prompt', turn).stdout)
        self.assertEqual(total - cached, 1 + len(new))

    def test_second_answer_is_the_whole_conversations(self):
        """The kept ids give what the re-read conversation gives, where both are the same ids."""
        bias = ['--logit-bias', '262=30', '--logit-bias', '263=29.9']
        answers = self.chat('the\nother\n', *bias).stdout
        first = self.gemma3n('run', '--model', self.model, '--prompt', 'the', '--max-tokens', 8, *bias).stdout
        text = first.decode().removesuffix('\n')
        turns = f'<start_of_turn>user\nthe<end_of_turn>\n<start_of_turn>model\n{text}<end_of_turn>\n<start_of_turn>user\nother<end_of_turn>\n<start_of_turn>model\n'
        second = self.gemma3n('run', '--model', self.model, '--raw', '--prompt', turns, '--max-tokens', 8, *bias).stdout
        self.assertEqual(answers, first + second)

    def test_many_lines(self):
        user = [m for m in self.saved('a\\\nb\n"""\nc\n\n d\n"""\n"""e"""\n//f\n\n   \n') if m[0] == 'user']
        self.assertEqual([m[1] for m in user], ['a\nb', 'c\n\n d\n', 'e', '/f'])

    def test_reset_and_load(self):
        file = self.folder / 'talk.json'
        self.assertEqual(self.saved('the\n/reset\nother')[0], ('user', 'other'))
        before = self.saved('the\nother')
        file.write_text(json.dumps({'messages': [{'role': r, 'content': c} for r, c in before]}))
        self.assertEqual(self.saved(f'x\n/load {file}'), before)
        more = self.saved(f'/load {file}\nthing')
        self.assertEqual((more[:4], more[4]), (before, ('user', 'thing')))

    def test_exit(self):
        self.assertEqual(self.chat('/exit\nthe\n').stdout, b'')

    def test_complaints(self):
        file = self.folder / 'broken.json'
        for content, word in (('{', 'not JSON'), ('{"messages": 3}', 'number'), ('[{"role": "user"}]', 'message 0'),
                              ('[{"role": "user", "content": "x"}]', 'without its answer'),
                              ('[{"role": "assistant", "content": "x"}]', 'alternate')):
            file.write_text(content)
            self.fails_quietly(f'/load {file}\n', word)
        self.fails_quietly('/load\n', 'file name')
        self.fails_quietly('/load /nowhere/x\n', '/nowhere/x')
        self.fails_quietly('/save /nowhere/x\n', '/nowhere/x')
        self.fails_quietly('/fly\n', '/fly')
        self.fails_quietly(b'\xff\n', '0xff')
        self.fails_quietly('the ' * 300 + '\n', '/reset')

    def fails_quietly(self, text, word):
        done = self.chat(text, code=1)  # a script learns that something was not done
        self.assertIn(word, done.stderr.decode())
        self.assertEqual(done.stderr.count(b'\n'), 1)
        self.assertEqual(done.stdout, b'')


class TerminalChatTest(support.CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.long_model = support.make_checkpoint(cls.folder / 'long', context=32768)

    def chat(self, *args):
        state = self.folder / 'state'
        return Terminal('chat', '--model', self.long_model, *args, env={'XDG_STATE_HOME': str(state), 'LANG': 'C.UTF-8'})

    def test_a_conversation(self):
        t = self.chat('--max-tokens', 3, '--logit-bias', '262=900')
        t.expect(b'/help')
        t.expect(b'> ')
        t.send('thé\n'.encode())
        t.expect(b'aaa\r\n')
        t.expect(b'> ')
        t.send(b'/stats\n')
        t.expect(b'context')
        t.expect(b'> ')
        t.send(b'half\x03')  # Ctrl-C at the prompt drops the line
        t.expect(b'^C')
        t.expect(b'> ')
        t.send(b'/save ' + str(self.folder / 't.json').encode() + b'\n')
        t.expect(b'saved 1 turns')
        t.expect(b'> ')
        t.send(b'\x04')
        self.assertEqual(t.finish(), 0)
        messages = json.loads((self.folder / 't.json').read_text())['messages']
        self.assertEqual(messages, [{'role': 'user', 'content': 'thé'}, {'role': 'assistant', 'content': 'aaa'}])

    def test_history_is_kept(self):
        bias = ['--max-tokens', 3, '--logit-bias', '262=900']
        t = self.chat(*bias)
        t.expect(b'> ')
        t.send(b'remember me\n')
        t.expect(b'aaa\r\n')
        t.expect(b'> ')
        t.send(b'/exit\n')
        self.assertEqual(t.finish(), 0)
        history = self.folder / 'state' / 'gemma3n' / 'history'
        self.assertEqual(history.stat().st_mode & 0o777, 0o600)
        t = self.chat(*bias)
        t.expect(b'> ')
        t.send(b'\x1b[A\x1b[A')  # up, past /exit
        t.expect(b'remember me')
        t.send(b'\n')
        t.expect(b'aaa\r\n')
        t.expect(b'> ')
        t.send(b'\x04')
        self.assertEqual(t.finish(), 0)

    def test_ctrl_c_stops_the_answer_only(self):
        t = self.chat('--logit-bias', '262=900')  # would go on for 32768 tokens
        t.expect(b'> ')
        t.send(b'the\n')
        t.expect(b'aaaa')
        t.send(b'\x03')
        t.expect(b'(stopped)')
        t.expect(b'> ')
        t.send(b'/stats\n')
        t.expect(b'ended by cancelled')
        t.expect(b'> ')
        t.send(b'/exit\n')
        self.assertEqual(t.finish(), 0)

    def test_sigterm_ends(self):
        t = self.chat('--logit-bias', '262=900')
        t.expect(b'> ')
        t.send(b'the\n')
        t.expect(b'aaaa')
        os.kill(t.pid, signal.SIGTERM)
        self.assertEqual(t.finish(), 143)


if __name__ == '__main__':
    unittest.main()
