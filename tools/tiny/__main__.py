"""python -m tiny STAGE: see README.md for the stages and their order."""

import argparse
import os
import sys

ALLOCATOR = {  # without these, page faults take more than half of a training step
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "1000000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}


def stage_tokenizer(args):
    from . import vocab

    vocab.build()


def stage_speech(args):
    from . import speech

    speech.build()


def stage_vision(args):
    from . import vision

    vision.train(args.limit, args.folder, muon=not args.adamw)


def stage_audio(args):
    from . import hearing

    hearing.train(args.limit, args.folder)


def stage_freeze(args):
    from . import media

    for name in args.names or ["vision", "audio"]:
        media.freeze(name)


def stage_cache(args):
    from . import media

    if "audio" in (args.names or ["audio"]):
        media.cache_sounds()
    if "vision" in (args.names or ["vision"]):
        media.cache_pictures()


def stage_joint(args):
    from . import joint

    joint.train(args.limit, args.folder)


def stage_check(args):
    from . import check

    check.run()


def stage_export(args):
    from . import export

    export.write()


def stage_evaluate(args):
    from . import evaluate

    evaluate.run()


def stage_card(args):
    from . import card

    card.write()


def stage_reference(args):
    from . import config, reference

    count = int(args.names[0]) if args.names else 500
    reference.write(args.folder or config.WORK / "reference", count, args.seed)


def stage_compare(args):
    from . import compare, config

    compare.run(args.folder or config.WORK / "reference", args.names[0], report=config.WORK / "comparison.json")


def stage_examples(args):
    from . import config, reference

    reference.examples(args.folder or config.WORK / "examples")


def stage_all(args):
    from . import pipeline

    pipeline.run()


def stage_plot(args):
    from . import config, runlog

    for curve in sorted(config.WORK.glob("*/curve.jsonl")):
        print(runlog.plot(curve.parent))


STAGES = {name[6:]: f for name, f in list(globals().items()) if name.startswith("stage_")}


def main():
    if any(os.environ.get(k) != v for k, v in ALLOCATOR.items()):
        os.environ.update(ALLOCATOR)
        os.execv(sys.executable, [sys.executable, "-m", "tiny", *sys.argv[1:]])
    parser = argparse.ArgumentParser(prog="python -m tiny", description=__doc__)
    parser.add_argument("stage", choices=list(STAGES))
    parser.add_argument("names", nargs="*", help="freeze, cache: only these towers (vision, audio); reference: how many prompts; "
                        "compare: the engine's program")
    parser.add_argument("--limit", type=float, help="stop (saved, resumable) after this many seconds")
    parser.add_argument("--folder", help="another state folder, for trials; reference, examples: where to write")
    parser.add_argument("--seed", type=int, default=20260, help="reference: another one gives other prompts")
    parser.add_argument("--adamw", action="store_true", help="vision: AdamW only, for comparison")
    args = parser.parse_args()
    STAGES[args.stage](args)


if __name__ == "__main__":
    main()
