#!/usr/bin/env bash
# Networks trained in PyTorch, exported to ONNX, and compressed: post-training, half of the channels removed, and a
# student that learns from it. Accuracy is on all 10,000 test images.
#
#   EDGEKIT_DATA=folder-with-mnist.npz-and-cifar10.npz benchmarks/pytorch/pytorch.sh VENV/bin/python WORK_FOLDER
#
# VENV has torch and onnxscript. What it prints goes to benchmarks/pytorch/results.txt, the records to
# benchmarks/records/. Interrupted, it goes on.
source "$(dirname "$0")/../common.sh"
torch=$(absolute "$1")
enter "$2"

for name in mnist-separable cifar10-residual cifar10-inverted; do
  data=${name%%-*}
  case $data in
    mnist) epochs=5 how=(--scale 1/255 --mean 0.1307 --std 0.3081) ;;
    cifar10) epochs=12 how=(--scale 1/255 --mean 0.4914,0.4822,0.4465 --std 0.247,0.2435,0.2616) ;;
  esac
  if [ ! -f "$name.onnx" ]; then
    "$torch" "$benchmarks/pytorch/train.py" "$name" "$EDGEKIT_DATA/$data.npz" "$name.part" "$epochs" | tee "$name.log"
    mv "$name.part" "$name.onnx"
  fi
  bundles=()
  for recipe in float32 int8 channels-qat distill-channels-qat; do
    [ -d "$name-$recipe" ] || "$edgekit" compress "$name.onnx" --data "$data" "${how[@]}" --recipe "$recipe" \
      --eval-samples 0 -o "$name-$recipe" || [ $? = 3 ] # much quality lost: a row of the table all the same
    ln -sf "$name-$recipe/$name-$([ "$recipe" = float32 ] && echo float32 || echo int8).tflite" "$name-$recipe.tflite"
    bundles+=("$name-$recipe.tflite")
  done
  grep "test samples in PyTorch" "$name.log"
  measure "${bundles[@]}" --data "$data" "${how[@]}" --processes 5 --min-seconds 0.1
done | tee "$benchmarks/pytorch/results.txt"
