"""The networks of the table, with random weights; loaded by the Python that has PyTorch, not by edgekit's.

Small ones come first, so that the table fills early.
"""

from functools import partial

import torch
from handwritten import HANDWRITTEN
from torch import nn

SEED = 20
CLASSES = 1000
IMAGE = (3, 96, 96)


class Scores(nn.Module):
    """The `out` of torchvision's segmentation, without the dictionary around it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x)["out"]


class Heads(nn.Module):
    """The raw heads of torchvision's SSDLite: what its boxes are decoded from."""

    def __init__(self, model):
        super().__init__()
        self.backbone, self.head = model.backbone, model.head

    def forward(self, x):
        made = self.head(list(self.backbone(x).values()))
        return made["bbox_regression"], made["cls_logits"]


def _torchvision(name, **options):
    import torchvision

    return torchvision.models.get_model(name, weights=None, **options)


def _segmentation(name):
    import torchvision

    return Scores(torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=21))


def _ssdlite():
    import torchvision

    name = "ssdlite320_mobilenet_v3_large"
    return Heads(torchvision.models.get_model(name, weights=None, weights_backbone=None))


def _timm(name):
    import timm

    return timm.create_model(name, pretrained=False)


def _vit():
    return _torchvision("vit_b_16", image_size=64)


def _googlenet():
    return _torchvision("googlenet", aux_logits=False, transform_input=True, init_weights=False)


TIMM = (
    "lcnet_050", "tinynet_e", "mobilenetv4_conv_small", "ghostnet_100", "repghostnet_050", "mixnet_s", "fbnetc_100",
    "efficientnet_lite0", "mobileone_s0", "edgenext_xx_small", "mobilevit_xxs", "hardcorenas_a",
)  # fmt: skip
ZOO = {
    **HANDWRITTEN,
    "squeezenet1_1": (partial(_torchvision, "squeezenet1_1"), [IMAGE]),
    "shufflenet_v2_x1_0": (partial(_torchvision, "shufflenet_v2_x1_0"), [IMAGE]),
    "mobilenet_v3_small": (partial(_torchvision, "mobilenet_v3_small"), [IMAGE]),
    "mobilenet_v2": (partial(_torchvision, "mobilenet_v2"), [IMAGE]),
    "mnasnet1_0": (partial(_torchvision, "mnasnet1_0"), [IMAGE]),
    "regnet_y_400mf": (partial(_torchvision, "regnet_y_400mf"), [IMAGE]),
    "mobilenet_v3_large": (partial(_torchvision, "mobilenet_v3_large"), [IMAGE]),
    "efficientnet_b0": (partial(_torchvision, "efficientnet_b0"), [IMAGE]),
    **{f"timm/{name}": (partial(_timm, name), [IMAGE]) for name in TIMM},
    "lraspp_mobilenet_v3_large": (partial(_segmentation, "lraspp_mobilenet_v3_large"), [IMAGE]),
    "ssdlite320_mobilenet_v3_large": (_ssdlite, [(3, 160, 160)]),
    "googlenet": (_googlenet, [IMAGE]),
    "deeplabv3_mobilenet_v3_large": (partial(_segmentation, "deeplabv3_mobilenet_v3_large"), [IMAGE]),
    "resnet18": (partial(_torchvision, "resnet18"), [(3, 64, 64)]),
    "densenet121": (partial(_torchvision, "densenet121"), [(3, 64, 64)]),
    "resnet50": (partial(_torchvision, "resnet50"), [(3, 64, 64)]),
    "convnext_tiny": (partial(_torchvision, "convnext_tiny"), [(3, 64, 64)]),
    "vit_b_16": (_vit, [(3, 64, 64)]),
}  # fmt: skip
"""By name: what makes the network, and the sizes of one sample of every input."""
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)


def samples(name, count, seed):
    """Return random inputs (count, ...): smooth patterns of random colour and contrast, or tokens."""
    rng = torch.Generator().manual_seed(seed)
    return tuple(_random(sizes, count, rng) for sizes in ZOO[name][1])


def _random(sizes, count, rng):
    if sizes[0] == "tokens":
        return torch.randint(0, sizes[1], (count, *sizes[2:]), generator=rng)
    coarse = torch.randn((count, sizes[0], *(5 for _ in sizes[1:])), generator=rng)
    mode = "bilinear" if len(sizes) == 3 else "linear"
    smooth = nn.functional.interpolate(coarse, size=sizes[1:], mode=mode, align_corners=False)
    contrast = torch.rand((count, *(1 for _ in sizes)), generator=rng) + 0.5
    return smooth * contrast + 0.2 * torch.randn((count, *sizes), generator=rng)


def network(name):
    """Return a network in evaluation mode whose outputs differ from sample to sample as those of a trained one do.

    BatchNormalization has scales and shifts of its own and the statistics of random inputs; what starts at zero does
    not stay there; states of recurrent layers move; the scores of a classifier have a mean of zero and a spread of 1.
    """
    torch.manual_seed(SEED)
    model = ZOO[name][0]().eval()
    moving = [part for part in model.modules() if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d))]
    with torch.no_grad():
        _unsettle(model)
        for part in moving:
            part.reset_running_stats()
            part.momentum = None
            part.train()
        for number in range(2):
            model(*samples(name, 16, SEED + number))
        model.eval()
        _centre(model, samples(name, 64, SEED + 2))
    return model


def _unsettle(model):
    for part in model.modules():
        if isinstance(part, nn.RNNBase):  # as PyTorch starts them, states hardly move
            for values in part.parameters():
                values.mul_(3)
        if isinstance(part, _NORMS) and part.weight is not None:
            part.weight.uniform_(0.5, 1.5)
            part.bias.normal_(0.5, 0.3)  # around 0, deep random networks magnify every rounding
        for name, values in part.named_parameters(recurse=False):
            scale = "gamma" in name or "layer_scale" in name
            if isinstance(part, _NORMS) or not (scale or values.max() == values.min()):
                continue
            values.uniform_(0.3, 0.7) if scale else values.normal_(0, 0.02)


def _centre(model, inputs):
    """Shift and scale the last layer of a classifier."""
    outputs = model(*inputs)
    linear = [part for part in model.modules() if isinstance(part, nn.Linear)]
    if not isinstance(outputs, torch.Tensor) or outputs.ndim != 2 or not linear:
        return
    last, mean, spread = linear[-1], outputs.mean(0), outputs.std(0).clamp_min(1e-6)
    if last.out_features != outputs.shape[1] or last.bias is None or outputs.shape[1] < 2:
        return
    last.bias.copy_((last.bias - mean) / spread)
    last.weight.div_(spread[:, None])
