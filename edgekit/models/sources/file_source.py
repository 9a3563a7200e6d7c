"""A float `.tflite` or `.onnx` file as a source: post-training schemes can be made of it, in its own format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edgekit.data.fitting import Port, ports
from edgekit.data.lint.model_facts import ModelFacts, ModelInput
from edgekit.data.trial import cost
from edgekit.errors import InputError, RunnerError
from edgekit.files.temporary import Temporary
from edgekit.formats.companions import computing_only, runnable
from edgekit.formats.info import FileInfo
from edgekit.formats.reading import format_of, inspect_file
from edgekit.models.files.file_model import SUFFIXES, FileModel
from edgekit.models.imported.torch_program import is_program
from edgekit.models.keras.asking import predicted
from edgekit.models.sources.source import Format, NormalizedOutside, Predict, Shape, Sizes, Values, no_layers_to_move
from edgekit.processes.child import memory_for, worker
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, ModelInputs

_SECONDS = 600.0


@dataclass(frozen=True)
class FileSource:
    """A file; it is checked when its model is first looked at, which is when its sizes are settled.

    Attributes:
        path: of the file.
        info: what is in it.
        folder: holds the file where it is a copy with other sizes, and goes with the process.
    """

    path: Path
    info: FileInfo
    folder: Temporary | None = None
    quantized: None = None
    activations: tuple[str, ...] = ()
    layer_types: frozenset[str] = frozenset()

    @property
    def format(self) -> Format:
        """By its content."""
        return "onnx" if self.info.format == "onnx" else "tflite"

    @property
    def untrainable(self) -> str:
        """It has no gradients."""
        return f"a .{self.format} file gets post-training schemes only"

    @cached_property
    def model(self) -> FileModel:
        """The file as a model that can be run."""
        return FileModel(self.path, kept=self.folder, info=self.info)

    @property
    def inputs(self) -> tuple[Port, ...]:
        """Named as in the file."""
        return tuple(ports(self.model.input_names, self.model.inputs))

    @property
    def outputs(self) -> tuple[Port, ...]:
        """Likewise."""
        return tuple(ports(self.model.output_names, self.model.outputs))

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        """As the file declares them."""
        return {
            tensor.name: tuple(None if size == -1 else size for size in tensor.shape) for tensor in self.info.inputs
        }

    @property
    def parameters(self) -> int:
        """Of all its constants."""
        return self.model.count_params()

    @property
    def cost(self) -> float:
        """From its operators, where they are known."""
        return cost.of_file(self.model.macs, self.parameters)

    def facts(self) -> ModelFacts:
        """Look at its first operators."""
        tensors = self.model.inputs
        inputs = [
            ModelInput(tensor.name if len(tensors) > 1 else "", tensor.shape[1:], tensor.dtype) for tensor in tensors
        ]
        return ModelFacts.of_graph(inputs, self.model.leading(), channels_first=self.format == "onnx")

    def predict(self, inputs: ModelInputs) -> list[Array]:
        """Run it sample by sample."""
        return predicted(self.model, inputs)

    def predictor(self) -> Predict:
        """Return `predict`: the runtime is quick enough."""
        return self.predict

    def settled(self, sizes: Sizes, values: Values) -> FileSource:
        """Write a copy of it, in a process of its own."""
        passed = runnable(self.path)
        computing_only(self.path, passed)
        folder = Temporary("settled")
        target = folder.path / self.path.name
        try:
            worker().call(
                f"{__name__}:write_settled",
                what=f"{self.path}: rewriting it",
                seconds=_SECONDS,
                memory=memory_for(self.path, *passed.companions.values()),
                path=str(self.path),
                target=str(target),
                format_=passed.format,
                sizes={name: list(shape) for name, shape in sizes.items()},
                values=dict(values),
            )
        except RunnerError as error:
            raise InputError(error.message, error.hint, code=error.code) from error
        return FileSource(target, inspect_file(target), folder)

    def try_out(self) -> None:
        """Run it in a process of its own: a runtime may die of a file."""
        self.model.try_out()

    def normalized_outside(self, preprocessing: Preprocessing) -> NormalizedOutside:
        """Refuse."""
        raise no_layers_to_move(self.model.name)


def source_format(path: Path | None) -> Format:
    """Return what a model is written in, by its suffix and first bytes; a program of PyTorch becomes ONNX.

    Raises:
        InputError: a `.tflite` or `.onnx` file is missing, or none.
    """
    if path is not None and is_program(path):
        return "onnx"
    if path is None or path.suffix.lower() not in SUFFIXES:
        return "keras"
    return "onnx" if format_of(path) == "onnx" else "tflite"


def write_settled(*, path: str, target: str, format_: str, sizes: Sizes, values: Values) -> tuple[None, list[Array]]:
    """Do what `FileSource.settled` asks for, in its child."""
    from edgekit.formats.settled import settled_onnx, settled_tflite

    write = settled_onnx if format_ == "onnx" else settled_tflite
    Path(target).write_bytes(write(Path(path), sizes, values))
    return None, []
