#!/usr/bin/env bash
# Train the reference models, compress them to every scheme, and measure the files on this machine.
#
#   EDGEKIT_DATA=folder-with-mnist.npz-and-cifar10.npz benchmarks/reference_models.sh WORK_FOLDER [MODEL...]
#
# Models that WORK_FOLDER already holds are not trained again. Records go to benchmarks/records/.
source "$(dirname "$0")/common.sh"
enter "$1"
shift
models=("$@")
[ "${#models[@]}" -gt 0 ] || models=(mnist-cnn resnet8)

declare -A data=([digits-cnn]=digits [mnist-cnn]=mnist [cifar10-cnn]=cifar10 [resnet8]=cifar10 [ds-cnn]=cifar10)
for model in "${models[@]}"; do
  [ -f "$model.keras" ] || "$edgekit" train "$model" --data "${data[$model]}" -o "$model.keras"
  [ -d "$model-ptq" ] || "$edgekit" compress "$model.keras" --data "${data[$model]}" \
    --recipe all-schemes --eval-samples 0 -o "$model-ptq"
  for threads in 1 2; do
    measure "$model-ptq" --threads "$threads" --processes 7 --min-seconds 0.1
  done
done
