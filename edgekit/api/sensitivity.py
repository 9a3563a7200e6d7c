"""`edgekit.sensitivity`: which layer breaks the int8 file of a model."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edgekit.bundle.sensitivity as layers
from edgekit.api.compression import PerInput, data_spec, model_path, plain_request, preprocessing_fields
from edgekit.api.frames import data_frame
from edgekit.api.reporting import ProgressOption, working
from edgekit.api.words import face, python_words
from edgekit.errors import InputError
from edgekit.files.destinations import check_apart, prove
from edgekit.files.opening import brief
from edgekit.files.whole import Exists, atomic_file
from edgekit.processes import work

if TYPE_CHECKING:
    import pandas

MOST_SAMPLES = 4096


class Sensitivity(layers.Sensitivity):
    """The layers of an int8 file: what quantization does in each, and which one to revert first.

    Its `repr` is the table of the first layers, with what follows from it.
    """

    @classmethod
    def of(cls, found: layers.Sensitivity) -> Sensitivity:
        """Return a layer table as this class."""
        return cls(**vars(found))

    @property
    def conclusion(self) -> str:
        """Which layer breaks the file, by how much reverting it helps, and why; or that none stands out."""
        from edgekit.reporting.sensitivity_table import conclusion

        return python_words(conclusion(self))

    def table(self, top: int = 0) -> str:
        """Return the table, the layer that is best reverted first.

        Args:
            top: rows at most; 0: all.
        """
        from edgekit.reporting.sensitivity_table import sensitivity_table

        return python_words(sensitivity_table(self, top=top, whole="table()"))

    def plot(self, path: str | Path, *, force: bool = False) -> Path:
        """Draw the SQNR of every layer along the net into a `.png` or `.svg` file; return its path.

        Args:
            path: of the file.
            force: replace it where it is there.

        Raises:
            MissingExtraError: matplotlib is not installed.
            EdgekitError: the file cannot be written.
        """
        from edgekit.reporting.sensitivity_plot import draw

        check_place(Path(path), force=force)
        with atomic_file(Path(path), replace=force) as temporary:
            draw(self, temporary)
        return Path(path)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a layer, in the order in which they run.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return data_frame([{**vars(layer), "with_it": ", ".join(layer.with_it)} for layer in self.layers])

    def __repr__(self) -> str:
        from edgekit.reporting.sensitivity_table import ROWS

        return f"Sensitivity({self.model!r})\n{self.table(ROWS)}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


@face
def sensitivity(
    model: Any,
    data: Any,
    *,
    samples: int | None = None,
    plot: str | Path | None = None,
    scale: float | Mapping[str, float] | None = None,
    mean: PerInput | None = None,
    std: PerInput | None = None,
    layout: str | Mapping[str, str] | None = None,
    channels: str | Mapping[str, str] | None = None,
    normalize_outside: bool = False,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    input_values: Mapping[str, float] | None = None,
    calibration_samples: int | None = None,
    calibration_method: str | None = None,
    metric: str | None = None,
    task: str | None = None,
    allow_unsafe: bool = False,
    custom: Sequence[str] = (),
    anyway: bool = False,
    force: bool = False,
    progress: ProgressOption = False,
) -> Sensitivity:
    """Return what int8 does in every layer of a model, and which layer breaks the file.

    Both files, float and int8, are run on validation samples, and then the int8 file with the first candidates in
    float. Nothing is written but the plot.

    Args:
        model: as for `edgekit.compress`.
        data: as for `edgekit.compress`.
        samples: validation samples that are run, at most; by default 32, and 16 of a large model.
        plot: a `.png` or `.svg` file for the SQNR of every layer along the net.
        scale: as for `edgekit.compress`, and so are the others that are not named here.
        mean: likewise.
        std: likewise.
        layout: likewise.
        channels: likewise.
        normalize_outside: likewise.
        input_shapes: likewise.
        input_values: likewise.
        calibration_samples: likewise, but fewer by default for a large model.
        calibration_method: likewise.
        metric: likewise.
        task: likewise.
        allow_unsafe: likewise.
        custom: likewise.
        anyway: go on where edgekit finds the model or its files worthless.
        force: replace the file at `plot`.
        progress: likewise.

    Raises:
        EdgekitError: what the command line would say: its class, message, hint and code.
    """
    with working(progress) as (folder, receiver):
        path = model_path(model, folder, data, input_shapes)
        if plot is not None:
            check_place(Path(plot), path, data, force=force)
        request = {
            "model": str(path.absolute()),
            "data": data_spec(data, folder),
            "preprocessing": preprocessing_fields(scale=scale, mean=mean, std=std, layout=layout, channels=channels),
            "input_shapes": {name: list(map(int, sizes)) for name, sizes in (input_shapes or {}).items()},
            "input_values": {name: float(value) for name, value in (input_values or {}).items()},
            "normalize_outside": normalize_outside,
            "calibration_samples": checked_count(calibration_samples, "--calibration-samples"),
            "calibration_method": calibration_method,
            "samples": checked_count(samples, "--samples"),
            "metric": metric,
            "task": task or "",
            "allow_unsafe": allow_unsafe,
            "custom": list(custom),
            "anyway": anyway,
        }
        what = f"sensitivity {path.name}"
        result = work.run("edgekit.pipeline.worker:sensitivity", plain_request(request), receiver, what)
    assert isinstance(result, dict)
    found = Sensitivity.of(layers.Sensitivity.from_dict(result))
    if plot is not None:
        found.plot(plot, force=force)
    return found


def checked_count(count: int | None, option: str) -> int | None:
    """Return a number of samples, or None for the default.

    Raises:
        InputError: it is no integer from 1 to `MOST_SAMPLES`.
    """
    if count is not None and (type(count) is not int or not 1 <= count <= MOST_SAMPLES):
        raise InputError(f"`{option} {count}`: expected an integer from 1 to {MOST_SAMPLES}", code="value-out-of-range")
    return count


def check_place(plot: Path, *inputs: Any, force: bool) -> None:
    """Prove, before the work, that a plot can be drawn and written.

    Args:
        plot: the file.
        inputs: what is read, which it must not replace.
        force: whether another file there may go.

    Raises:
        InputError: its suffix is none of a picture.
        MissingExtraError: matplotlib is not installed.
        OutputError: it is there, or cannot be written.
    """
    from edgekit.reporting.sensitivity_plot import SUFFIXES, prove_matplotlib

    if plot.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"`--plot {brief(plot)}`: expected a file that ends in {' or '.join(SUFFIXES)}",
            f"end the name in {SUFFIXES[0]}",
            code="plot-format",
        )
    prove_matplotlib()
    check_apart(plot, [item for item in inputs if isinstance(item, (str, Path))], "--plot")
    prove(plot)
    if plot.is_dir() or (plot.exists() and not force):
        raise Exists(plot)
