"""Muon for matrices and AdamW for the rest, an average of the weights, and learning-rate shapes."""

import math

import torch


def _gram(x, rows):
    return x @ x.mT if rows else x.mT @ x


def orthogonalise(g, steps=5):
    """Newton-Schulz towards the nearest orthogonal matrix, of a stack [n, r, c]; works on the small Gram matrix."""
    wide = g.shape[-2] <= g.shape[-1]
    x = g / (g.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = 3.4445, -4.7750, 2.0315
    gram = _gram(x, wide)
    eye = torch.eye(gram.shape[-1])
    total = None
    for i in range(steps):
        p = a * eye + b * gram + c * (gram @ gram)  # x <- p x, all in the commuting algebra of the Gram matrix
        total = p if total is None else p @ total
        if i + 1 < steps:
            gram = p @ gram @ p
    return total @ x if wide else x @ total


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised per matrix (convolutions are flattened to [out, in*k*k]); same shapes in one stack."""

    def __init__(self, params, lr=0.02, momentum=0.95, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            stacks = {}
            for p in group["params"]:
                if p.grad is not None:
                    stacks.setdefault((p.shape[0], p.numel() // p.shape[0]), []).append(p)
            for (rows, cols), members in stacks.items():
                updates = []
                for p in members:
                    state = self.state[p]
                    if not state:
                        state["m"] = torch.zeros_like(p)
                    m = state["m"]
                    m.lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(m, group["momentum"]).view(rows, cols))
                scale = math.sqrt(max(1.0, rows / cols))
                for p, u in zip(members, orthogonalise(torch.stack(updates))):
                    if group["weight_decay"]:
                        p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(u.view_as(p), alpha=-group["lr"] * scale)


class Optimisers:
    """Muon for what `is_matrix(name, p)` accepts, AdamW for the rest; one learning-rate factor for both."""

    def __init__(self, named, is_matrix, muon_lr, adam_lr, weight_decay=0.01, betas=(0.9, 0.98)):
        named = list(named)
        matrices = [p for n, p in named if is_matrix(n, p)]
        rest = [p for n, p in named if not is_matrix(n, p)]
        self.parts = []
        if matrices:
            self.parts.append((Muon(matrices, muon_lr, weight_decay=weight_decay), muon_lr))
        if rest:
            self.parts.append((torch.optim.AdamW(rest, adam_lr, betas=betas, weight_decay=0.0), adam_lr))
        self.adam_params = rest

    def step(self, factor, clip=1.0):
        torch.nn.utils.clip_grad_norm_([p for p in self.adam_params if p.grad is not None], clip)
        for optimiser, base in self.parts:
            for group in optimiser.param_groups:
                group["lr"] = base * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state_dict(self):
        return [o.state_dict() for o, _ in self.parts]

    def load_state_dict(self, states):
        for (optimiser, _), state in zip(self.parts, states):
            optimiser.load_state_dict(state)


class Average:
    """Exponential moving average of a module's parameters, started gently."""

    def __init__(self, module, decay=0.995):
        self.decay = decay
        self.steps = 0
        self.shadow = {n: p.detach().clone() for n, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module):
        self.steps += 1
        d = min(self.decay, (1 + self.steps) / (10 + self.steps))
        names, params = zip(*module.named_parameters())
        shadows = [self.shadow[n] for n in names]
        torch._foreach_lerp_(shadows, [p.detach() for p in params], 1 - d)

    def swap(self, module):
        """Exchanges the module's weights with the averages (call again to undo)."""
        with torch.no_grad():
            for n, p in module.named_parameters():
                keep = p.detach().clone()
                p.copy_(self.shadow[n])
                self.shadow[n] = keep

    def state_dict(self):
        return {"steps": self.steps, "shadow": self.shadow}

    def load_state_dict(self, state):
        self.steps, self.shadow = state["steps"], state["shadow"]


def factor(step, total, warmup=40, final=0.05, hold=0.0):
    """Linear warm-up, constant for `hold` of the way, then a half cosine down to `final`."""
    if step < warmup:
        return (step + 1) / warmup
    t = (step - warmup) / max(1, total - warmup)
    t = max(0.0, (t - hold) / max(1e-9, 1 - hold))
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, t)))
