"""`edgekit search`: recipes tried under a budget, and the best of them kept as bundles.

worker      what is asked for becomes a search, and ends with a front: read this one first
space       what may vary, and the recipe that a choice is
study       the trials of all workers, in Optuna's storage; `shared` is what is behind it, `leases` who is alive
loop        one trial after the other, until the budget of time or trials is spent
attempt     one trial: known before training, trained by rungs, measured
front       what is on the Pareto front, and what comes nearest to a budget
outcome     trials and front on disk: records, recipes, bundles
"""
