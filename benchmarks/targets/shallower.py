r"""Cut a trained residual network to a student that keeps what it can, for `edgekit compress --stage distill`.

    python benchmarks/targets/shallower.py teacher.keras student.keras --without add --without activation_2 \
      --layers 'name:conv2d_[678]'

A layer that is left out passes on its first input. For the Add at the end of a residual block this is the block's own
input, and a trained network can do without a block as without nothing else (Veit et al. 2016, arXiv 1605.06431). Then
the weakest channels (L1) of some layers go. What is left starts ahead of fresh weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.files.loader import load_model
from edgekit.models.keras.calls import flat, replay
from edgekit.models.keras.rebuild import rebuild
from edgekit.progress import SILENT
from edgekit.techniques.channels.prune import prune_channels


def without_layers(model: Any, names: list[str]) -> Any:
    """Return a copy of a tf_keras model in which each of these layers returns its first input.

    A model has the layers that lead to an output, so what led to an Add's second input only is gone.
    """

    def call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return flat(args)[0] if layer.name in names else layer(*args, **kwargs)

    copy = rebuild(model)
    return tf_keras().Model(copy.inputs, replay(copy, flat(copy.inputs), call), name="student")


def main(
    teacher: Path,
    out: Path,
    without: Annotated[list[str], typer.Option(help="layer that passes on its first input; may be given again")],
    layers: Annotated[str, typer.Option(help="whose channels are pruned: all, conv, dense or name:PATTERN")] = "all",
    amount: Annotated[float, typer.Option(help="share of those channels")] = 0.375,
    multiple_of: Annotated[int, typer.Option(help="what wide layers keep a multiple of")] = 8,
) -> None:
    model = without_layers(load_model(teacher, progress=SILENT).model, without)
    pruned = prune_channels(model, amount, layers=layers, multiple_of=multiple_of).model
    pruned.save(out)
    print(f"{out}: {pruned.count_params():,} of {model.count_params():,} parameters")


if __name__ == "__main__":
    typer.run(main)
