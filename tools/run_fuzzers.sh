#!/usr/bin/env bash
# Runs every libFuzzer program of a folder for a while: run_fuzzers.sh BIN SECONDS
# It starts from the kept inputs in fuzz/corpus/NAME and adds what it finds to build/fuzz/work/NAME. A crash ends the run
# with the input's name; once it is fixed, that file belongs in fuzz/corpus/NAME, which the unit tests replay.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1 seconds=$2
shopt -s nullglob
programs=("$bin"/fuzz_*)
[[ ${#programs[@]} -gt 0 ]] || { echo "no fuzzers in $bin" >&2; exit 1; }
for program in "${programs[@]}"; do
  name=$(basename "$program"); name=${name#fuzz_}
  work=build/fuzz/work/$name
  mkdir -p "$work"
  arguments=("$work")
  [[ -d fuzz/corpus/$name ]] && arguments+=("fuzz/corpus/$name")
  [[ -f fuzz/$name.dict ]] && arguments+=("-dict=fuzz/$name.dict")
  echo "== $name, $seconds s"
  "$program" "${arguments[@]}" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
    -artifact_prefix="build/fuzz/$name-" -verbosity=0
done
echo "${#programs[@]} fuzzers ran, none found a fault"
