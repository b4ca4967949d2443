"""Which column of its picture a soft token comes from, as a label more for the text decoder (stage `joint`).

Which of two things is further left is a matter of columns. A position tells them only modulo 16 and the tower's soft tokens
only near the edges, so before this loss nothing in the decoder knew them.
"""

import torch
import torch.nn.functional as F

from . import config


class Columns(torch.nn.Module):
    """A head, thrown away afterwards, that reads the column from what the last layer with K/V of its own makes them of."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(config.HIDDEN, 16)
        self.opt = torch.optim.AdamW(self.head.parameters(), 3e-3)

    def forward(self, kept, batch, samples):
        """The sum of the cross entropies, and how many columns are told right."""
        soft = (batch.ids == config.IMAGE) | (batch.ids == config.AUDIO)
        columns = torch.cat([s.columns for s in samples])
        known = columns >= 0
        logits = self.head(kept[soft][known])
        loss = F.cross_entropy(logits, columns[known], reduction="sum")
        return loss, int((logits.argmax(-1) == columns[known]).sum())

    def step(self):
        self.opt.step()
        self.opt.zero_grad(set_to_none=True)

    def state(self):
        return {"head": self.head.state_dict(), "opt": self.opt.state_dict()}

    def load(self, state):
        self.head.load_state_dict(state["head"])
        self.opt.load_state_dict(state["opt"])
