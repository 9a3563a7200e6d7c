"""What edgekit knows of every layer class of Keras 2 and 3: one row a class, one answer a question.

knowledge.py       the questions, and the kinds of answers
register.py        all rows, and what is derived from them
convolutions.py    rows: convolutions and dense layers
recurrent.py       rows: layers that go through time, and their cells
normalization.py   rows: layers that scale and shift
activations.py     rows: activations and attention
shapes.py          rows: pooling, padding, reshaping, merging
training.py        rows: dropout, noise and augmentation
inputs.py          rows: what prepares inputs: images, categories, text, sound
wrappers.py        rows: layers around layers, and those that run code

Answers are data. Where a function is the answer, the row has its name, and the room that has the function binds it: so
the register stands below all of these rooms. Nothing in it imports a framework.
"""
