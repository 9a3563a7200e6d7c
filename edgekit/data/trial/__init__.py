"""How a model wants to be fed, found by trial: candidates, what each loses on labelled samples, what that proves."""
