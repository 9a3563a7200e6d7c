#!/usr/bin/env bash
# MNIST in 16 KB and in 8 KB: small students learn from mnist-cnn, then quantization-aware training. In 6 kB and in 3 kB:
# with weights in 4 bits, and without a dense layer; their teacher is a small residual network.
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

[ -f mnist-teacher.keras ] || "$edgekit" train resnet8 --data mnist --width 0.5 --epochs 10 --batch-size 128 \
  --augment crop --schedule cosine --optimizer sgd --learning-rate 0.1 --weight-decay 0.0003 -o mnist-teacher.keras
narrow() { # NAME BLOCKS EPOCHS EPOCHS_AT_A_LOW_RATE EPOCHS_IN_4_BITS AUGMENTATION
  [ -f "$1.keras" ] || "$python" "$benchmarks/targets/student.py" 28x28x1 10 "$2" "$1.keras"
  cat > "$1.toml" << RECIPE
schema = 1
description = "a student of convolutions alone, then quantization-aware training of weights in 4 bits"

[[stage]]
use = "distill"
student = "$1.keras"
epochs = $3
batch_size = 128
alpha = 0.5
learning_rate = 0.005
augment = "$6"

[[stage]]
use = "distill"
student = "current"
epochs = $4
batch_size = 128
alpha = 0.5
learning_rate = 0.001
augment = "$6"

[[stage]]
use = "quantize"
weight_bits = 4
alpha = 0.5
teacher = "original"
epochs = $5
batch_size = 128
learning_rate = 0.0005
augment = "$6"

[export]
schemes = ["int8", "int4"]
RECIPE
  [ -d "$1" ] || "$edgekit" compress mnist-teacher.keras --data mnist --eval-samples 0 --recipe "$1.toml" -o "$1"
  ln -sf "$1/mnist-teacher-int4.tflite" "$1-int4.tflite"
}
narrow mnist-6k c9k5v-p-c16k5v-p-f 20 12 20 crop
keep mnist-6k mnist-teacher int4
narrow mnist-3k c6k5v/2-c5k5v/2-f 40 30 40 none
keep mnist-3k mnist-teacher int4
measure mnist-16k-int8.tflite mnist-8k-int8.tflite mnist-6k-int4.tflite mnist-3k-int4.tflite --data mnist \
  --processes 7 --min-seconds 0.1
