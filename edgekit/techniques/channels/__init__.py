"""Channels physically removed from a tf_keras model, so that the dense model is smaller and faster everywhere.

* `graph.py`: the calls of a model, in order; what cannot be analysed at all
* `tracking.py`: channel ids: which channels are the same one, and which must stay
* `rules.py`: layer class -> how channels pass through it; flows.py, merges.py and activations.py hold the hows
* `slicing.py`: a layer with only some of its channels: configuration, weights, parameter count
* `groups.py`: analyse(model): the groups of channels that go together, and what is not pruned
* `criteria.py`: how important a channel is; taylor.py on samples
* `matching.py`: from `all`, `conv`, `dense`, `name:PATTERN` to groups
* `select.py`: from importances and an amount to the channels to keep
* `surgery.py`: the model rebuilt with the kept channels
* `prune.py`: prune_channels(model, amount, ...) and scale_channels(model, width)
"""
