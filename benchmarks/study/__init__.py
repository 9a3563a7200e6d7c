"""The study of Khan and Mandal (arXiv 2305.08075), reproduced with edgekit's own stages.

python -m benchmarks.study mnist|cifar10 [--seeds 3] [--quick] [--work FOLDER] [--only PATTERN]
python -m benchmarks.study latency mnist      on a quiet machine, when the rows are done
python -m benchmarks.study report mnist       the tables, the plot and the findings again, from the records
"""
