#!/usr/bin/env bash
# The gate passing, failing and undecided on records of this repository, with the exit code of each; it ends with an
# error if one is another than it should be.
#
#     benchmarks/budget_gate.sh [WORK_FOLDER]
source "$(dirname "$0")/common.sh"
enter "${1:-work/budget-gate}"

records=$benchmarks/records
small=20261123T151717Z-desktop-mnist-16k-int8.json      # two MNIST files, 7 processes on a quiet machine
first=20261123T121815Z-desktop-published-int8.json      # MLPerf Tiny's image classification, 11 processes
second=20261130T062507Z-desktop-published-int8.json     # the same a week later, 5 processes, the machine loaded
one=20261123T052526Z-desktop-mnist-cnn-float32.json     # one thread
two=20261123T052632Z-desktop-mnist-cnn-float32.json     # two threads
cp "$records/$small" "$records/$first" "$records/$second" "$records/$one" "$records/$two" .

expect() { # EXIT_CODE ARGUMENT...
  local expected=$1 code=0
  shift
  printf '\n$ edgekit check %s\n' "$*"
  "$edgekit" check "$@" || code=$?
  echo "exit code $code"
  [ "$code" = "$expected" ] || { echo "expected $expected" >&2; exit 1; }
}

echo "== passes"
expect 0 $small --max-size 60kB --max-latency 50us --max-latency-p90 50us --max-memory 8MB --min-accuracy 98%
expect 0 $second --only '*taught*' --baseline $first --max-growth 0 --max-drop 0.5

echo; echo "== fails"
expect 3 $second --max-size 60kB --min-accuracy 80%
expect 3 $small --only '*8k*' --max-slowdown 0 --max-drop 0.5 --max-latency 10us

echo; echo "== cannot tell: a limit inside the interval, and a number that was not measured"
expect 4 $second --only '*half-calibrated*' --min-accuracy 85%
expect 4 $second --only '*taught*' --max-latency-p90 500us

echo; echo "== cannot tell: conditions that differ from the baseline's, and compared all the same"
expect 4 $two --only "*-int8.tflite" --baseline $one --max-slowdown 5%
expect 0 $two --only "*-int8.tflite" --baseline $one --max-slowdown 5% --force
cat >budget.toml <<'TOML'
schema = 1
max_size = "100kB"

[target.desktop]
max_latency = "1ms"

[file."*half*"]
min_accuracy = 0.84
TOML
expect 3 $second --budget budget.toml --only '*int4*' --max-drop 0.1 --max-latency 0.5ms
expect 0 $second --budget budget.toml --only '*taught*' --only '*half*' --junit checks.xml --sarif checks.sarif --markdown summary.md
