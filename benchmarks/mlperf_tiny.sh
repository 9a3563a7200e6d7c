#!/usr/bin/env bash
# The public MLPerf Tiny ResNet-8: our int8 file of its Keras model beside the int8 file published with it.
#
#   EDGEKIT_DATA=folder-with-cifar10.npz benchmarks/mlperf_tiny.sh FOLDER_WITH_THE_PUBLISHED_FILES WORK_FOLDER
#
# The files are in mlcommons/tiny, benchmark/training/image_classification/trained_models. Inputs are raw pixels.
source "$(dirname "$0")/common.sh"
published=$(cd "$1" && pwd)
enter "$2"

ln -sf "$published/pretrainedResnet_quant.tflite" published-int8.tflite
[ -d mlperf-resnet8 ] || "$edgekit" compress "$published/pretrainedResnet.h5" --data cifar10 --scale 1 \
  --recipe int8 --eval-samples 0 -o mlperf-resnet8
measure published-int8.tflite mlperf-resnet8/pretrainedResnet-int8.tflite --data cifar10 --scale 1 \
  --processes 11 --min-seconds 0.3
