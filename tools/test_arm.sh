#!/usr/bin/env bash
# Builds for 64-bit ARM on another processor and runs the tests there under emulation:
#   tools/test_arm.sh            every unit and golden test, and the program
#   tools/test_arm.sh kernels    the kernels' unit tests alone
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $(uname -m) == aarch64 ]]; then
  echo "test_arm: this is such a processor; make test has run there"
  exit 0
fi
if [[ $(uname -m) != x86_64 || $(. /etc/os-release 2>/dev/null && echo "${ID:-}") != debian ]]; then
  echo "test_arm: skipped, needs Debian's compiler and libraries for ARM" >&2
  exit 0
fi
tools/install_deps.sh cross
cmake --preset aarch64 >/dev/null
if [[ ${1:-} == kernels ]]; then
  cmake --build --preset aarch64 --target test_unit_kernels
  ctest --preset aarch64 -j "$(nproc)" -R '^unit_kernels|^kernel_symbols$'
else
  cmake --build --preset aarch64
  ctest --preset aarch64 -j "$(nproc)" --label-exclude slow
fi
