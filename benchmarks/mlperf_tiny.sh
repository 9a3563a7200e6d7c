#!/usr/bin/env bash
# The public MLPerf Tiny ResNet-8: our int8 file of its Keras model beside the int8 file published with it.
#
#   EDGEKIT_DATA=folder-with-cifar10.npz benchmarks/mlperf_tiny.sh FOLDER_WITH_THE_PUBLISHED_FILES WORK_FOLDER
#
# The files are in mlcommons/tiny, benchmark/training/image_classification/trained_models. Inputs are raw pixels.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
published=$(cd "$1" && pwd)
work=$2
edgekit=${EDGEKIT:-edgekit}
mkdir -p "$work"
[ -d "$work/mlperf-resnet8" ] || "$edgekit" compress "$published/pretrainedResnet.h5" --data cifar10 --scale 1 \
  --recipe int8 --eval-samples 0 -o "$work/mlperf-resnet8" | tee "$work/mlperf-resnet8.txt"
ln -sf "$published/pretrainedResnet_quant.tflite" "$work/published-int8.tflite"
cd "$work"
"$edgekit" bench published-int8.tflite mlperf-resnet8/pretrainedResnet-int8.tflite --data cifar10 --scale 1 \
  --processes 11 --min-seconds 0.3 --out records
mv records/*.json "$here/records/"  # written there, so that no record names a folder of this machine
