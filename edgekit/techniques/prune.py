"""`prune`: weights set to zero, or whole channels removed."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.data.split import sample
from edgekit.errors import InputError
from edgekit.frameworks.types import KerasModel
from edgekit.progress import Progress
from edgekit.schema.types import JsonObject
from edgekit.techniques import sparsity
from edgekit.techniques.channels.criteria import check_criterion
from edgekit.techniques.channels.select import Rounding, check_amount
from edgekit.techniques.masks import keep_zeros
from edgekit.techniques.matching import check_layers
from edgekit.techniques.stage import QUANTIZED, SPARSE, ModelState, StageContext, Trained, refuse_after_clustering
from edgekit.techniques.training import train_stage

CHANNEL = "channel"
GRANULARITIES = (*sparsity.GRANULARITIES, CHANNEL)
TAYLOR_SAMPLES = 512


@dataclass(frozen=True)
class Prune(Trained):
    """Prune, and train what is left.

    Attributes:
        amount: share of the weights set to zero, or of the channels removed, from 0 up to below 1.
        granularity: `weight`, `block` (1x4), `2:4` (two of four neighbours) or `channel`.
        scope: `local`, the same share in every layer; `global`, one threshold over all chosen layers.
        layers: `all`, `conv`, `dense`, or `name:PATTERN` with * and ?.
        criterion: of channels: `l1`, `l2`, `bn-gamma` or `taylor`.
        multiple_of: channels of large layers are kept in multiples of this.
        rounds: of channel pruning: in how many equal steps, each followed by training.
        sparsity_schedule: of weights: `polynomial` (zeros grow while training) or `constant`; of 2:4 always constant.
        epochs: of training, for each round.
    """

    amount: float = 0.5
    granularity: str = "channel"
    scope: str = "local"
    layers: str = "all"
    criterion: str = "l1"
    multiple_of: int = 8
    rounds: int = 1
    sparsity_schedule: str = sparsity.POLYNOMIAL

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.granularity not in GRANULARITIES:
            raise InputError(
                f"unknown granularity `{self.granularity}`", f"one of: {', '.join(GRANULARITIES)}", code="unknown-name"
            )
        check_layers(self.layers)
        if self.granularity == CHANNEL:
            check_amount(self.amount, self.scope)
            check_criterion(self.criterion)
            Rounding(self.multiple_of)
            self._check_unused("weights", sparsity_schedule=sparsity.POLYNOMIAL)
            if not 1 <= self.rounds <= 100:
                raise InputError(f"`rounds` is {self.rounds}, expected 1 to 100", code="value-out-of-range")
        else:
            sparsity.check(self.amount, self.scope, self.granularity, self.sparsity_schedule)
            self._check_unused("channels", criterion="l1", multiple_of=8, rounds=1)

    def _check_unused(self, what: str, **defaults: object) -> None:
        """Raise if an option that is for `what` was set: it would do nothing."""
        for name, value in defaults.items():
            if getattr(self, name) != value:
                raise InputError(
                    f"`{name}` has no effect with granularity `{self.granularity}`: it is for {what}",
                    "leave the option out",
                    code="option-without-effect",
                )

    @property
    def expectation(self) -> str:
        """See `Stage`."""
        if self.granularity == CHANNEL:
            return f"channel pruning, {self.amount:.0%} of the channels: smaller and faster on every runtime"
        return (
            f"{self.granularity} pruning, {self.amount:.0%} zeros: smaller only after gzip, the raw int8 file stays as "
            "it is; no faster on int8"
        )

    def follow(self, traits: frozenset[str]) -> frozenset[str]:
        """See `Stage`."""
        if QUANTIZED in traits:
            raise InputError(
                "`prune` after `quantize` would undo the quantization-aware training", "prune first", code="stage-order"
            )
        refuse_after_clustering("prune", traits)
        return traits if self.granularity == CHANNEL else traits | {SPARSE}

    def outline(self, model: KerasModel, progress: Progress, *, allow_unsafe: bool) -> KerasModel:
        """See `Stage`; with scope `global` about so many channels of each layer, for weights decide about that."""
        if self.granularity != CHANNEL:
            return model
        from edgekit.techniques.channels.prune import prune_channels

        criterion = "l1" if self.criterion == "taylor" else self.criterion
        return prune_channels(
            model,
            self.amount,
            scope=self.scope,
            criterion=criterion,
            layers=self.layers,
            multiple_of=self.multiple_of,
        ).model

    def run(self, state: ModelState, context: StageContext) -> tuple[ModelState, JsonObject]:
        """See `Stage`."""
        if self.granularity == CHANNEL:
            return self._channels(state, context)
        model, note = sparsity.prune_weights(
            state.model,
            context,
            sparsity=self.amount,
            scope=self.scope,
            granularity=self.granularity,
            layers=self.layers,
            schedule=self.sparsity_schedule,
            config=self.config(context.seed),
        )
        return ModelState(model, state.traits | {SPARSE}), note

    def _channels(self, state: ModelState, context: StageContext) -> tuple[ModelState, JsonObject]:
        from edgekit.techniques.channels.prune import prune_channels

        samples = None
        if self.criterion == "taylor":
            if context.task.main.kind not in ("classification", "binary"):
                raise InputError(
                    f"the criterion `taylor` is for classifiers, this model is for {context.task.main.kind}",
                    "use `l1`, `l2` or `bn-gamma`",
                    code="criterion-unfit",
                )
            rows = sample(context.splits.y_train, len(context.splits.x_train), TAYLOR_SAMPLES)
            samples = (context.preprocessing.apply(context.splits.x_train[rows]), context.splits.y_train[rows])
        model, steps, sizes = state.model, [], dict[str, int]()
        for number in range(1, self.rounds + 1):
            pruned = prune_channels(
                model,
                1 - (1 - self.amount) ** (number / self.rounds),
                scope=self.scope,
                criterion=self.criterion,
                layers=self.layers,
                multiple_of=self.multiple_of,
                samples=samples,
                sizes=sizes,
                last=number == self.rounds,
            )
            model, sizes = pruned.model, sizes or pruned.sizes
            history = train_stage(
                model,
                context,
                self.config(context.seed),
                callbacks=keep_zeros(model) if SPARSE in state.traits else [],
                checkpoint=f"round-{number}.npz",
            )
            steps.append({**pruned.to_dict(), **history.best})
        for note in pruned.notes:
            context.progress.warn(note, "less-pruned")
        for layer, reason in pruned.not_pruned.items():
            context.progress.notify(f"not pruned: `{layer}`: {reason}")
        return ModelState(model, state.traits), {"rounds": steps}
