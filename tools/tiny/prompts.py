"""From a Sample to token ids, the rows whose logits count, and the soft tokens: the release's prompt format."""

from dataclasses import dataclass

import torch

from . import config

IMAGE_TEXT = "\n\n<start_of_image><image_soft_token><end_of_image>\n\n"
AUDIO_TEXT = "\n\n<start_of_audio><audio_soft_token><end_of_audio>\n\n"
WHOLE = [i % 16 for i in range(config.IMAGE_TOKENS)]  # columns of the soft tokens of a picture that is not cut


@dataclass
class Encoded:
    ids: torch.Tensor  # [N]
    rows: torch.Tensor  # [M]: positions that predict a token of an answer
    targets: torch.Tensor  # [M]
    soft: torch.Tensor  # [S, HIDDEN], in order of the soft-token positions
    columns: torch.Tensor  # [S]: of a whole picture's soft tokens where they lie in it, 0 to 15; else -1


def prompt_text(sample, upto=None):
    """The conversation's text up to (and without) answer number `upto`, one placeholder token per medium."""
    out = "<bos>"
    for k, (parts, answer) in enumerate(sample.turns):
        out += "<start_of_turn>user\n" + (sample.system + "\n\n" if k == 0 and sample.system else "")
        for part in parts:
            out += part.strip() if isinstance(part, str) else IMAGE_TEXT if part[0] == "image" else AUDIO_TEXT
        out += "<end_of_turn>\n<start_of_turn>model\n"
        if k == upto:
            return out
        out += answer + "<end_of_turn>\n"
    return out


def encode(sample, tokenizer, media, audio_slots=config.AUDIO_TOKENS):
    """`media(kind, spec)` gives soft tokens [n, HIDDEN]; sound is padded to `audio_slots` as the reference pads to 188."""
    ids, rows, targets, soft, columns = [], [], [], [], []

    def add(text, answer=False):
        for t in tokenizer.encode(text, add_special_tokens=False).ids:
            if t in (config.IMAGE, config.AUDIO):
                tokens = waiting.pop(0)
                soft.append(tokens)
                columns.extend(WHOLE if t == config.IMAGE and len(tokens) == len(WHOLE) else [-1] * len(tokens))
                ids.extend([t] * len(tokens))
                if t == config.AUDIO:  # the padding embedding is the embedder's last hard row
                    ids.extend([config.VOCAB - 1] * (audio_slots - len(tokens)))
                continue
            if answer:
                rows.append(len(ids) - 1)
                targets.append(t)
            ids.append(t)

    waiting = [media(p[0], p[1]) for parts, _ in sample.turns for p in parts if not isinstance(p, str)]
    for k, (parts, answer) in enumerate(sample.turns):
        text = "<bos>" if k == 0 else "\n"
        text += "<start_of_turn>user\n" + (sample.system + "\n\n" if k == 0 and sample.system else "")
        for part in parts:
            text += part.strip() if isinstance(part, str) else IMAGE_TEXT if part[0] == "image" else AUDIO_TEXT
        add(text + "<end_of_turn>\n<start_of_turn>model\n")
        add(answer + "<end_of_turn>", answer=True)
    ids, rows, targets, columns = (torch.tensor(v, dtype=torch.long) for v in (ids, rows, targets, columns))
    return Encoded(ids, rows, targets, torch.cat(soft) if soft else torch.zeros(0, config.HIDDEN), columns)
