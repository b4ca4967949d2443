#!/usr/bin/env bash
# Runs every libFuzzer program of a folder for a while, on its kept inputs and new ones: run_fuzzers.sh BIN SECONDS
# A crash ends the run with its input's name; move that file to tests/regressions/ once it is fixed.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1 seconds=$2
shopt -s nullglob
programs=("$bin"/fuzz_*)
[[ ${#programs[@]} -gt 0 ]] || { echo "no fuzzers in $bin" >&2; exit 1; }
for program in "${programs[@]}"; do
  name=$(basename "$program")
  work=build/fuzz/work/$name
  mkdir -p "$work"
  kept=fuzz/corpus/${name#fuzz_}
  echo "== $name: ${seconds}s"
  "$program" "$work" ${kept:+$([[ -d $kept ]] && echo "$kept")} -max_total_time="$seconds" -rss_limit_mb=2048 \
    -artifact_prefix="$work-crash-" -print_final_stats=0 -verbosity=0
done
echo "${#programs[@]} fuzzers, no crash"
