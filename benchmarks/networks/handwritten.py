"""Networks that people write themselves, in PyTorch; loaded by the Python that has it, not by edgekit's."""

import torch
import torch.nn.functional as F
from torch import nn


def conv(i, o, size=3, stride=1, groups=1, act=nn.ReLU):
    """Return a convolution, BatchNormalization and an activation."""
    return nn.Sequential(nn.Conv2d(i, o, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(o), act())


class DsCnn(nn.Module):
    """Keyword spotting: depthwise separable convolutions on a spectrogram (Zhang et al. 2017)."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 64, (10, 4), (2, 2), (5, 1), bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.blocks = nn.Sequential(*(nn.Sequential(conv(64, 64, 3, 1, 64), conv(64, 64, 1)) for _ in range(4)))
        self.last = nn.Linear(64, 12)

    def forward(self, x):
        return self.last(F.adaptive_avg_pool2d(self.blocks(self.first(x)), 1).flatten(1))


class Tcn(nn.Module):
    """Causal dilated convolutions on nine series (Bai et al. 2018)."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(9, 32, 1)
        self.layers = nn.ModuleList([nn.Conv1d(32, 32, 3, dilation=d) for d in (1, 2, 4, 8)])
        self.last = nn.Linear(32, 6)

    def forward(self, x):
        x = self.first(x)
        for layer in self.layers:
            x = x + F.relu(layer(F.pad(x, (layer.dilation[0] * 2, 0))))
        return self.last(x.mean(-1))


class WaveCnn(nn.Module):
    """1-D convolutions on sound, grouped, depthwise, transposed and gated."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(1, 16, 80, 4, 38), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(4),
            nn.Conv1d(16, 32, 3, padding=1, groups=2), nn.ReLU(), nn.Conv1d(32, 32, 3, padding=1, groups=32),
            nn.GLU(1), nn.AvgPool1d(2), nn.ConvTranspose1d(16, 16, 4, 2, 1), nn.ReLU(),
        )  # fmt: skip
        self.last = nn.Linear(16, 35)

    def forward(self, x):
        return self.last(self.body(x).mean(2))


class UNet(nn.Module):
    """Segmentation with a transposed convolution, a bilinear step and skips (Ronneberger et al. 2015)."""

    def __init__(self):
        super().__init__()
        self.down1, self.down2 = nn.Sequential(conv(3, 16), conv(16, 16)), nn.Sequential(conv(16, 32), conv(32, 32))
        self.middle, self.up = conv(32, 64), nn.ConvTranspose2d(64, 32, 2, 2)
        self.join2, self.join1, self.last = conv(64, 32), conv(48, 16), nn.Conv2d(16, 3, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        y = self.join2(torch.cat([self.up(self.middle(F.max_pool2d(b, 2))), b], 1))
        y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        return self.last(self.join1(torch.cat([y, a], 1)))


class Crnn(nn.Module):
    """Text lines: convolutions, then a GRU along the width (Shi et al. 2015)."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(1, 8), nn.MaxPool2d(2), conv(8, 16), nn.MaxPool2d(2))
        self.along, self.last = nn.GRU(16 * 8, 32, batch_first=True), nn.Linear(32, 12)

    def forward(self, x):
        y = self.body(x)
        count, channels, rows, columns = y.shape
        return self.last(self.along(y.permute(0, 3, 1, 2).reshape(count, columns, channels * rows))[0])


class Lstm(nn.Module):
    """Two LSTMs one behind the other; the last step counts."""

    def __init__(self):
        super().__init__()
        self.along, self.last = nn.LSTM(6, 32, 2, batch_first=True), nn.Linear(32, 5)

    def forward(self, x):
        return self.last(self.along(x)[0][:, -1])


class Gru(nn.Module):
    """A GRU in both directions; the mean over the steps counts."""

    def __init__(self):
        super().__init__()
        self.along, self.last = nn.GRU(6, 32, batch_first=True, bidirectional=True), nn.Linear(64, 5)

    def forward(self, x):
        return self.last(self.along(x)[0].mean(1))


class Autoencoder(nn.Module):
    """Strided convolutions down and transposed ones up, with activations of several kinds."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.LeakyReLU(0.1), nn.Conv2d(16, 32, 3, 2, 1), nn.PReLU(32),
            nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.ELU(), nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x):
        return self.body(x)


class Transformer(nn.Module):
    """PyTorch's own encoder on six series, with a learned position."""

    def __init__(self):
        super().__init__()
        self.first, self.place = nn.Linear(6, 32), nn.Parameter(torch.randn(1, 50, 32) * 0.1)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, activation="gelu")
        self.body, self.last = nn.TransformerEncoder(layer, 2), nn.Linear(32, 5)

    def forward(self, x):
        return self.last(self.body(self.first(x) + self.place).mean(1))


class YoloHead(nn.Module):
    """A detector without NMS: two scales, boxes by a softmax over distances, class scores (as YOLOv8's head)."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(conv(3, 16, 3, 2, act=nn.SiLU), conv(16, 32, 3, 2, act=nn.SiLU))
        self.second, self.join = conv(32, 32, 3, 2, act=nn.SiLU), conv(64, 32, act=nn.SiLU)
        self.up, self.boxes, self.classes = nn.Upsample(scale_factor=2), nn.Conv2d(32, 64, 1), nn.Conv2d(32, 10, 1)
        self.register_buffer("distances", torch.arange(16.0).view(1, 16, 1, 1))

    def forward(self, x):
        a = self.first(x)
        b = self.second(a)
        a = self.join(torch.cat([self.up(b), a], 1))
        y = torch.cat([torch.cat([self.boxes(f), self.classes(f)], 1).flatten(2) for f in (a, b)], 2)
        boxes, classes = y.split((64, 10), 1)
        boxes = boxes.view(boxes.shape[0], 4, 16, boxes.shape[2]).transpose(2, 1).softmax(1)
        return (boxes * self.distances).sum(1), classes.sigmoid()


class PixelShuffle(nn.Module):
    """Super-resolution by sub-pixel convolution (Shi et al. 2016)."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 5, 1, 2), nn.Tanh(), nn.Conv2d(16, 12, 3, 1, 1), nn.PixelShuffle(2))

    def forward(self, x):
        return self.body(x).clamp(-1, 1)


class Siamese(nn.Module):
    """Two images through one network; how alike they are."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            conv(1, 8, 3, 2), conv(8, 16, 3, 2), nn.Flatten(), nn.Linear(16 * 7 * 7, 32), nn.ReLU()
        )
        self.last = nn.Linear(32, 1)

    def forward(self, a, b):
        return torch.sigmoid(self.last(torch.abs(self.body(a) - self.body(b))))


class TextClassifier(nn.Module):
    """Tokens and positions looked up, one encoder layer in PyTorch's own order of axes."""

    def __init__(self):
        super().__init__()
        self.words, self.places, self.norm = nn.Embedding(100, 32), nn.Embedding(16, 32), nn.LayerNorm(32)
        self.body = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 2, 64, activation="gelu"), 1)
        self.last = nn.Linear(32, 3)

    def forward(self, tokens):
        x = self.norm(self.words(tokens) + self.places(torch.arange(16))[None])
        return self.last(self.body(x.transpose(0, 1)).transpose(0, 1)[:, 0].tanh())


HANDWRITTEN = {
    "ds-cnn": (DsCnn, [(1, 49, 10)]),
    "tcn": (Tcn, [(9, 64)]),
    "wave-cnn": (WaveCnn, [(1, 1600)]),
    "unet": (UNet, [(3, 32, 32)]),
    "crnn": (Crnn, [(1, 32, 64)]),
    "lstm": (Lstm, [(20, 6)]),
    "gru": (Gru, [(20, 6)]),
    "autoencoder": (Autoencoder, [(1, 28, 28)]),
    "transformer": (Transformer, [(50, 6)]),
    "yolo-head": (YoloHead, [(3, 64, 64)]),
    "pixel-shuffle": (PixelShuffle, [(3, 24, 24)]),
    "siamese": (Siamese, [(1, 28, 28), (1, 28, 28)]),
    "text-classifier": (TextClassifier, [("tokens", 100, 16)]),
}
"""By name: the class, and the sizes of one sample of every input; of tokens how many kinds and how many of them."""
