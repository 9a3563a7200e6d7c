#!/usr/bin/env bash
# MNIST in 16 KB and in 8 KB: small students learn from mnist-cnn, then quantization-aware training.
#
#   EDGEKIT_DATA=folder-with-mnist.npz benchmarks/targets/mnist.sh WORK_FOLDER
#
# The teacher is trained on shifted digits, as the students are: one that never saw them answers them wrongly, and the
# students learn that (98.4 % on validation samples in place of 99). The files go to benchmarks/artifacts/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
edgekit=${EDGEKIT:-edgekit}
python=${PYTHON:-python}
training="batch_size=128,augment=crop,alpha=0.7"
teacher="$work/mnist-cnn-shifted.keras"
[ -f "$teacher" ] || "$edgekit" train mnist-cnn --data mnist --augment crop --epochs 15 --schedule cosine -o "$teacher"
student() { # NAME BLOCKS
  [ -f "$work/$1.keras" ] || "$python" "$here/student.py" 28x28x1 10 "$2" "$work/$1.keras"
  [ -d "$work/$1" ] || "$edgekit" compress "$teacher" --data mnist --eval-samples 0 -o "$work/$1" \
    --stage "distill:student=$work/$1.keras,epochs=30,learning_rate=0.003,$training" \
    --stage "quantize:epochs=6,learning_rate=0.0003,$training"
  mkdir -p "$here/../artifacts/$1"
  cp "$work/$1/mnist-cnn-shifted-int8.tflite" "$work/$1/manifest.json" "$work/$1/recipe.toml" "$here/../artifacts/$1/"
}
student mnist-16k c12-p-c24-p-c40
student mnist-8k c8-p-c16-p-c20
