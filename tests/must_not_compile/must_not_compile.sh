#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# usage: must_not_compile.sh COMPILER INCLUDE_FOLDER FILE
set -euo pipefail
"$1" -std=c++20 -fsyntax-only -I "$2" "$3"
if "$1" -std=c++20 -fsyntax-only -I "$2" -DBITNET_BAD_LINE "$3" 2>/dev/null; then
  echo "$3: the bad line compiles" && exit 1
fi
