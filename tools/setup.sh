#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Installs what is missing: tools/setup.sh build|test|check|lint|bench|bench-memory|bench-ops|bench-peers. Debian packages through apt
# (root or sudo), Python packages for test oracles into build/venv. Does nothing, fast, when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."
goal=${1:-build}

packages=(g++ cmake ninja-build nlohmann-json3-dev libcli11-dev libedit-dev libzstd-dev liblz4-dev zlib1g-dev)
case $goal in
  build | test) ;;
  check) packages=(clang-format python3) ;;
  bench) packages+=(python3) ;;
  bench-memory) packages+=(libjemalloc-dev libmimalloc-dev libgoogle-perftools-dev python3) ;;
  bench-ops)
    packages+=(libopenblas-dev python3 python3-numpy)
    # oneDNN is packaged for some machines alone.
    if [ "$(dpkg --print-architecture)" = amd64 ]; then packages+=(libdnnl-dev); fi
    ;;
  bench-peers) packages+=(python3 python3-numpy python3-venv) ;;
  lint) packages+=(libgtest-dev libgmock-dev clang-format clang-tidy-19 python3) ;;
  *) echo "usage: tools/setup.sh build|test|check|lint|bench|bench-memory|bench-ops|bench-peers" >&2 && exit 2 ;;
esac
if [ "$goal" = test ]; then
  packages+=(libgtest-dev libgmock-dev googletest clang-19 libclang-rt-19-dev g++-aarch64-linux-gnu qemu-user
    clang-format binutils python3 python3-venv)
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command="apt-get install -y --no-install-recommends ${missing[*]}"
  sudo=
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      sudo="sudo -n"
    else
      echo "setup: these packages are missing; install them and try again:" >&2
      echo "  sudo apt-get update && sudo $command" >&2
      exit 1
    fi
  fi
  echo "setup: installing ${missing[*]}"
  mkdir -p build
  export DEBIAN_FRONTEND=noninteractive
  if ! { $sudo apt-get update && $sudo $command; } >build/setup.log 2>&1; then
    tail -20 build/setup.log >&2
    echo "setup: apt failed; the whole log is in build/setup.log" >&2
    exit 1
  fi
fi
mkdir -p build

if [ "$goal" = test ]; then
  stamp=build/venv/requirements.installed
  if ! cmp -s tests/oracles/requirements.txt "$stamp"; then
    echo "setup: Python packages for the test oracles into build/venv"
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    if "$python" -m venv build/venv >build/venv.log 2>&1 &&
      build/venv/bin/pip install --disable-pip-version-check -q -r tests/oracles/requirements.txt >>build/venv.log 2>&1; then
      cp tests/oracles/requirements.txt "$stamp"
    else
      tail -5 build/venv.log >&2
      echo "setup: without these packages the oracle tests will be skipped" >&2
    fi
  fi

  # Published vocabularies for the tokenizer's oracle: GPT-2's (MIT) and Llama-3's (Meta's licence: for tests alone).
  vocabularies=build/vocabularies
  if [ ! -e $vocabularies/tokenizer.model ] && [ -x build/venv/bin/pip ]; then
    mkdir -p $vocabularies
    pip="build/venv/bin/pip download --disable-pip-version-check -q --no-deps -d $vocabularies"
    if $pip --no-binary :all: openai-whisper==20250625 >build/vocabularies.log 2>&1 &&
      $pip llama-models==0.3.0 >>build/vocabularies.log 2>&1; then
      tar -xzf $vocabularies/openai_whisper-*.tar.gz -C $vocabularies --strip-components=3 --wildcards '*/gpt2.tiktoken'
      build/venv/bin/python3 -c "import sys, zipfile
zipfile.ZipFile(sys.argv[1]).extract('llama_models/llama3/tokenizer.model', sys.argv[2])" \
        $vocabularies/llama_models-*.whl $vocabularies
      mv $vocabularies/llama_models/llama3/tokenizer.model $vocabularies/
    else
      echo "setup: the published vocabularies could not be fetched; their tests will be skipped" >&2
    fi
  fi
fi
