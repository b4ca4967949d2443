"""Checkpoints that survive an interruption, and curves that survive it too."""

import json
import os
import signal
import time
from pathlib import Path

import torch


def save_atomic(obj, path):
    """torch.save to a temporary name, then rename: a reader sees the old file or the new one, never half."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tmp = path.with_name(path.name + ".tmp")
    with open(tmp, "wb") as f:
        torch.save(obj, f)
        f.flush()
        os.fsync(f.fileno())
    os.replace(tmp, path)


class Run:
    """One training stage: `state.pt` (the newest checkpoint) and `curve.jsonl` under `WORK/<name>`."""

    def __init__(self, folder, save_every_s=180):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state_path = self.folder / "state.pt"
        self.curve_path = self.folder / "curve.jsonl"
        self.save_every_s = save_every_s
        self.last_save = time.time()
        self.stopping = False  # set by SIGTERM or Ctrl-C: the loop then saves and ends
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, *_):
        self.stopping = True

    def load(self):
        """The newest checkpoint, or None. Lines of the curve past it are dropped: they'll be made again."""
        if not self.state_path.exists():
            return None
        state = torch.load(self.state_path, map_location="cpu", weights_only=False)
        lines = read_curve(self.curve_path)
        keep = [r for r in lines if r["step"] <= state["step"]]
        if len(keep) < len(lines):
            tmp = self.curve_path.with_suffix(".tmp")
            tmp.write_text("".join(json.dumps(r) + "\n" for r in keep))
            os.replace(tmp, self.curve_path)
        return state

    def due(self):
        return time.time() - self.last_save > self.save_every_s

    def save(self, state):
        save_atomic(state, self.state_path)
        self.last_save = time.time()

    def log(self, step, **values):
        record = {"step": step, "time": round(time.time(), 1), **values}
        with open(self.curve_path, "a") as f:
            f.write(json.dumps(record) + "\n")
        print(" ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in record.items()), flush=True)


def read_curve(path):
    if not Path(path).exists():
        return []
    out = []
    for line in Path(path).read_text().splitlines():
        try:
            out.append(json.loads(line))
        except json.JSONDecodeError:
            pass  # a line cut off by an interruption
    return out


def plot(folder, out=None):
    """Draws every number of a stage's curve against its step, losses above and accuracies below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder = Path(folder)
    records = read_curve(folder / "curve.jsonl")
    names = sorted({k for r in records for k, v in r.items() if isinstance(v, (int, float))} - {"step", "time", "seen"})
    groups = [
        ("loss", [n for n in names if "loss" in n]),
        ("accuracy", [n for n in names if n.startswith("acc_")]),
    ]
    fig, axes = plt.subplots(2, 1, figsize=(9, 9), sharex=True)
    for axis, (label, members) in zip(axes, groups):
        for name in members:
            points = [(r["step"], r[name]) for r in records if name in r]
            axis.plot(*zip(*points), label=name.removeprefix("acc_"), lw=1.2)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        if members:
            axis.legend(fontsize=7, ncol=2, loc="upper right" if label == "loss" else "lower right")
    axes[1].set_xlabel("step")
    axes[0].set_title(folder.name)
    path = Path(out) if out else folder / "curve.png"
    fig.tight_layout()
    fig.savefig(path, dpi=100)
    plt.close(fig)
    return path
