#!/usr/bin/env bash
# The main job on twelve tasks of published data with the embedded model: base, LoRA, QLoRA and full on each.
#
#   bash results/public_tasks/run.sh DATA [RESULTS]      DATA: a folder with copies of the data sets, see `list --data DATA`
#
# Short on purpose, and every run says so in its record: at most 200 training and 100 test examples of a task, one epoch,
# LoRA of rank 8, one seed. It shows that the program runs on real data; it does not show what a method can reach.
# Running it again continues. PYTHON names the interpreter (default: .venv/bin/python, else python).
set -euo pipefail
cd "$(dirname "$0")/../.."
data="${1:?usage: bash results/public_tasks/run.sh DATA [RESULTS]}"
results="${2:-results}"
python="${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python)}"
tasks=(fiqa tfns ner financial_math xbrl_term xbrl_tag xbrl_calculation auto_claims underwriting medical_charges gsm8k_number openbookqa wikitext)
failed=()
for task in "${tasks[@]}"; do
  "$python" run_all.py --task "$task" --data "$data" --results "$results" --rank 8 --epochs 1 \
    --train-examples 200 --test-examples 100 --no-memory || failed+=("$task")
done
"$python" run_all.py verify "$results"
if [ "${#failed[@]}" -gt 0 ]; then
  echo "did not finish: ${failed[*]}" >&2
  exit 1
fi
