#!/usr/bin/env bash
# Installs what building and testing need on Debian 12 (and its kin), and nothing that is there already:
#   tools/install_deps.sh [build|test|clients|dev|cross]
# build: compile; test: and run the tests (default); clients: and those of the server with the clients of others, which
# pip installs into build/test-venv; dev: and the tools; cross: build and test for 64-bit ARM, whose libraries are
# unpacked under build/ and not installed.
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
  libboost-dev         # HTTP server: Beast and Asio (headers only)
  libcurl4-openssl-dev # media that requests to the server name by URL
)
test=(
  libgtest-dev         # unit tests
  libgmock-dev         # their matchers
  python3              # end-to-end tests of the program, layer check (standard library only)
)
clients=(
  python3-venv         # the clients' own folder
  chromium             # the page in a browser,
  chromium-driver      #   driven by WebDriver,
  python3-selenium     #   in Python
  curl                 # the commands of docs/SERVER.md
)
dev=(
  clang                # second compiler, sanitizers, libFuzzer
  clang-format         # make format
  libbenchmark-dev     # micro-benchmarks
  ccache               # quicker rebuilds
)
cross=(
  g++-aarch64-linux-gnu  # compiler for 64-bit ARM
  qemu-user              # runs what it makes
  mmdebstrap             # unpacks ARM's libraries into a folder
)

case "${1:-test}" in
  build) wanted=("${build[@]}") ;;
  test) wanted=("${build[@]}" "${test[@]}") ;;
  clients) wanted=("${build[@]}" "${test[@]}" "${clients[@]}") ;;
  dev) wanted=("${build[@]}" "${test[@]}" "${dev[@]}") ;;
  cross) wanted=("${build[@]}" "${test[@]}" "${cross[@]}") ;;
  *) echo "usage: tools/install_deps.sh [build|test|clients|dev|cross]" >&2; exit 2 ;;
esac

root=()
need_root() {  # WHAT
  [[ $(id -u) -eq 0 || ${#root[@]} -gt 0 ]] && return
  command -v sudo >/dev/null || { echo "install_deps: neither root nor sudo; as root: $1" >&2; exit 1; }
  root=(sudo)
}

# The libraries of the lists above for ARM, as a tree that the compiler takes for the root. Anew when the lists change.
unpack_sysroot() {
  local tree wanted_here
  tree=$(cd "$(dirname "$0")/.." && pwd)/build/sysroot-arm64
  wanted_here="libc6-dev $(printf '%s\n' "${build[@]}" "${test[@]}" | grep -- '-dev$' | tr '\n' ' ')"
  [[ $(cat "$tree/packages" 2>/dev/null) == "$wanted_here" ]] && return
  echo "unpacking into $tree: $wanted_here" >&2
  need_root "tools/install_deps.sh cross"
  mkdir -p "${tree%/*}"
  "${root[@]}" rm -rf "$tree" "$tree.part"
  "${root[@]}" mmdebstrap --mode=root --variant=extract --architectures=arm64 --include="${wanted_here// /,}" \
    "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$tree.part" http://deb.debian.org/debian
  "${root[@]}" rm -rf "$tree.part/dev"
  "${root[@]}" chown -R "$(id -u):$(id -g)" "$tree.part"
  echo "$wanted_here" >"$tree.part/packages"
  mv "$tree.part" "$tree"
}

# The clients of tests/server/requirements.txt. Anew when that file changes.
make_test_venv() {
  local top venv list
  top=$(cd "$(dirname "$0")/.." && pwd)
  venv=$top/build/test-venv list=$top/tests/server/requirements.txt
  cmp -s "$list" "$venv/installed.txt" && return
  echo "installing into $venv what $list names" >&2
  rm -f "$venv/installed.txt"
  if ! python3 -m venv "$venv" || ! "$venv/bin/pip" install -q --disable-pip-version-check -r "$list"; then
    echo "install_deps: the server's test clients are not installed: pip could not fetch them (is there a network?)" >&2
    exit 1
  fi
  cp "$list" "$venv/installed.txt"
}

if ! command -v dpkg-query >/dev/null; then
  echo "install_deps: not a Debian system; install the counterparts of: ${wanted[*]}" >&2
  if [[ ${1:-} == clients ]]; then make_test_venv; fi
  exit 0  # they may be there under other names: the build will say
fi

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == *installed* && $status != *not-installed* ]] || missing+=("$package")
done
if [[ ${#missing[@]} -gt 0 ]]; then
  echo "installing: ${missing[*]}" >&2
  need_root "apt-get install ${missing[*]}"
  "${root[@]}" apt-get update -q
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
if [[ ${1:-} == cross ]]; then unpack_sysroot; fi
if [[ ${1:-} == clients ]]; then make_test_venv; fi
