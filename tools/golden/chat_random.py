"""Random templates for chat_fixtures.py: a grammar over a few variables, types mixed on purpose now and then."""
import random

VARIABLES = dict(
    a='alpha', b='  Beta gamma ', c='ünïcode 😀', i=3, j=-2, k=0, x=1.5, y=-0.25, t=True, f=False, nil=None, ls=['b', 'a', 'C'],
    ns=[4, 0, -1, 2.5], mx=[1, 'one', None, [2]], em=[], d={'a': 1, 'b': 'two', 'c': [1, 2]},
    msgs=[{'role': 'user', 'content': 'hi '}, {'role': 'model', 'content': [{'type': 'text', 'text': ' x'}, {'type': 'image'}]}],
)


class Grammar:
    def __init__(self, rng):
        self.rng = rng
        self.names = {'str': ['a', 'b', 'c'], 'num': ['i', 'j', 'k', 'x', 'y'], 'list': ['ls', 'ns', 'mx', 'em', 'msgs'],
                      'dict': ['d'], 'bool': ['t', 'f'], 'any': ['nil', 'missing', 'd.a', 'd.zz', 'msgs[0].role']}

    def pick(self, *options):
        return self.rng.choice(options)

    def any(self, depth):
        kind = self.pick('str', 'str', 'num', 'num', 'list', 'bool', 'dict', 'name')
        return self.name() if kind == 'name' else getattr(self, kind)(depth)

    def name(self):
        return self.pick(*self.names['any'])

    def of(self, kind, depth):
        if self.rng.random() < 0.06:
            return self.any(depth)
        return getattr(self, kind)(depth)

    def str(self, depth):
        if depth <= 0:
            return self.pick(*self.names['str'], "'lit'", "'A b'", "''", "'x\\ny'", '"dq"')
        s, n, o = (lambda: self.of('str', depth - 1)), (lambda: self.of('num', depth - 1)), (lambda: self.any(depth - 1))
        return self.pick(
            lambda: f'{s()} ~ {o()}', lambda: f'({s()} + {s()})', lambda: f'{s()} | upper', lambda: f'({s()}).lower()',
            lambda: f'{s()} | trim', lambda: f"({s()}).strip({self.pick('', chr(39) + 'a ' + chr(39))})", lambda: f'({o()}) | string',
            lambda: f'({s()} ~ k)[{self.slice()}]', lambda: f"({s()}).replace('a', {s()})", lambda: f'{s()} | replace({s()}, {s()})',
            lambda: f'({self.list(depth - 1)}) | join({s()})', lambda: f'({o()}) | tojson', lambda: f'({s()} if {self.bool(depth - 1)} else {s()})',
            lambda: f'{self.name()} | default({s()})', lambda: f'({s()}) | title', lambda: f'({s()}) | capitalize',
            lambda: f"({s()}).split('a')[{self.pick(0, -1, 1)}]", lambda: f'({s()}) | reverse', lambda: f"'%s' % ({s()})",
            lambda: f"({s()}) * {self.pick(0, 1, 2)}", lambda: f'{s()} | indent({self.pick(1, 2)})', lambda: f'({s()})[{self.pick(0, -1, 1, 9)}]',
        )()

    def slice(self):
        part = lambda: self.pick('', '', '1', '-1', '2', '-2', 'i', 'k')  # noqa: E731
        return f'{part()}:{part()}' + self.pick('', '', ':', ':-1', ':2')

    def num(self, depth):
        if depth <= 0:
            return self.pick(*self.names['num'], '0', '1', '2', '10', '1.5', '-1')
        n = lambda: self.of('num', depth - 1)  # noqa: E731
        return self.pick(
            lambda: f'{n()} + {n()}', lambda: f'({n()} - {n()})', lambda: f'{n()} * {n()}', lambda: f'({n()}) / ({n()})',
            lambda: f'({n()}) // ({n()})', lambda: f'({n()}) % ({n()})', lambda: f'-({n()})', lambda: f'({self.str(depth - 1)}) | length',
            lambda: f'({self.list(depth - 1)}) | length', lambda: f'({n()}) | abs', lambda: f'({n()}) | int', lambda: f'({n()}) | round',
            lambda: f'({self.str(depth - 1)}) | int', lambda: f'({n()}) | float', lambda: f'({self.str(depth - 1)}).find({self.str(0)})',
            lambda: f'({n()} if {self.bool(depth - 1)} else {n()})', lambda: f"({self.str(depth - 1)}).count('a')", lambda: f'({n()}) | round(1)',
        )()

    def bool(self, depth):
        if depth <= 0:
            return self.pick(*self.names['bool'], 'true', 'False', 'a', 'em', 'missing')
        b, o = (lambda: self.of('bool', depth - 1)), (lambda: self.any(depth - 1))
        return self.pick(
            lambda: f'({b()} and {b()})', lambda: f'({b()} or {b()})', lambda: f'(not {b()})', lambda: f'(({o()}) == ({o()}))',
            lambda: f'({self.of("num", depth - 1)} < {self.of("num", depth - 1)})', lambda: f'(({self.str(depth - 1)}) in ({self.str(depth - 1)}))',
            lambda: f'(({o()}) in ({self.list(depth - 1)}))', lambda: f'(({o()}) is {self.test()})', lambda: f'(({o()}) is not {self.test()})',
            lambda: f'(({self.str(depth - 1)}) <= ({self.str(depth - 1)}))', lambda: f"({self.str(depth - 1)}).startswith({self.str(0)})",
            lambda: f'({self.str(0)} in d)', lambda: f'(({o()}) != ({o()}))',
        )()

    def test(self):
        return self.pick('defined', 'undefined', 'none', 'string', 'number', 'integer', 'float', 'boolean', 'true', 'false', 'mapping',
                         'sequence', 'iterable', 'odd', 'even', 'eq 1', "equalto('a')", 'divisibleby 2', 'in [1, 2]', 'lower', 'upper')

    def list(self, depth):
        if depth <= 0:
            return self.pick(*self.names['list'], '[]', "['p', 'q']", '[1, 2, 3]', '(1, 2)')
        l = lambda: self.of('list', depth - 1)  # noqa: E731
        return self.pick(
            lambda: f'[{self.any(depth - 1)}, {self.any(depth - 1)}]', lambda: f'({l()} + {l()})', lambda: f'({l()} + em)[{self.slice()}]',
            lambda: f'({l()}) | reverse | list', lambda: f'({l()}) | sort', lambda: f'({l()}) | unique | list',
            lambda: f"({l()}) | map('string') | list", lambda: f"({l()}) | select('{self.pick('string', 'number', 'defined', 'odd')}') | list",
            lambda: f"({l()}) | reject('{self.pick('string', 'number', 'none')}') | list", lambda: f'({self.str(depth - 1)}) | list',
            lambda: f'range({self.pick("i", "2", "k", "1, 4", "5, 1, -2")}) | list', lambda: f"({self.str(depth - 1)}).split({self.pick('', chr(39) + ' ' + chr(39))})",
            lambda: f"msgs | map(attribute='{self.pick('role', 'content', 'none')}') | list", lambda: 'd.items() | list', lambda: f'({self.dict(depth - 1)}) | list',
            lambda: f"msgs | selectattr('role', '{self.pick('eq', 'ne')}', 'user') | list", lambda: f'({l()}) | map("default", {self.str(0)}) | list',
        )()

    def dict(self, depth):
        if depth <= 0:
            return self.pick('d', '{}', "{'k': 1}", 'msgs[0]')
        return self.pick(
            lambda: f"{{'p': {self.any(depth - 1)}, {self.str(0)}: {self.any(depth - 1)}}}", lambda: f'dict({self.dict(depth - 1)}, q={self.any(depth - 1)})',
            lambda: f'dict(a={self.any(depth - 1)})', lambda: f'({self.dict(depth - 1)}) | dictsort',
        )()

    def space(self):
        return self.pick('', '', '', ' ', '\n', '  \n', '\n\n  ', ' . ', 'text ')

    def tag(self, body):
        return '{%' + self.pick('', '', '-', '-', '+') + f' {body} ' + self.pick('', '', '-', '-', '+') + '%}'

    def block(self, depth):
        out = ''
        for _ in range(self.rng.randint(1, 3)):
            out += self.space() + self.statement(depth) + self.space()
        return out

    def statement(self, depth):
        if depth <= 0 or self.rng.random() < 0.4:
            return '{{' + self.pick('', '-') + f' {self.any(2)} ' + self.pick('', '-') + '}}'
        var = self.pick('v', 'w', 'a', 'i')
        return self.pick(
            lambda: self.tag(f'if {self.bool(2)}') + self.block(depth - 1) + self.tag('endif'),
            lambda: self.tag(f'if {self.bool(1)}') + self.block(depth - 1) + self.tag(f'elif {self.bool(1)}') + self.block(depth - 1) + self.tag('else') + self.block(depth - 1) + self.tag('endif'),
            lambda: self.tag(f'for {var} in {self.of("list", 1)}') + '{{ ' + self.pick(var, 'loop.index', 'loop.last', 'loop.previtem', f'{var} ~ loop.length') + ' }}' + self.block(depth - 1) + self.tag('endfor'),
            lambda: self.tag(f'for {var} in ({self.of("list", 1)}) if {var} is {self.test()}') + self.block(depth - 1) + self.pick('', self.tag(self.pick('break', 'continue'))) + self.tag('else') + 'none' + self.tag('endfor'),
            lambda: self.tag(f'set v = {self.any(2)}') + '{{ v }}',
            lambda: self.tag('set w') + self.block(depth - 1) + self.tag('endset') + '[{{ w | trim }}]',
            lambda: self.tag('set s = namespace(v=0)') + self.tag(f'for {var} in {self.list(1)}') + self.tag('set s.v = s.v + 1') + self.block(depth - 1) + self.tag('endfor') + '{{ s.v }}',
            lambda: self.tag(f'macro m(p, q={self.any(1)})') + '{{ p }}' + self.block(depth - 1) + '{{ q }}' + self.tag('endmacro') + f'{{{{ m({self.any(1)}) }}}}{{{{ m({self.any(1)}, q={self.any(1)}) | length }}}}',
            lambda: self.tag(f'with {var} = {self.any(1)}') + self.block(depth - 1) + self.tag('endwith'),
            lambda: self.tag('filter upper') + self.block(depth - 1) + self.tag('endfilter'),
            lambda: '{#' + self.pick('', '-') + ' note ' + self.pick('', '-') + '#}',
        )()


def templates(count, seed):
    grammar = Grammar(random.Random(seed))
    for number in range(count):
        if number % 2:
            yield grammar.block(2)
        else:
            yield '{{ ' + grammar.any(3) + ' }}'
