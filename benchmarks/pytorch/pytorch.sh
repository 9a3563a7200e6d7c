#!/usr/bin/env bash
# Networks trained in PyTorch, exported to ONNX, and compressed: post-training, half of the channels removed, and a
# student that learns from it. Accuracy is on all 10,000 test images.
#
#   EDGEKIT_DATA=folder-with-mnist.npz-and-cifar10.npz benchmarks/pytorch/pytorch.sh VENV/bin/python WORK_FOLDER
#
# VENV has torch and onnxscript. It prints PyTorch's own accuracy above each table; the records go to
# benchmarks/records/. Interrupted, it goes on.
source "$(dirname "$0")/../common.sh"
torch=$(absolute "$1")
enter "$2"

names=(mnist-separable cifar10-residual cifar10-inverted)
recipes=(float32 int8 channels-qat distill-channels-qat)
brief() { # RECIPE: of distill-channels-qat 6, 3 and 2 epochs in place of 40, 20 and 5
  if [ "$1" = distill-channels-qat ]; then
    "$edgekit" recipes "$1" | sed 's/^epochs = 40/epochs = 6/; s/^epochs = 20/epochs = 3/; s/^epochs = 5/epochs = 2/' > brief.toml
    echo brief.toml
  else
    echo "$1"
  fi
}
about() { # NAME: sets `data` and `how`
  data=${1%%-*}
  case $data in
    mnist) epochs=5 how=(--data mnist --scale 1/255 --mean 0.1307 --std 0.3081) ;;
    cifar10) epochs=8 how=(--data cifar10 --scale 1/255 --mean 0.4914,0.4822,0.4465 --std 0.247,0.2435,0.2616) ;;
  esac
}

for name in "${names[@]}"; do
  about "$name"
  [ -f "$name.onnx" ] && continue
  "$torch" "$benchmarks/pytorch/train.py" "$name" "$EDGEKIT_DATA/$data.npz" "$name.part" "$epochs" | tee "$name.log"
  mv "$name.part" "$name.onnx"
done
for recipe in "${recipes[@]}"; do
  for name in "${names[@]}"; do
    about "$name"
    [ -d "$name-$recipe" ] || "$edgekit" compress "$name.onnx" "${how[@]}" --recipe "$(brief "$recipe")" --eval-samples 0 \
      -o "$name-$recipe" || [ $? = 3 ] # much quality lost: a row of the table all the same
  done
done

for name in "${names[@]}"; do
  about "$name"
  files=()
  for recipe in "${recipes[@]}"; do
    scheme=$([ "$recipe" = float32 ] && echo float32 || echo int8)
    ln -sf "$name-$recipe/$name-$scheme.tflite" "$name-$recipe.tflite"
    files+=("$name-$recipe.tflite")
  done
  grep "in PyTorch" "$name.log"
  measure "${files[@]}" "${how[@]}" --processes 5 --min-seconds 0.1
  echo
done
