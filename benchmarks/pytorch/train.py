"""Train a network in PyTorch and export it to ONNX, as its users do.

    python train.py mnist-separable|cifar10-residual|cifar10-inverted DATA.npz OUT.onnx [EPOCHS]

Runs under a Python with torch, torchvision is not needed, and knows nothing of edgekit. DATA has x_train, y_train,
x_test and y_test. Inputs are (N, channels, height, width) of (x / 255 - mean) / std. Printed: accuracy on the test
samples, in PyTorch.
"""

import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, pad

SEED, BATCH, RATE = 7, 128, 0.2
STATISTICS = {1: ([0.1307], [0.3081]), 3: ([0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616])}
"""Mean and standard deviation by the number of channels: those of MNIST and CIFAR-10 that PyTorch's users write."""


def convolution(inputs, outputs, kernel=3, stride=1, groups=1, activation=nn.ReLU):
    """Return a convolution with BatchNormalization, and an activation."""
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)]
    return nn.Sequential(*layers, nn.BatchNorm2d(outputs), activation())


class Residual(nn.Module):
    """Two convolutions and what goes around them."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        same = stride == 1 and inputs == outputs
        self.first = convolution(inputs, outputs, stride=stride)
        self.second = convolution(outputs, outputs, activation=nn.Identity)
        self.around = nn.Identity() if same else convolution(inputs, outputs, 1, stride, activation=nn.Identity)

    def forward(self, x):
        """Map (N, inputs, height, width) to (N, outputs, height / stride, width / stride)."""
        return torch.relu(self.second(self.first(x)) + self.around(x))


class Excite(nn.Module):
    """Scale each channel by what all of them are on average."""

    def __init__(self, channels):
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x):
        """Keep the shape."""
        mean = nn.functional.adaptive_avg_pool2d(x, 1)
        return x * nn.functional.hardsigmoid(self.excite(torch.relu(self.squeeze(mean))))


class Inverted(nn.Module):
    """The block of MobileNetV3: expand, filter each channel, excite, project."""

    def __init__(self, inputs, outputs, stride=1, expand=3):
        super().__init__()
        inner, self.same = inputs * expand, stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            convolution(inputs, inner, 1, activation=nn.Hardswish),
            convolution(inner, inner, 3, stride, groups=inner, activation=nn.Hardswish),
            Excite(inner),
            convolution(inner, outputs, 1, activation=nn.Identity),
        )

    def forward(self, x):
        """Map (N, inputs, height, width) to (N, outputs, height / stride, width / stride)."""
        return x + self.body(x) if self.same else self.body(x)


class Classifier(nn.Module):
    """Features, their mean over the image, and ten classes."""

    def __init__(self, features, channels):
        super().__init__()
        self.features, self.classes = features, nn.Linear(channels, 10)

    def forward(self, x):
        """Return logits (N, 10)."""
        return self.classes(self.features(x).mean((2, 3)))


def separable(inputs, outputs, stride=1):
    """Return a depthwise and a pointwise convolution."""
    return nn.Sequential(convolution(inputs, inputs, 3, stride, groups=inputs), convolution(inputs, outputs, 1))


NETWORKS = {
    "mnist-separable": lambda: Classifier(
        nn.Sequential(convolution(1, 16, stride=2), separable(16, 32), separable(32, 48, 2), separable(48, 64)), 64
    ),
    "cifar10-residual": lambda: Classifier(
        nn.Sequential(convolution(3, 16), Residual(16, 24, 2), Residual(24, 48, 2), Residual(48, 96, 2)), 96
    ),
    "cifar10-inverted": lambda: Classifier(
        nn.Sequential(
            convolution(3, 16, activation=nn.Hardswish), Inverted(16, 24, 2), Inverted(24, 24), Inverted(24, 40, 2),
            Inverted(40, 40), convolution(40, 160, 1, activation=nn.Hardswish),
        ),
        160,
    ),
}  # fmt: skip


def batch(images, rng, train):
    """Return float32 (N, channels, height, width) of uint8 (N, height, width, channels); moved and flipped to train."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in STATISTICS[x.shape[1]])
    x = (x - mean) / std
    if train:
        high, wide, (down, right) = *x.shape[2:], rng.integers(0, 5, 2)
        x = pad(x, (2, 2, 2, 2))[:, :, down : down + high, right : right + wide]
        if x.shape[1] == 3 and rng.random() < 0.5:
            x = x.flip(3)
    return x


def accuracy(model, images, labels):
    """Return the share of classes that are right."""
    model.eval()
    with torch.no_grad():
        classes = [model(batch(images[i : i + 500], None, False)).argmax(1) for i in range(0, len(images), 500)]
    return float((torch.cat(classes).numpy() == labels).mean())


def main(name, data, out, epochs="8"):
    """Train, print the accuracy, and export."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    rng, arrays = np.random.default_rng(SEED), np.load(data)
    x, labels, x_test, y_test = (arrays[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    x, x_test = (part.reshape(*part.shape[:3], -1) for part in (x, x_test))
    labels, y_test = labels.reshape(-1).astype(np.int64), y_test.reshape(-1)
    model = NETWORKS[name]().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, int(epochs) * (len(x) // BATCH))
    for epoch in range(int(epochs)):
        started, order = time.monotonic(), rng.permutation(len(x))
        model.train()
        for i in range(0, len(x) - BATCH + 1, BATCH):
            chosen = order[i : i + BATCH]
            loss = cross_entropy(model(batch(x[chosen], rng, True)), torch.from_numpy(labels[chosen]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: {time.monotonic() - started:.0f} s", flush=True)
    print(f"{name}: {accuracy(model, x_test, y_test):.2%} of {len(y_test)} test samples in PyTorch {torch.__version__}")
    example = batch(x_test[:1], None, False)
    torch.onnx.export(model, (example,), out, dynamo=True, external_data=False, verbose=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
