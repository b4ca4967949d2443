#!/usr/bin/env python3
"""y = W x beside torch.nn.functional.linear, in turns: linear_compare.py BENCH [--threads N] [--rounds N] ROWSxINxOUT ...
BENCH is the program linear_bench. One thread is measured by its own processor time, more by the clock; each figure is
the least time of all rounds, and the median of the rounds' medians, in milliseconds."""
import argparse
import statistics
import subprocess
import time

import torch

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('bench')
parser.add_argument('shapes', nargs='+')
parser.add_argument('--threads', type=int, default=1)
parser.add_argument('--rounds', type=int, default=5)
args = parser.parse_args()
torch.set_num_threads(args.threads)
clock = time.thread_time if args.threads == 1 else time.perf_counter


def torch_times(rows, cols, out, dtype):
    x, w = torch.rand(rows, cols).to(dtype), torch.rand(out, cols).to(dtype)
    times = []
    with torch.inference_mode():
        for _ in range(4):
            start = clock()
            torch.nn.functional.linear(x, w)
            times.append(1e3 * (clock() - start))
    return min(times[1:]), statistics.median(times[1:])


for shape in args.shapes:
    rows, cols, out = map(int, shape.split('x'))
    times = {}
    for _ in range(args.rounds):
        lines = subprocess.run([args.bench, *map(str, (rows, cols, out, args.threads, 3))], capture_output=True, text=True,
                               check=True).stdout
        for line in lines.splitlines():
            name, least, median = line.split()[:3]
            times.setdefault(name, []).append((float(least), float(median)))
        for dtype, name in ((torch.float32, 'torch/float32'), (torch.bfloat16, 'torch/bfloat16')):
            times.setdefault(name, []).append(torch_times(rows, cols, out, dtype))
    print(f'{shape}, {args.threads} thread(s)')
    for name, values in times.items():
        least = min(v[0] for v in values)
        median = statistics.median(v[1] for v in values)
        print(f'  {name:16} {least:9.2f} {median:9.2f} ms {1e-6 * rows * cols * out / least:8.0f} GMAC/s', flush=True)
