# Sourced by the benchmark scripts. They work inside their work folder, so that no manifest and no record names a folder
# of this machine.
set -euo pipefail
benchmarks=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

absolute() { # a command's name stays, a path is completed
  case $1 in */*) echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")" ;; *) echo "$1" ;; esac
}
edgekit=$(absolute "${EDGEKIT:-edgekit}")
python=$(absolute "${PYTHON:-python}")
if [ -n "${EDGEKIT_DATA:-}" ]; then
  EDGEKIT_DATA=$(cd "$EDGEKIT_DATA" && pwd)
  export EDGEKIT_DATA
fi

enter() { # WORK_FOLDER
  mkdir -p "$1"
  cd "$1"
}
measure() { # FILE_OR_BUNDLE... OPTIONS: the record goes to benchmarks/records/
  "$edgekit" bench "$@" --out records
  mv records/*.json "$benchmarks/records/"
}
keep() { # BUNDLE NAME [SCHEME]: its file, manifest and recipe go to benchmarks/artifacts/BUNDLE/
  mkdir -p "$benchmarks/artifacts/$1"
  cp "$1/$2-${3:-int8}.tflite" "$1/manifest.json" "$1/recipe.toml" "$benchmarks/artifacts/$1/"
}
