"""`edgekit search`: recipes tried under a budget, and the best of them kept as bundles.

worker      what is asked for becomes a search, and ends with a front: read this one first
options     what a worker is asked for; `settings` is what all workers of a search share
subject     model and data, and what may vary for them
space       what may vary, and the recipe that a `choice` is; `suggesting` proposes without a sampler
study       the trials of all workers; `shared` is what is behind it, a `journal` file or a `database`
loop        one trial after the other, until time or trials are spent; `refine` queues some of them
attempt     one trial: `known` before training, trained by rungs (`halving`), measured (`latency`)
cache       finished stages that trials share
front       what is on the Pareto front, and what comes nearest to a budget
folder      records, recipes and files on disk; `publish` writes the bundles
"""
