"""The vision tower in training: initialisation, a quick RMS norm, and growing it block by block.

The tower is timm's MobileNetV5 unchanged; what differs from inference is only how it gets there.
"""

import math
import types

import torch
from torch import nn

STAGE_START = {2: 9, 3: 1}  # blocks 0.. of stages 2 and 3 that are not (attention, uir) pairs


class _RmsNorm2d(torch.autograd.Function):
    """x / rms(x over channels) * w with the backward pass written out: half the memory traffic of autograd's."""

    @staticmethod
    def forward(ctx, x, weight, eps):
        r = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        r = r.square_().mul_(1.0 / x.shape[1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, r)
        return (x * r).mul_(weight.view(1, -1, 1, 1))

    @staticmethod
    def backward(ctx, grad):
        x, weight, r = ctx.saved_tensors
        xn = x * r
        gx = grad * xn
        gw = gx.sum((0, 2, 3))
        dot = torch.einsum("bchw,c->bhw", gx, weight).unsqueeze(1).mul_(-1.0 / x.shape[1])
        return xn.mul_(dot).add_(grad * weight.view(1, -1, 1, 1)).mul_(r), gw, None


def quick_norms(tower):
    """Gives every RMS norm of the tower the quick backward pass (same values, same parameters)."""

    def forward(self, x):
        x = _RmsNorm2d.apply(x, self.weight, self.eps)
        return self.act(x) if hasattr(self, "act") else x

    for module in tower.modules():
        if type(module).__name__ in ("RmsNorm2d", "RmsNormAct2d"):
            module.forward = types.MethodType(forward, module)


def initialise(tower, generator_seed=0):
    """Fan-in scaled convolutions, a centred and mostly zero-mean stem, small residual branches."""
    torch.manual_seed(generator_seed)
    for name, module in tower.named_modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, 0.0, fan_in**-0.5)
        if name.endswith("layer_scale") and hasattr(module, "gamma"):
            is_attention = hasattr(tower.get_submodule(name.rsplit(".", 1)[0]), "attn")
            nn.init.constant_(module.gamma, 0.05 if is_attention else 0.2)
    stem = tower.conv_stem.conv
    with torch.no_grad():
        n = stem.weight.shape[0] * 3 // 4
        stem.weight[:n] -= stem.weight[:n].mean((1, 2, 3), keepdim=True)
        stem.weight[:n] *= 3.0  # what is left is contrast, which is small
        stem.bias.copy_(-0.5 * stem.weight.sum((1, 2, 3)))


def active_blocks(tower, pairs):
    """The blocks run when only `pairs` (attention, uir) pairs of stages 2 and 3 are; 19 or more is all 84."""
    out = []
    for s, stage in enumerate(tower.blocks):
        keep = len(stage) if s < 2 else min(len(stage), STAGE_START[s] + 2 * pairs)
        out.append(list(stage)[:keep])
    return out


def features(tower, pixels, pairs=99, cells=None):
    """pixels [B,3,S,S] in [0,1] -> soft features [B,2048,S/16,S/16], and stage 2's output before its pairs."""
    x = tower.conv_stem(pixels)
    taps = []
    middle = None
    for s, stage in enumerate(active_blocks(tower, pairs)):
        for b, block in enumerate(stage):
            x = block(x)
            if s == 2 and b == STAGE_START[2] - 1:
                middle = x
        taps.append(x)
    tower.msfa.output_resolution = (cells or pixels.shape[-1] // 16,) * 2
    return tower.msfa(taps[2:]), middle


def wake(tower, before, after, gamma=0.02):
    """Blocks that join now start as nearly nothing, so that the loss does not jump."""
    old = {id(b) for stage in active_blocks(tower, before) for b in stage}
    for stage in active_blocks(tower, after):
        for block in stage:
            if id(block) not in old:
                nn.init.constant_(block.layer_scale.gamma, gamma)
