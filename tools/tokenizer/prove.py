#!/usr/bin/env python3
"""Compares this project's tokenizer with SentencePiece and Hugging Face's tokenizers, string by string.

    prove.py --tool build/release/bin/tokenize_lines --tokenizer DIR --corpus DIR [--strings 120000] [--speed]

DIR of --tokenizer has tokenizer.json and tokenizer.model of one vocabulary; --corpus is a folder of unpacked Debian
packages (apt-get download manpages-de manpages-ja ...; dpkg -x FILE.deb FOLDER). --tool is the test program
tokenize_lines (ninja tokenize_lines). Needs: tokenizers, sentencepiece. Exits 1 on any mismatch.
"""
import argparse
import collections
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time

os.environ['RAYON_NUM_THREADS'] = '1'
os.environ['TOKENIZERS_PARALLELISM'] = 'false'

import sentencepiece  # noqa: E402
from sentencepiece import sentencepiece_model_pb2  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

import corpus  # noqa: E402


class Ours:
    def __init__(self, tool):
        self.tool = tool

    def run(self, tokenizer, mode, values):
        lines = ''.join(json.dumps(value) + '\n' for value in values)
        done = subprocess.run([self.tool, tokenizer, mode], input=lines.encode(), stdout=subprocess.PIPE, check=True)
        return [json.loads(line) for line in done.stdout.split(b'\n')[:-1]]


class Report:
    def __init__(self):
        self.failed = False

    def compare(self, what, inputs, ours, reference):
        assert len(inputs) == len(ours) == len(reference), (what, len(inputs), len(ours), len(reference))
        wrong = [i for i, (a, b) in enumerate(zip(ours, reference)) if a != b]
        print(f'{what}: {len(inputs)} compared, {len(wrong)} mismatches', flush=True)
        for i in wrong[:5]:
            print(f'   {str(inputs[i])[:200]!r}\n      ours      {str(ours[i])[:200]}\n      reference {str(reference[i])[:200]}')
        self.failed |= bool(wrong)


def specials_then_pieces(processor, specials):
    """What transformers does with a bare tokenizer.model: special texts are cut out, the rest is SentencePiece's."""
    pattern = re.compile('(' + '|'.join(re.escape(s) for s in sorted(specials, key=len, reverse=True)) + ')')

    def encode(text):
        ids = []
        for k, part in enumerate(pattern.split(text)):
            ids += [specials[part]] if k % 2 else processor.encode(part) if part else []
        return ids
    return encode


def id_sequences(rng, encoded, size, byte_ids, special_ids, count):
    """Ids as a model may put them: of real text, cut anywhere; runs of bytes, valid and not; anything at all."""
    for _ in range(count):
        kind = rng.random()
        if kind < 0.4:
            ids = rng.choice(encoded)
            start = rng.randint(0, max(0, len(ids) - 1))
            yield ids[start:start + rng.randint(1, 60)]
        elif kind < 0.8:
            ids = []
            for _ in range(rng.randint(1, 6)):
                data = chr(rng.choice([0x41, 0xE9, 0x4E16, 0x1F642, 0x13000])).encode()
                data = data[:rng.randint(1, 4)] if rng.random() < 0.4 else data
                data += bytes(rng.randrange(256) for _ in range(rng.choice([0, 0, 0, 1, 2])))
                ids += [byte_ids[b] for b in data]
                if rng.random() < 0.4:
                    ids.append(rng.choice(special_ids) if rng.random() < 0.4 else rng.randrange(size))
            yield ids
        else:
            yield [rng.randrange(size) for _ in range(rng.randint(1, 20))]


def speed(ours, reference, json_path, sets):
    for name, texts in sets.items():
        size = sum(len(t.encode()) for t in texts)
        mine, theirs = [], []
        for _ in range(5):  # one after the other, five times: what disturbs one disturbs both
            mine.append(statistics.median(ours.run(json_path, 'time', texts)[0]['seconds']))
            start = time.process_time()
            reference.encode_batch_fast(texts, add_special_tokens=False)
            theirs.append(time.process_time() - start)
        a, b = statistics.median(mine), statistics.median(theirs)
        ratio = statistics.median(y / x for x, y in zip(mine, theirs))
        print(f'speed, {name}: ours {size / a / 1e6:.1f} MB/s, tokenizers {size / b / 1e6:.2f} MB/s, '
              f'{ratio:.1f} times (processor time; {size / 1e6:.1f} MB in {len(texts)} strings, median of 5 alternating)', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--tool', required=True)
    parser.add_argument('--tokenizer', required=True)
    parser.add_argument('--json', help='another tokenizer.json')
    parser.add_argument('--corpus', required=True)
    parser.add_argument('--strings', type=int, default=120000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--speed', action='store_true', help='measure the speed only')
    args = parser.parse_args()
    json_path = args.json or f'{args.tokenizer}/tokenizer.json'
    model_path = f'{args.tokenizer}/tokenizer.model'
    ours, report, rng = Ours(args.tool), Report(), random.Random(args.seed)
    hf = Tokenizer.from_file(json_path)
    sp = sentencepiece.SentencePieceProcessor(model_file=model_path)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(open(model_path, 'rb').read())
    added = [token.content for token in hf.get_added_tokens_decoder().values()]
    vocabulary = [p.piece for p in proto.pieces if p.type == 1]
    source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    common = [t for t in added if not t.startswith('<unused')] * 8 + added
    texts, languages = corpus.build(args.corpus, source, vocabulary, common, args.strings, args.seed)
    print(f'{len(texts)} strings, {sum(len(t.encode()) for t in texts) / 1e6:.1f} MB, real text in {len(languages)} '
          f'languages and code: {dict(sorted(languages.items(), key=lambda x: -x[1])[:30])}', flush=True)

    if args.speed:
        pages = collections.defaultdict(list)
        for language, text in corpus.man_pages(args.corpus):
            pages[language].append(text)
        mixed = [t for language in sorted(pages) for t in rng.sample(pages[language], min(600, len(pages[language])))]
        english = rng.sample(pages['en'], min(8000, len(pages['en'])))
        speed(ours, hf, json_path, {
            'manual pages in many scripts': mixed, 'English manual pages': english,
            'source code': list(corpus.code(source)), 'one long English text': ['\n'.join(english)]})
        return

    hf_ids = [e.ids for e in hf.encode_batch_fast(texts, add_special_tokens=False)]
    json_ids = ours.run(json_path, 'encode', texts)
    report.compare('tokenizer.json against tokenizers, special tokens parsed', texts, json_ids, hf_ids)
    hf.encode_special_tokens = True
    plain = [e.ids for e in hf.encode_batch_fast(texts, add_special_tokens=False)]
    hf.encode_special_tokens = False
    report.compare('tokenizer.json against tokenizers, special tokens spelled out', texts,
                   ours.run(json_path, 'plain', texts), plain)
    sp_ids = sp.encode(texts)
    report.compare('tokenizer.model against SentencePiece', texts, ours.run(model_path, 'plain', texts), sp_ids)
    specials = {p.piece: i for i, p in enumerate(proto.pieces) if p.type in (2, 3)}
    encode = specials_then_pieces(sp, specials)
    model_ids = ours.run(model_path, 'encode', texts)
    report.compare('tokenizer.model against SentencePiece, special tokens cut out', texts, model_ids,
                   [encode(t) for t in texts])

    byte_ids = [hf.token_to_id(f'<0x{b:02X}>') for b in range(256)]
    special_ids = list(specials.values())
    for what, path, size, encoded, decode in (
            ('tokenizers', json_path, hf.get_vocab_size(), hf_ids, lambda ids, skip: hf.decode(ids, skip_special_tokens=skip)),
            ('SentencePiece', model_path, sp.get_piece_size(), sp_ids, lambda ids, skip: sp.decode(ids))):
        # SentencePiece never shows special pieces, but writes <unk> as " \u2047 ", which no encoding has.
        sequences = encoded + list(id_sequences(rng, [e for e in encoded if e], size, byte_ids, special_ids, 60000))
        if what == 'SentencePiece':
            sequences = [[i for i in ids if i != sp.unk_id()] for ids in sequences]
        for mode in ('decode', 'decode-special')[:2 if what == 'tokenizers' else 1]:
            result = ours.run(path, mode, sequences)
            report.compare(f'{mode} against {what}', sequences, [r['text'] for r in result],
                           [decode(ids, mode == 'decode') for ids in sequences])
            report.compare(f'{mode} streamed against at once', sequences, [r['streamed'] for r in result],
                           [r['text'] for r in result])
    back = ours.run(json_path, 'decode-special', json_ids)
    report.compare('tokenizer.json: decode(encode(x)) = x', texts, [r['text'] for r in back],
                   [t.replace('\u2581', ' ') for t in texts])

    only_json = set(added) - {p.piece for p in proto.pieces}

    def why(text):
        if any(t in text for t in only_json):
            return 'tokens that only the json has'
        if '\u2581' in text:
            return 'U+2581 in the text'
        return 'runs of more than 31 spaces' if ' ' * 32 in text else 'unexplained'

    differ = collections.defaultdict(list)
    for i in range(len(texts)):
        if json_ids[i] != model_ids[i]:
            differ[why(texts[i])].append(i)
    print(f'tokenizer.json and tokenizer.model differ on {sum(map(len, differ.values()))} strings: '
          + ', '.join(f'{len(found)} with {reason}' for reason, found in differ.items()))
    for reason, found in differ.items():
        i = min(found, key=lambda k: len(texts[k]))
        print(f'   {reason}: {texts[i][:160]!r}\n      json  {json_ids[i][:40]}\n      model {model_ids[i][:40]}')
    sys.exit(report.failed)


if __name__ == '__main__':
    main()
