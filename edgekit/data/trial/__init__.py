"""The preprocessing of a model, chosen by trial: candidates, what each loses on labelled samples, what that proves."""
