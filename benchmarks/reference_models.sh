#!/usr/bin/env bash
# Train the reference models, compress them to every scheme, and measure the files on this machine.
#
#   EDGEKIT_DATA=folder-with-mnist.npz-and-cifar10.npz benchmarks/reference_models.sh WORK_FOLDER [MODEL...]
#
# Models that WORK_FOLDER already holds are not trained again. Records go to benchmarks/records/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$1
shift
models=("$@")
[ "${#models[@]}" -gt 0 ] || models=(mnist-cnn resnet8)
edgekit=${EDGEKIT:-edgekit}
mkdir -p "$work"

declare -A data=([digits-cnn]=digits [mnist-cnn]=mnist [cifar10-cnn]=cifar10 [resnet8]=cifar10 [ds-cnn]=cifar10)
for model in "${models[@]}"; do
  [ -f "$work/$model.keras" ] || "$edgekit" train "$model" --data "${data[$model]}" -o "$work/$model.keras"
  [ -d "$work/$model-ptq" ] || "$edgekit" compress "$work/$model.keras" --data "${data[$model]}" \
    --recipe all-schemes --eval-samples 0 -o "$work/$model-ptq" | tee "$work/$model-ptq.txt"
  for threads in 1 2; do
    (cd "$work" && "$edgekit" bench "$model-ptq" --threads "$threads" --processes 7 --min-seconds 0.1 --out records)
  done
done
mv "$work"/records/*.json "$here/records/"  # written there, so that no record names a folder of this machine
