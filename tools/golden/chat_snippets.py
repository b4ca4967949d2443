"""Snippets for chat_fixtures.py: each line of the lists is one template."""

VARIABLES = dict(
    s='Hello World', t='  padded\t\n', e='', u='Grüße, ΩΜΕΓΑ 日本語 😀', q='it\'s "q"', n=7, z=0, f=2.5, neg=-3, yes=True, no=False,
    nil=None, l=[3, 1, 2], ls=['b', 'A', 'c', 'a'], em=[], d={'a': 1, 'b': [1, 2], 'items': 'mine', 'x y': None},
    people=[{'name': 'Zoe', 'age': 30, 'pet': {'kind': 'cat'}}, {'name': 'adam', 'age': 25}, {'name': 'Bob', 'age': 30, 'pet': None}],
    nested=[[1, 2], [3, [4, 5]], []], lines='one\ntwo\n\nthree', big=12345678901,
    messages=[{'role': 'user', 'content': 'hi'}, {'role': 'assistant', 'content': [{'type': 'text', 'text': ' yo '}]}],
)

_EXPRESSIONS = r'''
s
missing
nil
yes
no
n
f
l
d
em
nested
q
u
'a' 'b' "c"
'esc \n\t\\\'\" \x41 \u00e9 \U0001F600 \101 \q \é'
"multi
line"
1_000
0x1F + 0b101 + 0o17
1.5e3
1e16
1e-5
123456789.0
0.1 + 0.2
1e22
5e-324
1.0
100000000000000000.0
-0.0
[1, 'a', none, true, 1.5, [2], (3,), {}]
(1,)
()
(1, 2)
{'k': 'v', 1: 2, none: true, 'n': {'m': []}}
{'a': 1, 'a': 2}
1 + 2 * 3
(1 + 2) * 3
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
7 / 2
6 / 2
7 // 2
-7 // 2
7 % 3
-7 % 3
7 % -3
7.5 % 2
-7.5 % 2
7.5 // 2
-7.5 // 2
1 / 0
1 // 0
1 % 0
1.0 / 0
0 ** -1
true + 1
true + true
n + f
n - 10
n * 1.5
+n
-n
- -n
-f
not n
not not e
not e
'a' + 'b'
'a' + 1
1 + 'a'
'a' * 3
3 * 'ab'
'a' * -1
[1] + [2, 3]
(1,) + (2,)
[1] + (2,)
[0] * 3
l + em
d + d
'a' ~ 1 ~ none ~ true ~ 1.5 ~ missing ~ [1]
1 ~ 2 + 3
'x' ~ 1 + 1
1 + 1 ~ 'x'
1 == 1.0
1 == true
'1' == 1
none == false
[1, 2] == [1, 2]
(1, 2) == [1, 2]
{'a': 1} == {'a': 1.0}
missing == missing
missing == none
missing == ''
1 != 2
1 < 2 < 3
1 < 3 < 2
1 < 2 == true
'a' < 'b'
'a' < 'B'
'Z' < 'a'
[1, 2] < [1, 3]
[1] < [1, 0]
1 < 'a'
none < 1
none >= none
missing < 1
1.5 >= 1
2 >= 2.0
'é' > 'z'
1 in l
9 in l
9 not in l
'ell' in s
'' in s
1 in s
'a' in d
1 in d
'z' not in d
none in [none]
1 in none
'a' in missing
1 in 5
[1] in [[1]]
[1] in d
not 1 in l
1 and 2
0 and 2
0 or 'x'
'' or none
1 or missing.x
0 and missing.x
yes and no or yes
no and no or yes
not no and no
'a' if yes else 'b'
'a' if no else 'b'
'a' if no
('a' if no) is defined
'a' if no else 'b' if no else 'c'
1 if 0 else 2 if 1 else 3
[1 if yes else 2, 3]
d.a
d['a']
d.missing
d['missing']
d.missing.x
d['missing']['x']
missing.x
missing['x']
missing[0]
missing()
d.items
d['items']
d.items()
d.keys() | list
d.values() | list
d['x y']
d.get('a')
d.get('z')
d.get('z', 5)
d.get('a', 5)
d.get()
d.a.b
d.a.b.c
s.a
s[0]
s[-1]
s[100]
s['x']
u[8]
u[-1]
l[0]
l[-1]
l[3]
l[-4]
l['x']
l[none]
l[1.0]
l[true]
l.0
nested.1.1.0
nested[1][1][0]
nil.x
nil['x']
n.x
n[0]
nil[1:]
s[1:3]
s[:5]
s[6:]
s[-5:]
s[::-1]
s[::2]
s[10:2:-3]
s[5:1]
s[:]
s[100:]
s[-100:3]
u[3:8]
u[::-1]
l[1:]
l[:-1]
l[::-1]
l[::0]
l['a':]
l[none:2]
l[missing:]
missing[1:]
(1, 2, 3)[1:]
d[1:]
messages[1:][0].role
messages[-1].content[0].text | trim
messages[:1] | length
s.upper()
s.lower()
u.upper()
u.lower()
'straße'.upper()
'ǆ'.title()
s.swapcase
'hello world foo-bar it\'s'.title()
'hELLO wORLD'.capitalize()
'éa'.capitalize()
t.strip()
t.lstrip() ~ '|'
t.rstrip() ~ '|'
'xxabcxx'.strip('x')
'abcba'.strip('ab')
'abcba'.lstrip('ab')
'abcba'.rstrip('ab')
'ééaéé'.strip('é')
'a'.strip(none)
'a'.strip(1)
s.split()
s.split(' ')
s.split('o')
s.split('o', 1)
s.split('')
' a  b '.split()
' a  b '.split(' ')
' a  b c '.split(none, 1)
' a  b c '.split(none, 0)
' a  b c '.rsplit(none, 1)
' a  b c '.rsplit(none, 0)
' a  b c '.rsplit()
'a,b,c'.rsplit(',', 1)
'a,b,c'.split(sep=',', maxsplit=1)
'a,b,c'.split(',')[-1]
''.split()
''.split(',')
lines.splitlines()
'a\r\nb\rc\x0bd\u2028e\n'.splitlines()
s.startswith('Hello')
s.startswith(('x', 'He'))
s.startswith(['x'])
s.startswith('')
s.endswith('World')
s.endswith('x')
s.startswith(1)
s.replace('o', '0')
s.replace('o', '0', 1)
s.replace('', '-')
'ab'.replace('', '-', 2)
'aaa'.replace('aa', 'b')
s.replace('z', 'y')
s.replace('l', '')
s.find('World')
u.find('日')
s.find('zzz')
s.rfind('o')
s.index('W')
s.index('zzz')
s.count('l')
'aaaa'.count('aa')
'abc'.count('')
'-'.join(['a', 'b'])
'-'.join('abc')
'-'.join([1])
'-'.join([])
'a-b-c'.partition('-')
'a-b-c'.rpartition('-')
'abc'.partition('x')
'abc'.rpartition('x')
'abc'.removeprefix('a').removesuffix('c')
'7'.zfill(3)
'-7'.zfill(4)
'ab'.ljust(5, '.')
'ab'.rjust(5) ~ '|'
'ab'.center(7, '*')
'abc'.center(6, '*')
'abc'.center(2)
'12'.isdigit()
'1a'.isdigit()
''.isdigit()
'ab'.isalpha()
'a1'.isalnum()
' \t'.isspace()
'AB1'.isupper()
'ab1'.islower()
'12'.islower()
'{} and {}'.format(1, 'b')
'{1}{0}{1}'.format('a', 'b')
'{x}-{y}'.format(x=1, y=none)
'{{}} {}'.format(3)
'{}'.format()
'%s is %d' % ('a', 3)
'%s' % 'x'
'%s' % [1, 2]
'%r' % 'x'
'%5s|%-5s|' % ('a', 'b')
'%05d' % 42
'%.2f' % 3.14159
'%d' % 3.99
'%d' % -3.99
'%f' % 2
'%+d' % 5
'%(a)s' % {'a': 1}
'%%' % ()
'%s %s' % 'a'
'%s' % ()
'a' % 1
'%d' % 'x'
l.index(2)
l.index(9)
l.count(1)
l.append(4)
l.append is defined
l.sort()
d.update({})
d.pop
s.__class__
d.__class__
(1, 2).count(1)
s | upper
s | lower
n | upper
none | upper
missing | upper
t | trim
t | trim | length
'xxaxx' | trim('x')
none | trim
42 | trim
s | title
'foo-bar (baz) it\'s <x> [y] {z}' | title
'ÉCOLE élan' | title
'hello World' | capitalize
s | length
u | length
l | length
d | length
e | length
none | length
n | length
missing | length
s | count
l | first
l | last
em | first
em | last
(em | first) is defined
s | first
s | last
e | first
d | first
d | last
missing | first
none | first
l | join
l | join(', ')
ls | join(' ')
s | join('.')
em | join('x')
people | join(', ', attribute='name')
[1, none, true, 'a', 2.5] | join('-')
none | join
missing | join('x')
l | join(1)
n | default('x')
missing | default('x')
missing | default
missing | d('y')
none | default('x')
none | default('x', true)
e | default('x', boolean=true)
e | default('x')
d.missing | default('none')
missing.x | default('y')
d | tojson
nested | tojson
u | tojson
q | tojson
'\u0001\x7f\b\f/<>&' | tojson
none | tojson
[true, false, none, 1, 1.5, 1e20, 'x'] | tojson
{'a': [1, {'b': 2}], 'c': {}} | tojson(indent=2)
{'a': [1, {'b': []}]} | tojson(indent=4)
[[], {}] | tojson(indent=1)
[1, [2]] | tojson(indent=0)
[1, [2]] | tojson(indent='--')
{1: 'a', none: 'b', true: 'c', 1.5: 'd'} | tojson
{'b': 1, 'a': 2} | tojson(sort_keys=true)
{'b': 1, 'a': [1, 2]} | tojson(separators=(',', ':'))
u | tojson(ensure_ascii=true)
u | tojson(true)
missing | tojson
[missing] | tojson
(1, 2) | tojson
n | string
1.0 | string
none | string
l | string
missing | string
n | string | length
'42' | int
'42.7' | int
' 42 ' | int
'4_2' | int
'x' | int
'x' | int(5)
'' | int
'-7' | int
'+7' | int
'0x1A' | int
'0x1A' | int(base=16)
'1A' | int(0, 16)
'101' | int(base=2)
3.99 | int
-3.99 | int
true | int
none | int
none | int(default=9)
'inf' | int
'1e3' | int
[] | int
missing | int
'1.5' | float
'x' | float
'x' | float(1.5)
'1e3' | float
' inf ' | float
'nan' | float
'1_0.5' | float
3 | float
none | float
l | list
s | list
d | list
missing | list
none | list
n | list
s | replace('o', '0')
s | replace('o', '0', 1)
n | replace(7, 8)
s | replace('', '-')
l | map('string') | join
people | map(attribute='name') | list
people | map(attribute='pet.kind', default='?') | list
people | map(attribute='zip', default='-') | list
people | map(attribute='zip') | list | length
nested | map(attribute=0, default='none') | list
ls | map('upper') | list
ls | map('replace', 'a', 'x') | list
ls | map('default', 'x') | join
none | map('upper') | list
em | map('nofilter') | list
people | map
people | map(attribute='pet.kind') | list
people | selectattr('age', 'eq', 30) | map(attribute='name') | join(',')
people | selectattr('pet') | list | length
people | rejectattr('pet') | map(attribute='name') | list
people | selectattr('pet', 'defined') | list | length
people | selectattr('pet', 'none') | map(attribute='name') | list
people | selectattr('age', '>', 26) | list | length
people | selectattr('name', 'in', ['Bob', 'Zoe']) | map(attribute='name') | list
people | rejectattr('age', 'equalto', 30) | map(attribute='name') | list
people | selectattr('pet.kind', 'defined') | list | length
people | selectattr
l | select('odd') | list
l | reject('odd') | list
l | select('>', 1) | list
[0, 1, '', 'a', none] | select | list
[0, 1, '', 'a', none] | reject | list
ls | select('in', ['a', 'b']) | list
l | select('divisibleby', 2) | list
missing | select | list
l | sort
l | sort(reverse=true)
ls | sort
ls | sort(case_sensitive=true)
ls | sort(true)
people | sort(attribute='age') | map(attribute='name') | list
people | sort(attribute='name') | map(attribute='name') | list
people | sort(attribute='age', reverse=true) | map(attribute='name') | list
people | sort(attribute='age,name') | map(attribute='name') | list
[missing, missing] | sort
[missing, 1] | sort
[1, 'a'] | sort
d | sort
'cab' | sort
[[2], [1, 5], [1]] | sort
d | dictsort
{'b': 1, 'A': 2, 'c': 0} | dictsort
{'b': 1, 'A': 2, 'c': 0} | dictsort(true)
{'b': 1, 'A': 2, 'c': 0} | dictsort(by='value')
{'b': 1, 'A': 2} | dictsort(reverse=true)
l | dictsort
d | items | list
missing | items | list
l | items | list
l | reverse | list
s | reverse
u | reverse
d | reverse | list
['a', 'A', 'b', 'a'] | unique | list
['a', 'A', 'b'] | unique(case_sensitive=true) | list
people | unique(attribute='age') | map(attribute='name') | list
[1, 1.0, true, 2] | unique | list
l | sum
people | sum(attribute='age')
l | sum(start=10)
em | sum
ls | sum
l | min
l | max
ls | min
ls | max
ls | max(case_sensitive=true)
em | max
people | max(attribute='age')
neg | abs
-2.5 | abs
'x' | abs
-neg | abs
2.5 | round
3.5 | round
2.675 | round(2)
42.55 | round(1, 'floor')
42.51 | round(1, 'ceil')
42 | round
42 | round(-1)
1234.5 | round(-2)
2.5 | round(method='up')
'x' | round
lines | indent
lines | indent(2)
lines | indent(2, true)
lines | indent(2, first=true, blank=true)
lines | indent('> ')
'a' | indent
'a\n' | indent(1)
n | indent
s | safe
'<b>' | safe
s | attr('upper')
d | attr('a')
missing | attr('a')
'%s-%s' | format(1, 'x')
'%(a)s' | format(a=5)
'abc' | center(9)
s | nofilter
n | abs | string | length
-1 | abs
2 * 3 | string
'a' ~ 'b' | upper
s | upper | lower | title
n is defined
missing is defined
missing is undefined
d.zzz is defined
d.a is defined
missing.x is defined
nil is none
n is none
missing is none
s is string
n is string
n is number
true is number
f is number
'1' is number
n is integer
f is integer
true is integer
f is float
yes is boolean
n is boolean
yes is true
1 is true
no is false
none is false
d is mapping
l is mapping
l is sequence
s is sequence
d is sequence
n is sequence
missing is sequence
l is iterable
s is iterable
n is iterable
none is iterable
missing is iterable
s is callable
range is callable
s.upper is callable
3 is odd
3 is even
4 is even
-3 is odd
2.0 is even
'a' is odd
9 is divisibleby 3
9 is divisibleby(4)
n is divisibleby 0
1 is eq 1
1 is equalto(1)
1 is ne 2
3 is gt 2
3 is lt 2
3 is ge 3
2 is in [1, 2]
2 is not in [1]
'a' is in 'abc'
none is sameas none
1 is sameas true
1 is not none
n is not defined
missing is not defined and n
n is defined and n > 5
n is string or n is number
not n is string
n is notest
'upper' is filter
'nope' is filter
'odd' is test
'abc' is lower
'ABC' is upper
'aBc' is lower
1 is defined is defined
n is number and not n is string
range(5) | list
range(2, 5) | list
range(5, 0, -2) | list
range(0) | list
range(3)[1]
range(3) | length
range(-1, -4, -1) | list
range(1, 2, 0)
range()
range('a')
range(200000)
dict(a=1, b=2)
dict({'x': 1}, y=2)
dict([['a', 1], ['b', 2]])
dict()
namespace(a=1).a
namespace(a=1).b
namespace(a=1)['a']
namespace({'a': 1}, b=2).b
namespace(a=[1, {'b': 2}])
raise_exception('no')
strftime_now('%Y-%m-%d %H:%M:%S')
strftime_now('%d %b %Y, %A')
strftime_now('')
nofunction(1)
s.upper().lower().title()
s.split(' ')[1].upper()
(s ~ '!').upper()
'abc'[1].upper()
[1, 2, 3][1:] | first
(l | sort)[0]
{'a': 'x'}['a'] ~ 1
{'a': 1}.a + 1
l[n - 6]
d['a' ~ '']
s == 'Hello World' and n == 7
(n if n > 5 else 0) + 1
big * 1000
9223372036854775807
n, f
s | length > 5
not missing
missing or 'fallback'
missing and 1
missing + 'a'
'a' + missing
-missing
missing ~ 'a'
missing * 2
missing | length == 0
'a' in missing.x
loop
loop.index
'{{ x }}'
"{% raw %}"
'#}'
[[1, 2], [3, 4]][1][0]
[1, 2,]
{'a': 1,}
dict(a=1,)
n(1)
s | upper()
l | join(sep=',')
l | first(1)
s | replace('o')
d.a if d.a is defined else 'none'
messages | length
messages[0]['role'] + ': ' + messages[0]['content']
messages[0].content is string
messages[1].content is string
messages[1].content is iterable and messages[1].content is not string
messages | map(attribute='role') | join(',')
messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | first
messages | map(attribute='content') | select('string') | list
(messages | last).role
messages[-1]['role'] != 'user'
messages[0].get('name', 'anon')
messages[0].name | default('anon')
'name' in messages[0]
'''

# Statements, white space, scopes. One template each, parted by lines of ====.
_STATEMENTS = r'''
{% if n > 5 %}big{% elif n > 3 %}mid{% else %}small{% endif %}
====
{% if missing %}a{% elif e %}b{% else %}c{% endif %}
====
{% if n > 5: %}colon{% endif %}
====
{% for x in l %}{{ x }},{% endfor %}
====
{% for x in em %}{{ x }}{% else %}none{% endfor %}
====
{% for x in missing %}{{ x }}{% else %}none{% endfor %}
====
{% for x in none %}{% endfor %}
====
{% for x in 5 %}{% endfor %}
====
{% for c in 'aé😀' %}[{{ c }}]{% endfor %}
====
{% for k in d %}{{ k }};{% endfor %}
====
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}
====
{% for k, v in d | items %}{{ k }}={{ v }};{% endfor %}
====
{% for k, v in d | dictsort %}{{ k }}={{ v }};{% endfor %}
====
{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }} {% endfor %}
====
{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}
====
{% for a, b in [[1, 2, 3]] %}{% endfor %}
====
{% for a, b in ['xy'] %}{{ a }}-{{ b }}{% endfor %}
====
{% for a, b in [1] %}{% endfor %}
====
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.depth }} {% endfor %}
====
{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}
====
{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}
====
{% for x in l if x > 1 %}{{ x }}:{{ loop.index }}/{{ loop.length }} {% endfor %}
====
{% for x in l if x > 5 %}{{ x }}{% else %}no{% endfor %}
====
{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}
====
{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}
====
{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}
====
{% for x in l %}{% for y in ls %}{% if y == 'A' %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}
====
{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}
====
{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}
====
{% for x in l %}{% set outer = loop %}{% for y in ls %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}
====
{{ loop is defined }}{% for x in l %}{{ loop is defined }}{% endfor %}{{ x is defined }}
====
{% set x = 1 %}{{ x }}
====
{% set x, y = 1, 2 %}{{ x }}{{ y }}
====
{% set x = 1, 2 %}{{ x }}
====
{% set (x, y) = [1, 2] %}{{ x + y }}
====
{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}
====
{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}
====
{% for i in l %}{% if loop.first %}{% set y = 5 %}{% endif %}{{ y | default('-') }}{% endfor %}
====
{% set ns = namespace(x=1) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}
====
{% set ns = namespace() %}{% set ns.a = 1 %}{% set ns.b = ns.a + 1 %}{{ ns.b }}{{ ns.c is defined }}
====
{% set ns.x = 1 %}
====
{% set d.x = 1 %}
====
{% set ns = namespace(_x=1) %}
====
{% set ns = namespace(a=1) %}{% set ns.a, x = 5, 6 %}{{ ns.a }}{{ x }}
====
{% set x %}block {{ n }}{% endset %}[{{ x }}]
====
{% set x | upper | replace('B', 'c') %}block{% endset %}[{{ x }}]
====
{% set messages = messages[1:] %}{{ messages | length }}
====
{% if n %}{% set messages = [] %}{% endif %}{{ messages | length }}
====
{% set range = 5 %}{{ range }}
====
{% macro hi(name, mark='!') %}Hi {{ name }}{{ mark }}{% endmacro %}{{ hi('a') }}{{ hi('b', '?') }}{{ hi(mark='.', name='c') }}{{ hi() }}
====
{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, 2) }}
====
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
====
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}
====
{% macro f(a) %}{{ a.x }}{% endmacro %}{{ f() }}
====
{% macro f(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, x=4) }}
====
{% macro f() %}{{ caller() }}!{% endmacro %}{% call f() %}body{% endcall %}
====
{% macro f() %}{{ caller(1, b=2) }}!{% endmacro %}{% call(a, b) f() %}{{ a }}-{{ b }}{% endcall %}
====
{% macro f() %}x{% endmacro %}{% call f() %}body{% endcall %}
====
{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}
====
{% macro fact(k) %}{{ k * (fact(k - 1) | int) if k > 1 else 1 }}{% endmacro %}{{ fact(6) }}
====
{% macro f() %}{{ later }}{% endmacro %}{% set later = 'set' %}{{ f() }}
====
{% macro f() %}{% set x = 2 %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{{ x }}
====
{% for i in l %}{% macro f() %}{{ i }}{% endmacro %}{{ f() }}{% endfor %}
====
{% macro f() %}{% endmacro %}{{ f }}{{ f.name }}
====
{% macro outer(a) %}{% macro inner(b) %}{{ a }}{{ b }}{% endmacro %}{{ inner(2) }}{% endmacro %}{{ outer(1) }}
====
{% macro f(x) %}{{ x | upper }}{% endmacro %}{{ ls | map('upper') | join }}{{ f('a') ~ 'b' | upper }}
====
{% macro f() %}  spaced  {% endmacro %}[{{ f() | trim }}]
====
{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}
====
{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}
====
{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}
====
{% filter upper %}abc {{ s }}{% endfilter %}
====
{% filter replace('a', 'b') | upper %}aaa{% endfilter %}
====
{% generation %}answer {{ n }}{% endgeneration %}
====
{% set g = 1 %}{% generation %}{% set g = 2 %}{{ g }}{% endgeneration %}{{ g }}
====
{% raw %}{{ x }}{% if %}{% endraw %}
====
{%- raw -%} a {{ b }} {%- endraw -%} c
====
{# comment #}a{# {{ x }} {% if %} #}b
====
a {#- c -#} b
====
{% print n %}{% print n, f %}
====
a
{% if true %}
b
{% endif %}
c
====
a
  {% if true %}
    b
  {% endif %}
c
====
a
  {%+ if true %}
b
  {%+ endif +%}
c
====
a
  {{ n }}
  b
====
a
  {# note #}
b
====
a   {%- if true -%}   b   {%- endif -%}   c
====
a   {{- n -}}   b
====
a

{%- if true %}

b

{%- endif %}

c
====
{% if true +%}
b
{% endif +%}
c
====
  {% set x = 1 %}  {{ x }}
{{ x }}

====
x {% if true %} y {% endif %} z
====
	{% if true %}	tab{% endif %}
====
{{ n
}}

{{
n }}
====
{% for x in l %}
  {{- x }}
{% endfor %}
====
{%- for x in l -%}
  {{ x }}
{%- endfor -%}
====
line{% if true %}

two{% endif %}
====
{{ '{{' }}{{ '}}' }}{{ "{%" }}
====
{{ {'a': {'b': {}}} }}
====
{{ {'a': {'b': 1}}['a']['b'] }}}
====
{ { } } {not} %} }} #}
====
{{ s }}{{ missing }}{{ none }}|
====
{% if messages[0]['role'] == 'system' %}sys{% endif %}ok
====
{% set loop_messages = messages[1:] if messages[0].role == 'user' else messages %}{{ loop_messages[0].role }}
====
{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for c in m['content'] %}{{ c['text'] | trim }}{% endfor %}{% endif %}{{ '\n' if not loop.last }}{% endfor %}
====
{% if tools is defined %}t{% endif %}{% if not tools %}no tools{% endif %}
====
{% set content = messages[0].content %}{% for m in messages %}{% set content = m.role %}{{ content }}{% endfor %}{{ content }}
====
{{ raise_exception('Conversation roles must alternate') if n == 8 else 'fine' }}
====
{% if %}{% endif %}
====
{% if n %}
====
{% endif %}
====
{% for x l %}{% endfor %}
====
{{ n
====
{{ n %}
====
{{ (n }}
====
{{ n) }}
====
{{ [1, 2 }}
====
{{ 'abc }}
====
{{ n ? 1 : 2 }}
====
{{ n ! }}
====
{{ @n }}
====
{{ }}
====
{{ 1 2 }}
====
{{ n | }}
====
{{ n is }}
====
{{ n. }}
====
{% set %}
====
{% set 5 = 1 %}
====
{% set true = 1 %}
====
{% macro f(a=1, b) %}{% endmacro %}
====
{% break %}
====
{% unknown %}
====
{# never closed
====
{% raw %} never closed
====
{{ f(a=1, 2) }}
====
{{ dict(**d) | length }}{{ range(*[1, 3]) | list }}
====
{{ dict(*[[['a', 1]]], b=2) }}
====
{% set x = {'a': 1} %}{% set x = dict(x, b=2) %}{{ x }}
====
{% set x = [] %}{% set x = x + [1] %}{% set x = x + [2] %}{{ x }}
====
{%- set ns = namespace(found=false) -%}
{%- for m in messages -%}
  {%- if m.role == 'assistant' -%}{%- set ns.found = true -%}{%- endif -%}
{%- endfor -%}
{{- ns.found -}}
====
{% if n == 7 and
      s != '' %}
yes
{% endif %}
====
{% for i in range(3) %}{% for j in range(i) %}{{ i }}{{ j }} {% else %}- {% endfor %}{% endfor %}
====
{% for x in 'abc' if loop is not defined %}{{ x }}{% endfor %}
====
{% set ns = namespace(go=true) %}{% for x in l if ns.go %}{{ x }}{% set ns.go = false %}{% endfor %}
====
{% set ns = namespace(go=true) %}{% for x in l if ns.go %}{{ x }}{{ loop.last }}{% set ns.go = false %}{% endfor %}
====
{% set ns = namespace(go=true) %}{% for x in l if ns.go %}{{ x }}{{ loop.length }}{{ loop.revindex }}{% set ns.go = false %}{% endfor %}
====
{% for x in [1, 'a'] if x is odd %}{{ x }}{% break %}{% endfor %}
====
{% for x in l %}{% if loop.last %}{{ loop | length }}{{ loop }}{{ loop['index'] }}{{ loop.nothing }}{% endif %}{% endfor %}
====
{% for x in l %}{% break %}{% else %}else{% endfor %}
====
{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{% else %}else{% endfor %}
====
{% for x in [1, 2, 3] | reverse %}{{ x }}{% endfor %}
====
{% for x in (1, 2) %}{{ x }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}
====
{% for p in people | sort(attribute='age') %}{{ p.name }}{{ ', ' if not loop.last }}{% endfor %}
====
{{ 'a' }}
{{ 'b' -}}
{{ 'c' }}
====
trailing newlines kept but one


====
{{ '\n' }}{{ '\\n' }}{{ "\t|" }}{{ 'a\
b' }}
'''


def _expressions(text):
    lines, pending = [], ''
    for line in text.strip('\n').split('\n'):
        pending = pending + '\n' + line if pending else line
        if pending.count('"') % 2 and "'" not in pending:  # the one string that runs over a line
            continue
        lines.append(pending)
        pending = ''
    return ['{{ ' + line + ' }}' for line in lines]


SNIPPETS = _expressions(_EXPRESSIONS) + [s[:-1] for s in (_STATEMENTS.lstrip('\n')).split('====\n')]
SNIPPETS += [s.replace('\n', '\r\n') for s in SNIPPETS[-12:]]
