"""Stage `compare`: an engine's answers to the prompts that `reference` wrote, beside transformers' and the truth.

    python -m tiny compare GEMMA3N [--folder REFERENCE]

Rows: the checkpoint as it is (towers in float32, in bfloat16, and all as the engine's defaults have it), its half-width model, and GGUF
files that the engine writes, in float32 arithmetic and by default. The greedy answers of the exact row must be transformers' own.
GEMMA3N_KERNELS in the environment says which processor's arithmetic is the default.
"""

import json
import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import config

KINDS = ("text", "image", "audio", "both", "video")


def answer(program, folder, sample, flags):
    content = [{"type": p["type"], "path": str(folder / p["file"])} if "file" in p else p for p in sample["content"]]
    messages = [{"role": "system", "content": sample["system"]}] if sample["system"] else []
    messages.append({"role": "user", "content": content})
    command = [program, "run", "--messages", "-", "--temperature", "0", "--max-tokens", "60", "--threads", "1", *flags]
    done = subprocess.run(command, input=json.dumps(messages), capture_output=True, text=True, check=True)
    return done.stdout.removesuffix("\n")


def write_gguf(program, model, kind, folder):
    out, towers = folder / f"{kind}.gguf", folder / f"{kind}-mmproj.gguf"
    tower_kind = "Q8_0" if kind.startswith("Q") else kind
    command = [program, "quantize", "--model", model, "--type", kind, "--output", out, "--mmproj", towers, "--mmproj-type", tower_kind]
    subprocess.run([str(c) for c in command], check=True, capture_output=True)
    return ["--model", str(out), "--mmproj", str(towers), "--chat-template", str(model / "chat_template.jinja")]


def rows(program, model, folder):
    hub = ["--model", str(model), "--precision", "f32"]
    half = ",".join(str(w // 2) for w in config.WIDTHS)
    yield "float32", [*hub, "--media-precision", "f32"]
    yield "bfloat16 towers", [*hub, "--media-precision", "bf16"]
    yield "by default", ["--model", str(model)]
    yield "half width", [*hub, "--media-precision", "f32", "--mlp-width", half]
    for kind in ("Q8_0", "Q4_0"):
        gguf = write_gguf(program, model, kind, folder)
        yield f"{kind} GGUF", [*gguf, "--precision", "f32", "--media-precision", "f32"]
        yield f"{kind} GGUF, by default", gguf  # fast arithmetic, which must not cost accuracy


def run(folder, program, report):
    folder, model = Path(folder).resolve(), Path(config.EXPORT).resolve()
    samples = json.loads((folder / "expected.json").read_text())
    table = {}
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, flags in rows(program, model, Path(scratch)):
            got = list(pool.map(lambda s: answer(program, folder, s, flags), samples))  # noqa: B023
            row = {"same_as_transformers": sum(g == s["model"] for g, s in zip(got, samples))}
            for kind in KINDS:
                for new in (False, True):
                    hits = [g == s["expected"] for g, s in zip(got, samples) if (s["kind"], s["held_out"]) == (kind, new)]
                    if hits:
                        row[kind + ("_new" if new else "")] = [sum(hits), len(hits)]
            table[name] = row
            shares = " ".join(f"{k} {v[0]}/{v[1]}" for k, v in row.items() if isinstance(v, list))
            print(f"{name}: {row['same_as_transformers']} of {len(samples)} as transformers; {shares}", flush=True)
    Path(report).write_text(json.dumps({"prompts": len(samples), "exact": table}, indent=1))
