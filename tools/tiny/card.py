"""Stage `card`: the checkpoint's README.md, with the accuracies of the last comparison."""

import json

from . import config

TEXT = """---
license: apache-2.0
pipeline_tag: image-text-to-text
tags: [gemma3n, test-model]
---
# A tiny Gemma 3n

{parameters:.1f} million parameters in bfloat16 ({megabytes:.0f} MB): the architecture of Gemma 3n without a change
(`Gemma3nForConditionalGeneration`), trained from scratch on two CPU cores by `tools/tiny`. It shares no weight and no data
with Google's Gemma 3n. It exists so that a program that runs Gemma 3n can be tried, tested and measured without the real weights.

**What it can do.** Answer, in the few forms that it was trained on: copying, small sums, sorting, counting and looking up
facts; naming coloured shapes and reading numbers of up to two digits in 256 x 256 pictures; writing down one to four of 38 English
words spoken by espeak-ng; both together; and short videos with a counter and a voice (frames as pictures after their time, `00:02`).

**What it cannot do.** Anything else. It knows eight colours (red, orange, yellow, green, cyan, blue, purple, pink), six shapes
(circle, square, triangle, star, cross, ring) and these spoken words: {words}. Other questions get nonsense, real voices mostly too.

**Structure.** {layers} layers, hidden size {hidden}, sliding window {window}, two full-attention layers that own K/V, three layers that
share them; MLP widths {widths}, activation sparsity 0.95 in the first three. The first half of every MLP is a model of its own (MatFormer).

**Exact answers** to {prompts} fresh prompts ("new": fonts and voices that training never saw), greedy, by the engine of this repository;
with these weights as they are, {same} of them are token for token what transformers answers in float32.

| data | n | {columns} |
|---|---|{dashes}|
{rows}

How it was trained, and the curves: `tools/tiny/README.md`.
"""


def write():
    from safetensors import safe_open

    from . import speech

    report = json.loads((config.WORK / "comparison.json").read_text())
    exact = report["exact"]
    rows = []
    for kind, (_, n) in [(k, v) for k, v in exact["float32"].items() if isinstance(v, list)]:
        shares = " | ".join(f"{100 * row[kind][0] / n:.0f} %" for row in exact.values())
        rows.append(f"| {kind.replace('_', ', ')} | {n} | {shares} |")
    weights = config.EXPORT / "model.safetensors"
    with safe_open(weights, "pt") as f:
        count = sum(f.get_tensor(k).numel() for k in f.keys())
    text = TEXT.format(
        parameters=count / 1e6,
        megabytes=weights.stat().st_size / 1e6,
        words=", ".join(speech.WORDS),
        layers=len(config.LAYER_TYPES),
        hidden=config.HIDDEN,
        window=config.WINDOW,
        widths=", ".join(map(str, config.WIDTHS)),
        prompts=report["prompts"],
        same=exact["float32"]["same_as_transformers"],
        columns=" | ".join(exact),
        dashes="|".join("---" for _ in exact),
        rows="\n".join(rows),
    )
    (config.EXPORT / "README.md").write_text(text)
    print(config.EXPORT / "README.md")
