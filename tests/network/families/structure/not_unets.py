"""Twenty networks that are no U-Nets, defined here."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import nn


class Named(nn.Module):
    """Holds modules under names; only its weights matter."""

    def __init__(self, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


def conv(a: int, b: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(b), nn.ReLU())


def chain(*widths: int) -> nn.Sequential:
    return nn.Sequential(*(conv(a, b) for a, b in pairwise(widths)))


def ups(*widths: int) -> nn.Sequential:
    return nn.Sequential(*(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairwise(widths)))


def residual(a: int, b: int) -> nn.Module:
    shortcut = {"short": conv(a, b, 1)} if a != b else {}
    return Named(one=conv(a, b), two=conv(b, b), **shortcut)


def linears(*widths: int) -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(widths)))


NOT_UNETS: dict[str, Callable[[], nn.Module]] = {
    "classifier": lambda: Named(body=chain(3, 16, 16, 32, 32, 64), top=nn.Linear(64, 10)),
    "residual classifier": lambda: Named(
        stem=conv(3, 16, 7), a=residual(16, 16), b=residual(16, 32), c=residual(32, 64), top=nn.Linear(64, 5)
    ),
    "large classifier": lambda: Named(body=chain(3, 64, 64, 128, 128, 256, 256, 512, 512), top=linears(512, 256, 4)),
    "separable classifier": lambda: nn.Sequential(
        *(
            nn.Sequential(nn.Conv2d(a, a, 3, groups=a), nn.Conv2d(a, b, 1), nn.BatchNorm2d(b))
            for a, b in ((3, 16), (16, 32), (32, 64))
        ),
        nn.Linear(64, 7),
    ),
    "transformer": lambda: Named(
        patch=nn.Conv2d(3, 32, 16, 16),
        blocks=nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2),
    ),
    "language model": lambda: Named(
        words=nn.Embedding(100, 32),
        blocks=nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 2, 64, batch_first=True), 2),
    ),
    "recurrent": lambda: Named(words=nn.Embedding(100, 32), cell=nn.LSTM(32, 32, 2), top=nn.Linear(32, 100)),
    "perceptron": lambda: linears(784, 256, 128, 10),
    "autoencoder": lambda: Named(down=chain(1, 16, 32, 64), up=ups(64, 32, 16, 1)),
    "deep autoencoder": lambda: Named(
        down=chain(3, 32, 32, 64, 64, 128, 128), up=ups(128, 64, 32), out=nn.Conv2d(32, 3, 3)
    ),
    "variational autoencoder": lambda: Named(
        down=chain(3, 32, 64), mean=nn.Linear(64, 16), spread=nn.Linear(64, 16), up=ups(16, 64, 32, 3)
    ),
    "generator": lambda: ups(100, 256, 128, 64, 3),
    "discriminator": lambda: nn.Sequential(
        conv(3, 64, 4, 2), conv(64, 128, 4, 2), conv(128, 256, 4, 2), nn.Conv2d(256, 1, 4)
    ),
    "residual generator": lambda: Named(
        stem=conv(3, 32, 7),
        down=chain(32, 64, 128),
        body=nn.Sequential(*(residual(128, 128) for _ in range(4))),
        up=ups(128, 64, 32),
        out=nn.Conv2d(32, 3, 7),
    ),
    "super-resolution": lambda: Named(stem=nn.Conv2d(3, 64, 3), body=chain(64, 64, 64, 64), out=nn.Conv2d(64, 12, 3)),
    "denoiser": lambda: nn.Sequential(nn.Conv2d(1, 64, 3), *(conv(64, 64) for _ in range(8)), nn.Conv2d(64, 1, 3)),
    "detector": lambda: Named(
        body=chain(3, 16, 32, 64, 128),
        lateral=nn.Conv2d(128, 64, 1),
        boxes=nn.Conv2d(64, 36, 3),
        kinds=nn.Conv2d(64, 18, 3),
    ),
    "one-shot detector": lambda: Named(
        body=chain(3, 16, 32, 64), heads=nn.ModuleList([nn.Conv2d(c, 24, 3) for c in (16, 32, 64)])
    ),
    "volume": lambda: Named(down=nn.Conv3d(1, 8, 3), up=nn.ConvTranspose3d(8, 1, 2)),
    "signal": lambda: nn.Sequential(nn.Conv1d(1, 16, 5), nn.BatchNorm1d(16), nn.Conv1d(16, 4, 5)),
}
