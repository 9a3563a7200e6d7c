#!/usr/bin/env bash
# CIFAR-10, from the public Keras model of MLPerf Tiny's ResNet-8, against the int8 file published with it.
#
#   EDGEKIT_DATA=folder-with-cifar10.npz benchmarks/targets/cifar10.sh FOLDER_WITH_THE_PUBLISHED_FILES WORK_FOLDER
#
# 1. resnet8-taught: the model learns from itself once more, then quantization-aware training: no more bytes than the
#    published file, higher accuracy.
# 2. student: 1 without its first block and with 39 of 64 channels in its last learns from 1: half the bytes.
# 3. half: 2 learns from 1 for longer.
# 4. half-calibrated: the float model of 3, quantized with calibration samples; better on validation samples than 3.
# 5. int4-resnet8: quantization-aware training of weights in 4 bits, first taught by the public model, then at a low rate
#    towards the labels: the whole network in half the bytes.
# It takes hours; interrupted, it goes on where it stopped. The files go to benchmarks/artifacts/, the record of the
# interleaved measurement to benchmarks/records/. The public model was trained on what are validation samples here, so
# only accuracy on test samples counts.
source "$(dirname "$0")/../common.sh"
published=$(cd "$1" && pwd)
enter "$2"

training="batch_size=128,augment=flip-crop"
[ -d resnet8-taught ] || "$edgekit" compress "$published/pretrainedResnet.h5" --data cifar10 --scale 1 \
  --eval-samples 0 -o resnet8-taught \
  --stage "distill:student=current,epochs=30,alpha=0.7,$training" \
  --stage "quantize:epochs=6,alpha=0.7,learning_rate=0.0001,$training"
keep resnet8-taught pretrainedResnet

teacher=resnet8-taught/pretrainedResnet.keras
[ -f student.keras ] || "$python" "$benchmarks/targets/shallower.py" "$teacher" student.keras \
  --without add --without activation_2 --layers 'name:conv2d_[678]' --amount 0.39 --multiple-of 1
[ -d student ] || "$edgekit" compress "$teacher" --data cifar10 --eval-samples 0 -o student \
  --stage "distill:student=student.keras,epochs=120,alpha=0.8,learning_rate=0.001,$training" \
  --stage "quantize:epochs=10,alpha=0.8,teacher=original,learning_rate=0.0002,$training"
[ -d half ] || "$edgekit" compress student/pretrainedResnet.keras --data cifar10 --eval-samples 0 -o half \
  --stage "distill:student=current,teacher=$teacher,epochs=100,alpha=0.8,learning_rate=0.001,$training" \
  --stage "quantize:epochs=10,alpha=0.8,learning_rate=0.0002,$training"
[ -d half-calibrated ] || "$edgekit" compress half/pretrainedResnet.keras --data cifar10 --eval-samples 0 \
  -o half-calibrated
keep half-calibrated pretrainedResnet

narrowed() { # NAME SOURCE EPOCHS RATE ALPHA
  cat > "$1.toml" << RECIPE
schema = 1
description = "quantization-aware training of weights in 4 bits"

[[stage]]
use = "quantize"
weight_bits = 4
epochs = $3
learning_rate = $4
alpha = $5
batch_size = 128
augment = "flip-crop"

[export]
schemes = ["float32", "int8", "int4"]
RECIPE
  [ -d "$1" ] || "$edgekit" compress "$2" --data cifar10 --scale 1 --eval-samples 0 --recipe "$1.toml" -o "$1"
}
narrowed int4-first "$published/pretrainedResnet.h5" 22 0.001 0.7
narrowed int4-resnet8 int4-first/pretrainedResnet.keras 6 0.0002 0.0
keep int4-resnet8 pretrainedResnet int4

ln -sf "$published/pretrainedResnet_quant.tflite" published-int8.tflite
for step in resnet8-taught student half half-calibrated; do
  ln -sf "$step/pretrainedResnet-int8.tflite" "$step-int8.tflite"
done
ln -sf int4-resnet8/pretrainedResnet-int4.tflite int4-resnet8-int4.tflite
measure published-int8.tflite {resnet8-taught,student,half,half-calibrated}-int8.tflite int4-resnet8-int4.tflite --data cifar10 --scale 1 \
  --processes 11 --min-seconds 0.1
