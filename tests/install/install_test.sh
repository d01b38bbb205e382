#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Installs into a fresh prefix; a program outside the tree then finds the package, builds and runs; so does the tool.
# usage: install_test.sh CMAKE BUILD_FOLDER WORK_FOLDER
set -euo pipefail
cmake=$1 build=$2 work=$3 here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$work" && mkdir -p "$work/outside"
"$cmake" --install "$build" --prefix "$work/prefix" >/dev/null
cp "$here/outside.cc" "$work/outside/"
cp "$here/CMakeLists.outside.txt" "$work/outside/CMakeLists.txt"
"$cmake" -S "$work/outside" -B "$work/outside/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
"$cmake" --build "$work/outside/build" >/dev/null
model=$work/prefix/share/bitnet/models/wordbook-35m
text=$("$work/outside/build/outside" "$model")
echo "$text"
[[ $text == *noun* ]] || { echo "the installed model did not define a dog" && exit 1; }
if [ -x "$work/prefix/bin/bitnet" ]; then
  # The tool must find the installed model by itself, from any folder.
  text=$(cd / && "$work/prefix/bin/bitnet" run -p dog -n 8 2>/dev/null)
  [[ $text == *noun* ]] || { echo "the installed tool said: $text" && exit 1; }
fi
