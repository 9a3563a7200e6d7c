#!/usr/bin/env bash
# Half of the channels removed: latency of the int8 file against the int8 file of the unpruned model, interleaved.
#
#   EDGEKIT_DATA=folder-with-mnist.npz-and-cifar10.npz benchmarks/channel_pruning.sh WORK_FOLDER
#
# WORK_FOLDER is that of reference_models.sh: the models trained there are taken. Records go to benchmarks/records/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$1
edgekit=${EDGEKIT:-edgekit}
compress() { # MODEL DATA OPTIONS
  local bundle="$work/$1-half-channels"
  [ -d "$bundle" ] || "$edgekit" compress "$work/$1.keras" --data "$2" --stage "prune:amount=0.5,$3" \
    --eval-samples 0 -o "$bundle" | tee "$bundle.txt"
  ln -sf "../$1-half-channels/$1-int8.tflite" "$work/links/$1-half-channels-int8.tflite"
  ln -sf "../$1-ptq/$1-int8.tflite" "$work/links/$1-int8.tflite"
  (cd "$work/links" && "$edgekit" bench "$1-int8.tflite" "$1-half-channels-int8.tflite" --data "$2" \
    --processes 11 --min-seconds 0.3 --out records)
}
mkdir -p "$work/links"
compress mnist-cnn mnist epochs=5,batch_size=128
compress resnet8 cifar10 epochs=10,batch_size=128,augment=flip-crop
mv "$work"/links/records/*.json "$here/records/"  # written there, so that no record names a folder of this machine
