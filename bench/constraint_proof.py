#!/usr/bin/env python3
"""Answers held to a schema against jsonschema: constraint_proof.py PROBE TOKENIZER [--schemas N] [--seed S].

Random walks over the tokens must give documents that json.loads takes strictly and that jsonschema allows (formats
checked), and documents that jsonschema allows must be allowed, with two spellings of white space. PROBE is the
program constraint_probe. Needs jsonschema (with its format extras)."""
import argparse
import json
import random
import re
import subprocess
import sys

import jsonschema

NAMES = ['a', 'ab', 'name', '名', 'x y', 'q"', 'b\\', '', 'id']
PATTERNS = {'^[a-c]+(-[0-9]{2})?$': ['a', 'abc-12', 'cc'], 'x|^y': ['x', 'yes', 'ax b'],
            '^\\S+@\\w+$': ['a@b', 'é@x_1'], '^(foo|bar){1,3}$': ['foobar', 'bar'], '^[^"]*$': ['', "it's"]}
FORMATS = {'date': ['2024-02-29', '1999-12-31'], 'date-time': ['2024-02-29T12:00:00Z'], 'uuid':
           ['123e4567-e89b-12d3-a456-426614174000'], 'ipv4': ['127.0.0.1'], 'email': ['a.b@example.org'], 'time': ['10:00:00Z']}


class Maker:
    """Schemas, each with values that it allows."""

    def __init__(self, rng):
        self.rng = rng

    def schema(self, depth):
        kinds = ['null', 'boolean', 'integer', 'number', 'string', 'pattern', 'format', 'enum', 'const', 'types', 'ref']
        if depth > 0:
            kinds += ['object'] * 4 + ['array'] * 2 + ['anyOf', 'oneOf', 'allOf', 'any']
        return getattr(self, 'make_' + self.rng.choice(kinds))(depth)

    def make_null(self, _):
        return {'type': 'null'}, [None]

    def make_any(self, _):
        return self.rng.choice([{}, True, {'description': 'd'}]), [1, 'x', {'a': [None]}]

    def make_boolean(self, _):
        return {'type': 'boolean'}, [True, False]

    def make_integer(self, _):
        low, span = self.rng.randint(-300, 300), self.rng.randint(0, 5000)
        schema, values = {'type': 'integer'}, [low, low + span, low + span // 2]
        if self.rng.random() < .6:
            schema['minimum'] = low
        if self.rng.random() < .6:
            schema['maximum'] = low + span
        return schema, values

    def make_number(self, _):
        low = round(self.rng.uniform(-50, 50), self.rng.randint(0, 3))
        span = round(self.rng.uniform(0.01, 900), 3)
        schema, values = {'type': 'number'}, [round(low + span / 2, 6), round(low + span / 3, 6)]
        if self.rng.random() < .6:
            schema[self.rng.choice(['minimum', 'exclusiveMinimum'])] = low
        if self.rng.random() < .6:
            schema[self.rng.choice(['maximum', 'exclusiveMaximum'])] = low + span
        return schema, values

    def make_string(self, _):
        schema, values = {'type': 'string'}, ['abc', 'é😀z', 'a\nb"']
        if self.rng.random() < .5:
            schema['minLength'] = self.rng.randint(0, 3)
        if self.rng.random() < .5:
            schema['maxLength'] = self.rng.randint(4, 12)
        return schema, values

    def make_pattern(self, _):
        pattern = self.rng.choice(list(PATTERNS))
        return {'type': 'string', 'pattern': pattern}, PATTERNS[pattern]

    def make_format(self, _):
        name = self.rng.choice(list(FORMATS))
        return {'type': 'string', 'format': name}, FORMATS[name]

    def make_enum(self, _):
        values = self.rng.sample(['a', 'ab\n', 3, None, 'é"', {'k': [1, 2]}, 'abc', False], 3)
        return {'enum': values}, values

    def make_const(self, _):
        value = self.rng.choice(NAMES + [4.5, True])
        return {'const': value}, [value]

    def make_types(self, _):
        return {'type': ['string', 'null', 'integer'], 'maxLength': 3}, ['ab', None, 7]

    def make_ref(self, _):
        return {'$ref': '#/$defs/list'}, [{'v': 1}, {'v': 2, 'next': {'v': 3}}]

    def make_anyOf(self, depth, keyword='anyOf'):
        (a, of_a), (b, of_b) = self.schema(depth - 1), self.schema(depth - 1)
        return {keyword: [a, b]}, of_a[:2] + of_b[:2]

    def make_oneOf(self, depth):
        return self.make_anyOf(depth, 'oneOf')

    def make_allOf(self, depth):
        (a, of_a), (b, of_b) = self.make_object(depth), self.make_object(depth)
        if self.rng.random() < .3:
            return {'allOf': [{'type': 'number', 'minimum': -3}, {'maximum': 40.5}]}, [0, 40.5]
        for schema in (a, b):
            schema.pop('additionalProperties', None)
        both = [dict(x, **{k: v for k, v in y.items() if k not in x}) for x, y in zip(of_a, of_b)]
        order = list(a['properties']) + [name for name in b['properties'] if name not in a['properties']]
        return {'allOf': [a, b]}, [dict(sorted(x.items(), key=lambda kv: order.index(kv[0]) if kv[0] in order else 99))
                                   for x in both]

    def make_array(self, depth):
        items, values = self.schema(depth - 1)
        schema, first = {'type': 'array', 'items': items}, []
        if self.rng.random() < .3:
            head, of_head = self.schema(depth - 1)
            schema['prefixItems'], first = [head], of_head[:1]
        if self.rng.random() < .5:
            schema['minItems'] = self.rng.randint(0, 2)
        schema['maxItems'] = self.rng.randint(2, 4)
        return schema, [first + values[:1], first + values[:2], []]

    def make_object(self, depth):
        schema, whole, least = {'type': 'object', 'properties': {}}, {}, {}
        for name in self.rng.sample(NAMES, self.rng.randint(0, 4)):
            schema['properties'][name], values = self.schema(depth - 1)
            whole[name] = values[0]
            if self.rng.random() < .5:
                schema.setdefault('required', []).append(name)
                least[name] = values[-1]
        more = self.rng.random()
        if more < .5:
            schema['additionalProperties'] = False
        elif more < .7:
            schema['additionalProperties'], values = self.schema(depth - 1)
            whole['zz'] = values[0]
        return schema, [whole, least]


def strict(text):
    def refuse(name):
        raise ValueError(name)
    text.encode('utf-8')  # no lone surrogates
    return json.loads(text, parse_constant=refuse)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('probe')
    parser.add_argument('tokenizer')
    parser.add_argument('--schemas', type=int, default=300)
    parser.add_argument('--walks', type=int, default=3)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    probe = subprocess.Popen([args.probe, args.tokenizer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding='utf-8')

    def ask(request):
        probe.stdin.write(json.dumps(request) + '\n')
        probe.stdin.flush()
        return json.loads(probe.stdout.readline())

    counts = dict.fromkeys(['schemas', 'refused', 'walks', 'endless', 'documents', 'bad walks', 'bad documents'], 0)
    for number in range(args.schemas):
        rng = random.Random(args.seed * 1000003 + number)
        schema, values = Maker(rng).schema(3)
        if not isinstance(schema, dict):
            continue
        schema = dict(schema)
        schema['$defs'] = {'list': {'type': 'object', 'properties': {'v': {'type': 'integer'}, 'next': {'$ref': '#/$defs/list'}},
                                    'required': ['v'], 'additionalProperties': False}}
        counts['schemas'] += 1
        allows = json.loads(json.dumps(schema).replace('"oneOf"', '"anyOf"'))  # as which it is documented to be read
        validator = jsonschema.Draft202012Validator(allows, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
        good = [v for v in values if validator.is_valid(v)]
        answer = ask({'schema': schema, 'seed': number, 'count': args.walks})
        if 'error' in answer:
            counts['refused'] += 1
            if good or 'no value' not in answer['error']:
                print('refused though', good, ':', json.dumps(schema), answer['error'])
                counts['bad documents'] += 1
            continue
        for text in answer['documents']:
            counts['walks'] += 1
            if text.startswith('...'):
                counts['endless'] += 1
                if not re.match(r'\.\.\.["{\[0-9-]', text):
                    print('walk:', json.dumps(schema), text[:200])
                    counts['bad walks'] += 1
                continue
            try:
                error = next(iter(validator.iter_errors(strict(text))), None)
            except ValueError as e:
                error = e
            if error is not None:
                print('walk:', json.dumps(schema), '\n  ', text, '\n  ', str(error)[:300])
                counts['bad walks'] += 1
        texts = [json.dumps(v, ensure_ascii=False, **style) for v in good
                 for style in ({}, {'separators': (',', ':')}, {'indent': 2})]
        counts['documents'] += len(texts)
        for text, takes in zip(texts, ask({'schema': schema, 'check': texts})['takes']):
            if not takes:
                print('document:', json.dumps(schema, ensure_ascii=False), '\n  ', text)
                counts['bad documents'] += 1
    print(counts)
    return counts['bad walks'] > 0 or counts['bad documents'] > 0


if __name__ == '__main__':
    sys.exit(main())
