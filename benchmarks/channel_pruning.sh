#!/usr/bin/env bash
# Half of the channels removed: latency of the int8 file against the int8 file of the unpruned model, interleaved.
#
#   EDGEKIT_DATA=folder-with-mnist.npz-and-cifar10.npz benchmarks/channel_pruning.sh WORK_FOLDER
#
# WORK_FOLDER is that of reference_models.sh: the models trained there are taken. Records go to benchmarks/records/.
source "$(dirname "$0")/common.sh"
enter "$1"

half() { # MODEL DATA OPTIONS
  [ -d "$1-half-channels" ] || "$edgekit" compress "$1.keras" --data "$2" --stage "prune:amount=0.5,$3" \
    --eval-samples 0 -o "$1-half-channels"
  ln -sf "$1-half-channels/$1-int8.tflite" "$1-half-channels-int8.tflite"
  ln -sf "$1-ptq/$1-int8.tflite" "$1-int8.tflite"
  measure "$1-int8.tflite" "$1-half-channels-int8.tflite" --data "$2" --processes 11 --min-seconds 0.05
}
half mnist-cnn mnist epochs=5,batch_size=128
half resnet8 cifar10 epochs=10,batch_size=128,augment=flip-crop
