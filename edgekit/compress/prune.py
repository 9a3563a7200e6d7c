"""`prune`: weights set to zero, or whole channels removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.compress.masks import keep_zeros
from edgekit.compress.stage import CLUSTERED, QUANTIZED, SPARSE, ModelState, StageContext, Trained
from edgekit.errors import InputError
from edgekit.models.training import train

GRANULARITIES = ("weight", "block", "2:4", "channel")
SCOPES = ("local", "global")
CRITERIA = ("l1", "l2", "bn-gamma", "taylor")
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
        sparsity_schedule: of weights: `polynomial` (zeros grow while training) or `constant`.
        epochs: of training, for each round.
    """

    amount: float = 0.5
    granularity: str = "channel"
    scope: str = "local"
    layers: str = "all"
    criterion: str = "l1"
    multiple_of: int = 8
    rounds: int = 1
    sparsity_schedule: str = "polynomial"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.amount < 1:
            raise InputError(f"amount {self.amount}: expected a share from 0 up to below 1")
        for name, allowed in (("granularity", GRANULARITIES), ("scope", SCOPES), ("criterion", CRITERIA)):
            if getattr(self, name) not in allowed:
                raise InputError(f"unknown {name} `{getattr(self, name)}`", f"one of: {', '.join(allowed)}")
        if self.multiple_of < 1 or not 1 <= self.rounds <= 100:
            raise InputError("multiple_of and rounds must be at least 1")
        if self.rounds > 1 and self.granularity != "channel":
            raise InputError("rounds are for channels; weights have sparsity_schedule = polynomial")

    @property
    def expectation(self) -> str:
        """See `Stage`."""
        if self.granularity == "channel":
            return f"channel pruning, {self.amount:.0%} of the channels: smaller and faster on every runtime"
        return (
            f"{self.granularity} pruning, {self.amount:.0%} zeros: smaller only after gzip, the raw int8 file stays as "
            "it is; no faster on int8"
        )

    def follow(self, traits: frozenset[str]) -> frozenset[str]:
        """See `Stage`."""
        if QUANTIZED in traits:
            raise InputError("`prune` after `quantize` would undo the quantization-aware training", "prune first")
        if CLUSTERED in traits:
            raise InputError(
                "`prune` after `cluster` trains every weight by itself and destroys the clusters",
                "put `prune` before `cluster`, which then keeps the zeros",
            )
        return traits if self.granularity == "channel" else traits | {SPARSE}

    def run(self, state: ModelState, context: StageContext) -> tuple[ModelState, dict[str, Any]]:
        """See `Stage`."""
        if self.granularity == "channel":
            return self._channels(state, context)
        from edgekit.compress.sparsity import prune_weights

        model, note = prune_weights(
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

    def _channels(self, state: ModelState, context: StageContext) -> tuple[ModelState, dict[str, Any]]:
        from edgekit.compress.channels.prune import prune_channels

        samples = None
        if self.criterion == "taylor":
            x, y = context.splits.x_train[:TAYLOR_SAMPLES], context.splits.y_train[:TAYLOR_SAMPLES]
            samples = (context.preprocessing.apply(x), y)
        model, steps = state.model, []
        # Equal factors: after all rounds the share `amount` is gone.
        share = 1 - (1 - self.amount) ** (1 / self.rounds)
        for number in range(self.rounds):
            pruned = prune_channels(
                model,
                share,
                scope=self.scope,
                criterion=self.criterion,
                layers=self.layers,
                multiple_of=self.multiple_of,
                samples=samples,
            )
            model = pruned.model
            history = train(
                model,
                context.splits,
                context.preprocessing,
                self.config(context.seed),
                context.progress,
                callbacks=keep_zeros(model) if SPARSE in state.traits else [],
                checkpoint=context.work / f"round-{number}.npz",
            )
            steps.append({**pruned.to_dict(), "val_accuracy_keras": history.best_accuracy})
        for layer, reason in pruned.kept_whole.items():
            context.progress.say(f"left whole: {layer}: {reason}")
        return ModelState(model, state.traits), {"rounds": steps}
