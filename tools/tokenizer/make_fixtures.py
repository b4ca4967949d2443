#!/usr/bin/env python3
"""Writes tests/unit/tokenizer/data: a tiny vocabulary of Gemma's kind, and what the references make of hard strings.

    make_fixtures.py    (needs sentencepiece, tokenizers, transformers; run once, the results are committed)

tiny.model   SentencePiece BPE, about 700 pieces, laid out like Gemma's: control, newline runs, space runs, tags, bytes,
             then learnt pieces; and a few pieces that are there to be awkward (ties, overlaps, a character that is no
             piece by itself).
tiny.json    the same as a tokenizer.json, by transformers' own converter, with extra added tokens of a fine-tune.
cases.jsonl  {"text", "sp": ids by SentencePiece, "hf": ids by tokenizers, "hf_plain": special tokens spelled out}
decode.jsonl {"ids", "sp": text by SentencePiece, "hf": by tokenizers, "hf_special": special tokens shown}
"""
import io
import json
import pathlib
import random
import types

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer
from transformers.convert_slow_tokenizer import GemmaConverter, GemmaSentencePieceExtractor

import corpus

OUT = pathlib.Path(__file__).resolve().parents[2] / 'tests/unit/tokenizer/data'
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
TEXT = '''The quick brown fox jumps over the lazy dog, and then the dog sleeps in the sun while the fox runs home.
Each of the words here is here so that the learner has something to merge: there, then, them, this, that, those.
int main(int argc, char** argv) { return argc > 1 ? run(argv[1]) : usage(); }  // a comment about the code
<div class="box"><p>Some <b>bold</b> and <i>slanted</i> text</p></div> 2 + 2 = 4, 12345 / 67890 -> 0.18
Der schnelle braune Fuchs springt über den faulen Hund, während die Sonne schön über Füßen und Dächern steht.
Быстрая коричневая лиса прыгает через ленивую собаку, и собака спит на солнце, пока лиса бежит домой.
素早い茶色の狐がのろまな犬を飛び越える。犬は日なたで眠り、狐は家に走って帰る。世界の世界は世界である。
다람쥐 헌 쳇바퀴에 타고파. 빠른 갈색 여우가 게으른 개를 뛰어넘는다. 세계는 세계이고 세계다.
तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है और कुत्ता धूप में सोता है। नमस्ते दुनिया, नमस्ते।
الثعلب البني السريع يقفز فوق الكلب الكسول. مرحبا بالعالم. שלום עולם, השועל קופץ מעל הכלב העצל.
🙂🙂 👍 ❤️ 🎉 ——— “quoted” … ======== -------- ________ ######## ........ aaaa abab xyxyxy
'''


def learnt_pieces():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for line in TEXT.splitlines() for _ in range(4)]), model_writer=model,
        model_type='bpe', vocab_size=800, hard_vocab_limit=False, character_coverage=1.0, split_digits=True,
        normalization_rule_name='identity', add_dummy_prefix=False, remove_extra_whitespaces=False, num_threads=1,
        allow_whitespace_only_pieces=True, minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return [p.piece for p in proto.pieces if p.type == NORMAL and p.piece.strip('\u2581') or p.piece == '\u2581']


def build_model():
    proto = sentencepiece_model_pb2.ModelProto()
    seen = set()

    def add(text, kind, score=0.0):
        if text in seen:
            return
        seen.add(text)
        piece = proto.pieces.add(piece=text, score=score)
        if kind != NORMAL:
            piece.type = kind

    for text in ('<pad>', '<eos>', '<bos>'):
        add(text, CONTROL)
    add('<unk>', UNKNOWN)
    add('<mask>', CONTROL)
    add('[multimodal]', USER_DEFINED)
    for i in range(8):
        add(f'<unused{i}>', CONTROL)
    add('<start_of_turn>', CONTROL)
    add('<end_of_turn>', CONTROL)
    for n in range(1, 7):
        add('\n' * n, USER_DEFINED)
    for n in range(2, 9):
        add('\u2581' * n, USER_DEFINED)
    for tag in ('<table>', '</table>', '<b>', '</b>', '<i>', '<h1>'):
        add(tag, USER_DEFINED)
    for n in range(1, 5):
        add('\t' * n, USER_DEFINED)
    for b in range(256):
        add(f'<0x{b:02X}>', BYTE)
    score = 0.0
    for text in learnt_pieces():
        add(text, NORMAL, score)
        score -= 1
    add('<start_of_image>', USER_DEFINED)
    # Awkward ones: equal scores that overlap, cuts in several ways, U+2581 inside, and ǂ, which is no piece alone.
    for text, value in (('xy', -1000), ('yx', -1000), ('xyx', -1001), ('yxy', -1001), ('==', -1002), ('===', -1002),
                        ('>\u2581</', -1003), ('aa', -1004), ('aaa', -1004), ('aaaa', -1005), ('ǂk', -1006),
                        ('ǂkǂk', -1007), ('the\u2581fox', -1008)):
        add(text, NORMAL, value)
    for c in 'kxy=a><':
        add(c, NORMAL, -2000)
    t, n = proto.trainer_spec, proto.normalizer_spec
    t.model_type, t.vocab_size, t.byte_fallback, t.split_digits = 2, len(proto.pieces), True, True
    t.pad_id, t.eos_id, t.bos_id, t.unk_id = 0, 1, 2, 3
    t.pad_piece, t.eos_piece, t.bos_piece, t.unk_piece = '<pad>', '<eos>', '<bos>', '<unk>'
    n.name, n.add_dummy_prefix, n.remove_extra_whitespaces, n.escape_whitespaces = 'identity', False, False, True
    return proto


def build_json(path, proto):
    GemmaSentencePieceExtractor.sp = sentencepiece.SentencePieceProcessor(model_file=str(path))
    source = types.SimpleNamespace(vocab_file=str(path), pad_token='<pad>', eos_token='<eos>', bos_token='<bos>',
                                   add_prefix_space=False)
    tokenizer = json.loads(GemmaConverter(source).converted().to_str())
    vocab, size = tokenizer['model']['vocab'], len(proto.pieces)

    def add(content, offset, **flags):
        entry = dict(id=size + offset, content=content, single_word=False, lstrip=False, rstrip=False,
                     normalized=False, special=False)
        entry.update(flags)
        vocab[content] = size + offset
        tokenizer['added_tokens'].append(entry)

    add('<think>', 0, special=True)
    add('<tool>', 1)
    add('<left>', 2, lstrip=True)
    add('<right>', 3, rstrip=True, special=True)
    add('<both>', 4, lstrip=True, rstrip=True)
    add('two words', 5, normalized=True)
    add('<thinking>', 6)
    add('<unk>', 3 - size, special=True)  # transformers lists it too
    return tokenizer


def main():
    OUT.mkdir(exist_ok=True)
    proto = build_model()
    (OUT / 'tiny.model').write_bytes(proto.SerializeToString())
    sp = sentencepiece.SentencePieceProcessor(model_file=str(OUT / 'tiny.model'))
    text = json.dumps(build_json(OUT / 'tiny.model', proto), ensure_ascii=False, indent=None, separators=(',', ':'))
    (OUT / 'tiny.json').write_text(text.replace('"added_tokens"', '\n"added_tokens"').replace('"model"', '\n"model"'))
    hf = Tokenizer.from_file(str(OUT / 'tiny.json'))

    rng = random.Random(7)
    vocabulary = [p.piece for p in proto.pieces if p.type == NORMAL]
    added = [t.content for t in hf.get_added_tokens_decoder().values()]
    texts = ['', ' ', '\u2581', ' \u2581 ', 'the fox', '> </b>', '> </table', 'xyxyxyx', 'yxyxyxy', '=======', 'a' * 11, 'ǂkǂkǂ',
             'a <left> b', 'a <right>  \n b', 'x \u3000<both>\n\n y', 'two words', 'in two  words two words.', '<think',
             '<thinking>', '<think>ing', '<unk>', '<right>\n<left> <both> ', ' ' * 40 + 'x', '\n' * 15, 'aaaa' * 40,
             'xy' * 60 + 'the\u2581fox', '\ufffd\ufeff\x00']
    texts += [line for line in TEXT.splitlines()]
    texts += [corpus.hard(rng, vocabulary, added) for _ in range(330)]
    cases, seen = [], set()
    for text in texts:
        if len(text) > 100 and len(seen) > 40 or len(text) > 260 or text in seen:
            continue
        seen.add(text)
        case = {'text': text, 'sp': sp.encode(text)}
        hf.encode_special_tokens = False
        case['hf'] = hf.encode(text, add_special_tokens=False).ids
        hf.encode_special_tokens = True
        case['hf_plain'] = hf.encode(text, add_special_tokens=False).ids
        if case['hf_plain'] == case['hf']:
            del case['hf_plain']
        cases.append(case)
    with open(OUT / 'cases.jsonl', 'w') as out:
        out.writelines(json.dumps(c, separators=(',', ':')) + '\n' for c in cases)

    first_byte = sp.piece_to_id('<0x00>')
    with open(OUT / 'decode.jsonl', 'w') as out:
        for _ in range(300):
            ids = []
            while len(ids) < rng.randint(1, 12):
                data = chr(rng.choice([0x41, 0xE9, 0x4E16, 0x1F642])).encode()[:rng.randint(1, 4)]
                kind = rng.random()
                ids += ([first_byte + b for b in data] if kind < 0.5 else
                        [rng.choice([0, 1, 2, 5, 15, first_byte + rng.randrange(256)])] if kind < 0.7 else
                        [rng.choice([i for i in range(len(proto.pieces)) if i != 3])])
            out.write(json.dumps({'ids': ids, 'sp': sp.decode(ids), 'hf': hf.decode(ids),
                                  'hf_special': hf.decode(ids, skip_special_tokens=False)},
                                 separators=(',', ':')) + '\n')
    print(len(proto.pieces), 'pieces,', len(cases), 'cases,', sum(f.stat().st_size for f in OUT.iterdir()), 'bytes')


if __name__ == '__main__':
    main()
