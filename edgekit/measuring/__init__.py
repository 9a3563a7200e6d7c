"""The measuring core: everything that runs a `.tflite` or `.onnx` file does it by one of three ways.

* A fresh runner process for each measurement (`edgekit.devices.jobs.run_job`), here or on a device: latency, memory,
  and the outputs that files are judged by. `core.run_file` and `core.time_files` are its two uses outside of a session.
* A child process that keeps a file loaded (`child_runner.FileRunner`): for asking a file of unknown origin again and
  again, which may crash or never end.
* The file loaded into this process (`loaded`): inside of that child, and for what edgekit has just written itself and
  compares by the hundred while it searches (`edgekit.export.tflite.nearness`).

A process of its own costs a third of a second, which a search cannot pay a hundred times; a runtime that crashes takes
its process along, which a command must not. Reading values inside of a graph is not running a file: the calibrators of
`edgekit.export` do that on instrumented copies.

A session follows its files through `candidates`, `several`, `session` and `passes`.
"""
