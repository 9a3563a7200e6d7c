"""Two files against each other: by what factor, with which certainty, and what else differs."""
