"""`edgekit train`."""

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.options import DATA_HELP
from edgekit.cli.output import asked, progress, show_json
from edgekit.cli.terminal import show
from edgekit.errors.printable import visible
from edgekit.pipeline import trainable

NAME = "train"
HELP = f"""Train a reference model.

\b
{trainable.summaries()}
Writes FILE.keras and FILE.keras.json (preprocessing, class names, history). The epoch with the best validation
accuracy is kept; the test part of the data is not read."""
EXAMPLES = (
    "edgekit train digits-cnn --data digits -o digits.keras",
    "edgekit train resnet8 --data cifar10 --epochs 60 -o resnet8.keras",
    "edgekit train ds-cnn --width 0.5 --data my.npz -o small.keras",
)

PANELS = {
    "Training": "data epochs batch_size learning_rate augment schedule optimizer weight_decay width seed",
    "Output": "out force",
}
"""Groups of options in `--help`, in its order."""


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help=trainable.names())],
    data: Annotated[str, typer.Option("--data", help=DATA_HELP)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .keras file to write.")],
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes over the data. [default: the model's own]"),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Samples a step. [default: the model's own]"),
    ] = None,
    learning_rate: Annotated[
        float, typer.Option(help="Of the optimizer; sgd takes 10 to 100 times as much as adam.")
    ] = 1e-3,
    augment: Annotated[
        str | None, typer.Option(help="none, flip, crop or flip-crop. [default: the model's own]")
    ] = None,
    schedule: Annotated[str | None, typer.Option(help="constant or cosine. [default: the model's own]")] = None,
    optimizer: Annotated[str, typer.Option(help="adam, or sgd with Nesterov momentum.")] = "adam",
    weight_decay: Annotated[float, typer.Option(help="Of kernels, apart from the gradients.")] = 0.0,
    width: Annotated[
        float,
        typer.Option(min=0.01, max=100, help="Factor on the number of channels."),
    ] = 1.0,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Of initial weights, shuffling, augmentation and dropout.")
    ] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
) -> None:
    """Train a reference model."""
    from edgekit.pipeline import worker

    console = progress()
    console.notify(f"Training {name} on {data} (starting TensorFlow takes a few seconds)")
    request = {
        "name": name,
        "data": data,
        "out": str(out),
        "overrides": {
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "augment": augment,
            "schedule": schedule,
            "optimizer": optimizer,
            "weight_decay": weight_decay,
        },
        "width": width,
        "seed": seed,
        "force": force,
    }
    trained = worker.train(request, console)
    if asked().as_json:
        show_json({"written": [str(out), f"{out}.json"], **trained})
        return
    show(
        f"{visible(str(out))}: kept epoch {trained['best_epoch']} of {trained['epochs']}, "
        f"validation accuracy {trained['scores']['val_accuracy_keras']:.2%} (Keras model)"
    )
