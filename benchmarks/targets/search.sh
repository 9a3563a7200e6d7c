#!/usr/bin/env bash
# `edgekit search` on mnist-cnn and on the public ResNet-8: its front beside every recipe of the package that it ran, the
# published file and the artifacts of this folder, on the same axes and the same 10,000 test images.
#
#   EDGEKIT_DATA=folder-with-mnist.npz-and-cifar10.npz benchmarks/targets/search.sh PUBLISHED WORK mnist|cifar10 TIME [EFFORT]
#
# PUBLISHED is the folder with the published files, WORK that of reference_models.sh; EFFORT is a factor on all epochs.
# Interrupted, or with more TIME, it goes on. The record goes to benchmarks/records/; `front.py RECORD` says which file beats which.
source "$(dirname "$0")/../common.sh"
published=$(cd "$1" && pwd)
enter "$2"
data=$3 time=$4 effort=${5:-1}

case $data in
  mnist) model=mnist-cnn.keras options=(--augment crop) others=(mnist-16k mnist-8k) scale=() ;;
  cifar10)
    model=$published/pretrainedResnet.h5 options=(--augment flip-crop --student resnet14) scale=(--scale 1)
    others=(resnet8-taught half-calibrated)
    ;;
esac
out=$data-search
"$edgekit" search "$model" --data "$data" "${scale[@]}" --scheme int8 --scheme int4 "${options[@]}" --effort "$effort" --time "$time" -o "$out"

rm -rf "$out-files"
mkdir "$out-files"
for file in "$out"/front/*/*-int[48].tflite; do # a bundle's int8 file beside its int4 file is none of the front
  case $file in *-int8.tflite) [ -e "${file%8.tflite}4.tflite" ] && continue ;; esac
  ln -s "../$file" "$out-files/front-$(basename "$(dirname "$file")").tflite"
done
for trial in "$out"/trials/*/; do
  name=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["name"])' "$trial/trial.json")
  case $name in
    trial-*) ;;
    *) for file in "$trial"*.tflite; do [ -e "$file" ] && ln -s "../$file" "$out-files/recipe-$name.tflite"; done ;;
  esac
done
for other in "${others[@]}"; do
  ln -s "$benchmarks/artifacts/$other/"*.tflite "$out-files/artifact-$other.tflite"
done
[ "$data" = cifar10 ] && ln -s "$published/pretrainedResnet_quant.tflite" "$out-files/published-int8.tflite"
measure "$out-files"/*.tflite --data "$data" "${scale[@]}" --processes 3 --min-seconds 0.1
