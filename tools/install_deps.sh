#!/usr/bin/env bash
# Installs what building and testing need on Debian 12 (and its kin), and nothing that is there already:
#   tools/install_deps.sh [build|test|dev]     build: compile; test: and run the tests (default); dev: and the tools
# Asks the network only when something is missing. docs/DEPENDENCIES.md says more about each library.
set -euo pipefail

build=(
  g++                  # C++20 compiler
  cmake                # build description
  ninja-build          # build runner
  make                 # the commands in the README
  pkg-config           # finds libedit and the libraries for media
  libfmt-dev           # text formatting
  nlohmann-json3-dev   # config.json, safetensors headers, JSON output
  libsimdjson-dev      # tokenizer.json, tens of megabytes of it
  libcli11-dev         # command-line options
  libkissfft-dev       # spectra of sound (headers only)
  libedit-dev          # line editing in gemma3n chat
  libavformat-dev      # sound and video files: containers,
  libavcodec-dev       #   decoders,
  libswscale-dev       #   and a frame's YUV to RGB
  libsoxr-dev          # any sample rate to 16 kHz
  libb2-dev            # names for media: which were read before
  libjpeg62-turbo-dev  # JPEG pictures
  libpng-dev           # PNG pictures
  libwebp-dev          # WebP pictures
  libgif-dev           # GIF pictures
  libstb-dev           # BMP pictures (a header)
)
test=(
  libgtest-dev         # unit tests
  libgmock-dev         # their matchers
  python3              # end-to-end tests of the program, layer check (standard library only)
)
dev=(
  clang                # second compiler, sanitizers, libFuzzer
  clang-format         # make format
  libbenchmark-dev     # micro-benchmarks
  ccache               # quicker rebuilds
)

case "${1:-test}" in
  build) wanted=("${build[@]}") ;;
  test) wanted=("${build[@]}" "${test[@]}") ;;
  dev) wanted=("${build[@]}" "${test[@]}" "${dev[@]}") ;;
  *) echo "usage: tools/install_deps.sh [build|test|dev]" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
  echo "install_deps: not a Debian system; install the counterparts of: ${wanted[*]}" >&2
  exit 0  # they may be there under other names: the build will say
fi

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == *installed* && $status != *not-installed* ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

echo "installing: ${missing[*]}" >&2
root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null || {
    echo "install_deps: neither root nor sudo; as root: apt-get install ${missing[*]}" >&2
    exit 1
  }
  root=(sudo)
fi
"${root[@]}" apt-get update -q
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
