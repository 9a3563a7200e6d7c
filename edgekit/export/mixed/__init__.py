"""int8 files in which a few operators compute in float: which ones, and what each costs.

quantized.py    what is asked of a pair of files, float and int8, whatever their format
tflite.py       two .tflite files
onnx.py         two .onnx files; onnx_child.py answers in a child process
tally.py        running sums over one activation
flow.py         who makes an activation, who reads it, what only moves values
origin.py       where the noise at the outputs comes from
regions.py      what to revert together, and in which order
sensitivity.py  the layer table: one pass over samples, and the gain of the first regions, measured on the file
apart.py        the same in a child process, for files of strangers
choice.py       the fewest regions that pass, by few calls of a judge
ways.py         the int8 files that can be made of one model; keras_ways.py and file_ways.py by the source
"""
