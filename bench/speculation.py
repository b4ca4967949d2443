#!/usr/bin/env python3
"""What guessing ahead (--draft-tokens) gains and costs: the same prompts with and without it, in turns.

    bench/speculation.py models/tiny
    bench/speculation.py e4b-q4_0.gguf --tasks prose,repetition --prompts 3 --max-tokens 128

The tasks of the first kind quote what stands in the prompt or the answer, those of the second do not. Every answer must be
the same both ways; the times are of decoding alone, the least of --repeats.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys

WORDS = ("cat dog bird fish horse cow lion bear frog mouse apple pear lemon bread cheese egg rice soup cake milk house tree "
         "river stone door window table chair lamp book pen key cup spoon hat shoe coat ship train road").split()  # fmt: skip
NAMES = "Ann Bob Carl Dora Emil Fay Gus Hana Ida Jon Kim Leo Mia Ned Olga Pam Quin Rosa Sam Tom".split()
PLACES = "garden kitchen school market forest harbour station tower cellar bridge".split()


def copy(rng):
    return "Repeat: " + " ".join(rng.choices(WORDS, k=7))


def letters(rng):
    return "Copy this: " + " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(3))


def lookup(rng):
    people = rng.sample(NAMES, 12)
    facts = [f"{name} is in the {rng.choice(PLACES)}." for name in people]
    return " ".join(facts) + f" Where is {rng.choice(people)}?"


def repetition(rng):
    sentence = " ".join(rng.choices(WORDS, k=12))
    return "Say this three times: " + ". ".join([sentence] * 3)


def add(rng):
    return f"What is {rng.randrange(21)} + {rng.randrange(21)}?"


def sort(rng):
    return "Sort the words: " + " ".join(rng.sample(WORDS, 5))


def greet(rng):
    return rng.choice(["Hello", "Who are you?", "What can you do?", "What colours do you know?", "What shapes do you know?"])


def prose(rng):
    return "Write a story about " + " and ".join(rng.sample(WORDS, 2)) + "."


QUOTING = {"copy": copy, "letters": letters, "lookup": lookup, "repetition": repetition}
OTHER = {"add": add, "sort": sort, "greet": greet, "prose": prose}


def answer(args, prompt, drafts, seed):
    command = [args.gemma3n, "run", "--model", args.model, "--prompt", prompt, "--json", "--draft-tokens", str(drafts),
               "--max-tokens", str(args.max_tokens), "--temperature", str(args.temperature), "--seed", str(seed)]  # fmt: skip
    if args.threads:
        command += ["--threads", str(args.threads)]
    if args.go_on:
        command += ["--ignore-end-tokens"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def measure(args, task, rng):
    """Seconds of decoding without and with guesses, tokens, guesses, right guesses, over a task's prompts."""
    total = [0.0, 0.0, 0, 0, 0]
    for i in range(args.prompts):
        prompt = task(rng)
        times = {0: [], args.drafts: []}
        tokens = {}
        for _ in range(args.repeats):
            for drafts in times:
                result = answer(args, prompt, drafts, i)
                times[drafts].append(result["stats"]["decode_seconds"])
                tokens[drafts] = result["tokens"]
        if tokens[0] != tokens[args.drafts]:
            sys.exit(f"guessing changed the answer to {prompt!r}: {tokens[0]} became {tokens[args.drafts]}")
        total[0] += min(times[0])
        total[1] += min(times[args.drafts])
        total[2] += len(tokens[0])
        total[3] += result["stats"]["drafted_tokens"]
        total[4] += result["stats"]["accepted_tokens"]
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--gemma3n", default="build/release/bin/gemma3n")
    parser.add_argument("--tasks", default="copy,letters,lookup,add,sort,greet")
    parser.add_argument("--prompts", type=int, default=10, help="prompts a task (default 10)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--drafts", type=int, default=3)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--go-on", action="store_true", help="ignore end tokens (random weights)")
    args = parser.parse_args()
    tasks = QUOTING | OTHER
    print("| task | | tokens | guessed | right | tokens/s without | with | |\n|---|---|---|---|---|---|---|---|")
    ratios = []
    for name in args.tasks.split(","):
        plain, guessed, tokens, drafted, right = measure(args, tasks[name], random.Random(7))
        ratios.append(plain / guessed)
        print(f"| {name} | {'quotes' if name in QUOTING else ''} | {tokens} | {drafted} | {right} | {tokens / plain:.1f} | "
              f"{tokens / guessed:.1f} | {plain / guessed:.2f}x |", flush=True)  # fmt: skip
    print(f"\nmedian {statistics.median(ratios):.2f}x, least {min(ratios):.2f}x")


if __name__ == "__main__":
    main()
