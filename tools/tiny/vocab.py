"""Stage `tokenizer`: a SentencePiece BPE model with Gemma's layout of ids, and the same thing as tokenizer.json.

    0 pad, 1 eos, 2 bos, 3 unk, 4 mask, 5 [multimodal], 6-104 unused, 105/106 turns, 107-137 newline runs,
    138-167 space runs (2..31), 168-237 tags, 238-493 bytes, 494.. learned pieces, then <start_of_image> and
    <start_of_audio>; the tokenizer.json adds end-of-image, image, end-of-audio and audio soft tokens above.
"""

import io
import json

import numpy as np

from . import config, tasks

SPACE = "\u2581"
TAGS = [
    f"<{slash}{t}>"
    for t in (
        "table caption thead tbody tfoot tr th td h1 h2 h3 h4 h5 h6 blockquote ul ol li p b i u s em strong code pre a "
        "sub sup span div br hr img"
    ).split()
    for slash in ("", "/")
][:70]

CHAT_TEMPLATE = r"""{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = '' -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif -%}
    {%- if message['role'] == 'assistant' -%}
        {%- set role = 'model' -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else '') }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'audio' -%}
                {{ '<audio_soft_token>' }}
            {%- elif item['type'] == 'image' -%}
                {{ '<image_soft_token>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception('Invalid content type') }}
    {%- endif -%}
    {{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model\n' }}
{%- endif -%}
"""


def corpus(samples=6000):
    """Text as the model will meet it, and every printable character."""
    rng = np.random.default_rng(99)

    def sounds(r):
        return {"words": tasks.speech.random_sentence(r)}

    lines = []
    for i in range(samples):
        s = (
            tasks.text_sample(rng) if i % 2
            else tasks.picture_sample(rng, tasks.scene) if i % 8 == 0
            else tasks.audio_sample(rng, sounds) if i % 8 == 2
            else tasks.mixed_sample(rng, tasks.scene, sounds) if i % 8 == 4
            else tasks.video_sample(rng, tasks.video, sounds)
        )  # fmt: skip
        for parts, answer in s.turns:
            lines += [p for p in parts if isinstance(p, str)] + [answer]
    lines += [" ".join(np.array(list(tasks.LETTERS))[rng.permutation(26)]) for _ in range(20)]
    lines += ["user", "model", "The quick brown fox jumps over the lazy dog.", "Please answer in one word."] * 20
    return lines


def build():
    import sentencepiece as spm
    from sentencepiece import sentencepiece_model_pb2 as pb

    folder = config.WORK / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    lines = corpus()
    alphabet = "".join(chr(c) for c in range(33, 127))
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter([part for line in lines for part in line.split("\n") if part.strip()]),
        model_writer=model,
        model_type="bpe",
        vocab_size=900,
        required_chars=alphabet,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_digits=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    trained = pb.ModelProto()
    trained.ParseFromString(model.getvalue())
    kind = pb.ModelProto.SentencePiece
    normal = [p.piece for p in trained.pieces if p.type == kind.NORMAL]
    characters = sorted({p for p in normal if len(p) == 1} | set(alphabet) | {SPACE})
    merged = [p for p in normal if len(p) > 1][: config.BOI - 494 - len(characters)]
    out = pb.ModelProto()
    out.CopyFrom(trained)
    del out.pieces[:]

    def put(piece, type_=kind.NORMAL, score=0.0):
        out.pieces.add(piece=piece, type=type_, score=score)

    for name in ("<pad>", "<eos>", "<bos>"):
        put(name, kind.CONTROL)
    put("<unk>", kind.UNKNOWN)
    put("<mask>", kind.CONTROL)
    put("[multimodal]", kind.USER_DEFINED)
    for i in range(99):
        put(f"<unused{i}>", kind.CONTROL)
    put("<start_of_turn>", kind.CONTROL)
    put("<end_of_turn>", kind.CONTROL)
    for n in range(1, 32):
        put("\n" * n, kind.USER_DEFINED)
    for n in range(2, 32):
        put(SPACE * n, kind.USER_DEFINED)
    for tag in TAGS:
        put(tag, kind.USER_DEFINED)
    for b in range(256):
        put(f"<0x{b:02X}>", kind.BYTE)
    for i, piece in enumerate(merged + characters):
        put(piece, score=-float(i))
    while len(out.pieces) < config.BOI:
        put(f"<unused{99 + len(out.pieces) - 494}>", kind.CONTROL)
    put("<start_of_image>", kind.USER_DEFINED)
    put("<start_of_audio>", kind.USER_DEFINED)
    assert len(out.pieces) == config.TEXT_VOCAB and out.pieces[238].piece == "<0x00>"
    t = out.trainer_spec
    t.vocab_size, t.pad_id, t.eos_id, t.bos_id, t.unk_id = config.TEXT_VOCAB, 0, 1, 2, 3
    t.pad_piece, t.eos_piece, t.bos_piece, t.unk_piece = "<pad>", "<eos>", "<bos>", "<unk>"
    t.byte_fallback = True
    (folder / "tokenizer.model").write_bytes(out.SerializeToString())
    write_json(out, folder)
    check(folder)


def write_json(proto, folder):
    """tokenizer.json, tokenizer_config.json and the chat template, equivalent to the SentencePiece model."""
    from sentencepiece import sentencepiece_model_pb2 as pb

    kind = pb.ModelProto.SentencePiece
    vocab = {p.piece: i for i, p in enumerate(proto.pieces)}
    runs = [SPACE * n for n in range(2, 32)]
    ranked = runs + [p.piece for p in proto.pieces if p.type == kind.NORMAL and len(p.piece) > 1]
    merges = []
    for piece in ranked:
        splits = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        merges += sorted(s for s in splits if s[0] in vocab and s[1] in vocab)
    added = []
    for i, p in enumerate(proto.pieces):
        special = p.type in (kind.CONTROL, kind.UNKNOWN) or p.piece.startswith("<start_of_")
        if special or (p.type == kind.USER_DEFINED and SPACE not in p.piece):
            added.append((i, p.piece, special))
    added += [(config.EOI, "<end_of_image>", True), (config.IMAGE, "<image_soft_token>", True)]
    added += [(config.EOA, "<end_of_audio>", True), (config.AUDIO, "<audio_soft_token>", True)]
    named = {i for i, _, _ in added}
    # Ids above the SentencePiece model that have no name yet: the embedders' other hard rows.
    added += [(i, f"<hard{i - config.TEXT_VOCAB}>", True) for i in range(config.TEXT_VOCAB, config.VOCAB) if i not in named]
    added.sort()
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    body = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": c, **flags, "special": s} for i, c, s in added],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [
                {"SpecialToken": {"id": "<bos>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "<bos>", "type_id": 1}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [config.BOS], "tokens": ["<bos>"]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": [list(m) for m in merges],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(body, ensure_ascii=False, indent=1))
    settings = {
        "tokenizer_class": "GemmaTokenizerFast",
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
        "boa_token": "<start_of_audio>",
        "eoa_token": "<end_of_audio>",
        "audio_token": "<audio_soft_token>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
        "padding_side": "left",
        "processor_class": "Gemma3nProcessor",
        "extra_special_tokens": {
            "image_token": "<image_soft_token>",
            "audio_token": "<audio_soft_token>",
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "boa_token": "<start_of_audio>",
            "eoa_token": "<end_of_audio>",
        },
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    (folder / "special_tokens_map.json").write_text(
        json.dumps({k: settings[k] for k in ("bos_token", "eos_token", "pad_token", "unk_token")}, indent=1) + "\n"
    )
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)


def load():
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(config.WORK / "tokenizer" / "tokenizer.json"))


def check(folder):
    """The two files must agree on every line of the corpus, on awkward spaces and on bytes."""
    import sentencepiece as spm
    from tokenizers import Tokenizer

    sp = spm.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    hf = Tokenizer.from_file(str(folder / "tokenizer.json"))
    awkward = ["a  b", " " * 8 + "return", "x" + " " * 31 + "y", "\n\n\nhi\n", "na\u00efve \u4f60\u597d \U0001f600", "", " ", "tab\there"]
    wrong, tokens, characters = [], 0, 0
    for line in corpus(2000) + awkward:
        a, b = sp.encode(line), hf.encode(line, add_special_tokens=False).ids
        tokens, characters = tokens + len(a), characters + len(line)
        if a != b or sp.decode(a) != line or hf.decode(b) != line:
            wrong.append((line, a, b, sp.decode(a), hf.decode(b)))
    print(f"tokenizer: {characters / tokens:.2f} characters a token, {len(wrong)} disagreements", wrong[:3])
    if wrong:
        raise SystemExit("tokenizer.json disagrees with tokenizer.model")
