"""Random hub directories with a small tokenizer, for the comparison scripts: complete enough for llama.cpp and the CLI."""
import json
import os

import sentencepiece.sentencepiece_model_pb2 as sp_model

from make_text_fixtures import make_config, write_checkpoint
from text_shapes import Shape

VOCAB = 512
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
_WORDS = ('the of and to in is it you that he was for on are with as his they be at one have this from or had by hot word '
          'but what some we can out other were all there when up use your how said an each she').split()


def _pieces():
    yield from (('<pad>', CONTROL), ('<eos>', CONTROL), ('<bos>', CONTROL), ('<unk>', UNKNOWN))
    yield from (('<start_of_turn>', CONTROL), ('<end_of_turn>', CONTROL), ('\n', USER_DEFINED), ('\n\n', USER_DEFINED))
    yield from ((f'<0x{b:02X}>', BYTE) for b in range(256))
    letters = [chr(c) for c in range(33, 127)]
    seen, out = set(letters) | {'\u2581'}, []
    for word in _WORDS:  # every prefix of a word, so that merges reach it
        for end in range(1, len(word) + 1):
            piece = '\u2581' + word[:end]
            if piece not in seen:
                seen.add(piece)
                out.append(piece)
    room = VOCAB - 8 - 256 - len(letters) - 1
    yield from ((p, NORMAL) for p in out[:room])
    yield from ((p, NORMAL) for p in ['\u2581', *letters])


def write_tokenizer(path):
    """A SentencePiece BPE model laid out as Gemma's: bytes, no normalisation, no dummy prefix."""
    model = sp_model.ModelProto()
    for rank, (piece, kind) in enumerate(_pieces()):
        model.pieces.add(piece=piece, type=kind, score=-float(rank) if kind == NORMAL else 0.0)
    spec, norm = model.trainer_spec, model.normalizer_spec
    spec.model_type, spec.vocab_size, spec.byte_fallback = 2, len(model.pieces), True
    spec.pad_id, spec.eos_id, spec.bos_id, spec.unk_id = 0, 1, 2, 3
    spec.pad_piece, spec.eos_piece, spec.bos_piece, spec.unk_piece = '<pad>', '<eos>', '<bos>', '<unk>'
    norm.name, norm.add_dummy_prefix, norm.remove_extra_whitespaces, norm.escape_whitespaces = 'identity', False, False, True
    with open(path, 'wb') as f:
        f.write(model.SerializeToString())
    return len(model.pieces)


def write_model(directory, text, seed, coupling=0.5, dtype='BF16'):
    """A Gemma3nForCausalLM hub directory. text: Gemma3nTextConfig fields."""
    os.makedirs(directory, exist_ok=True)
    vocab = write_tokenizer(f'{directory}/tokenizer.model')
    shape = Shape('tiny', '', dict(vocab_size=vocab, vocab_size_per_layer_input=vocab, **text), dtype=dtype, seed=seed,
                  coupling=coupling)
    write_checkpoint(shape, make_config(shape), directory)
    with open(f'{directory}/generation_config.json', 'w') as f:
        json.dump({'bos_token_id': 2, 'eos_token_id': [1, 5], 'pad_token_id': 0}, f)
    return vocab
