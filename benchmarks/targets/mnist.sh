#!/usr/bin/env bash
# MNIST in 16 KB and in 8 KB: small students learn from mnist-cnn, then quantization-aware training.
#
#   EDGEKIT_DATA=folder-with-mnist.npz benchmarks/targets/mnist.sh WORK_FOLDER
#
# WORK_FOLDER is that of reference_models.sh, with mnist-cnn.keras. The files go to benchmarks/artifacts/, the record to
# benchmarks/records/.
source "$(dirname "$0")/../common.sh"
enter "$1"

training="batch_size=128,alpha=0.5"
student() { # NAME BLOCKS EPOCHS
  [ -f "$1.keras" ] || "$python" "$benchmarks/targets/student.py" 28x28x1 10 "$2" "$1.keras"
  [ -d "$1" ] || "$edgekit" compress mnist-cnn.keras --data mnist --eval-samples 0 -o "$1" \
    --stage "distill:student=$1.keras,epochs=$3,learning_rate=0.003,$training" \
    --stage "quantize:epochs=6,learning_rate=0.0003,$training"
  ln -sf "$1/mnist-cnn-int8.tflite" "$1-int8.tflite"
}
student mnist-16k c8-c12-p-c12-c16-p-c20-c20 25
keep mnist-16k mnist-cnn
student mnist-8k c6-c8-p-c8-c8-p-c10-c14 85
keep mnist-8k mnist-cnn
measure mnist-16k-int8.tflite mnist-8k-int8.tflite --data mnist --processes 7 --min-seconds 0.1
