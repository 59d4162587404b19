#!/usr/bin/env bash
# Boards of a real model on a machine without a network, whose transfers are narrow:
#
#   bash tests/gpu/board.sh pack MODEL.gguf DATA     here: .board/model.0, .board/model.1 ..., .board/data.tar.gz
#   bash tests/gpu/board.sh keep                     there, once a part of the model arrived: says which parts are there
#   bash tests/gpu/board.sh run [options]            there: joins the parts, unpacks the data, runs tests/gpu/board.py
#   bash tests/gpu/board.sh dry-run                  anywhere: every stage on the embedded model, on the CPU
#
# Parts have at most 45 MiB. A part sent in one call and kept there need not be sent in the next. Finished runs stay in
# `.board/results`; with OUT set they are also packed into OUT/results.N.tar. `tar -xf results.N.tar -C results` here makes
# them part of the results. PYTHON and WHEELS are those of run.sh; WHEELS needs gguf too.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
folder=.board

case "${1:-}" in
  pack)
    mkdir -p "$folder"
    split --bytes=45M --numeric-suffixes --suffix-length=1 "$2" "$folder/model."
    sha256sum "$2" | cut -d' ' -f1 > "$folder/model.sha256"
    basename "$2" > "$folder/model.name"
    tar -czf "$folder/data.tar.gz" -C "$3" .
    ls -l "$folder"
    ;;
  keep)
    ls -l "$folder"
    ;;
  run)
    shift
    if [ -n "${WHEELS:-}" ]; then
      site=$(mktemp -d)
      "$python" -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$WHEELS"/*.whl
      export PYTHONPATH="$site:$PYTHONPATH"
    fi
    model="$folder/$(cat "$folder/model.name")"
    cat "$folder"/model.[0-9] > "$model"
    [ "$(sha256sum "$model" | cut -d' ' -f1)" = "$(cat "$folder/model.sha256")" ] || {
      echo "the parts of the model in $folder do not make up the file that was packed: send the missing part" >&2
      exit 2
    }
    mkdir -p "$folder/data"
    tar -xzf "$folder/data.tar.gz" -C "$folder/data"
    exec "$python" -m tests.gpu.board --model "$model" --data "$folder/data" --results "$folder/results" ${OUT:+--out "$OUT"} "$@"
    ;;
  dry-run)
    results=$(mktemp -d)
    "$python" -m tests.gpu.board --dry-run --results "$results" --out "$results/out"
    rm -rf "$results"
    ;;
  *)
    sed -n 's/^# \{0,1\}//p' "$0" | sed -n 2,14p
    exit 2
    ;;
esac
