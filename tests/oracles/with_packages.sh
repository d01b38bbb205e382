#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# usage: with_packages.sh PYTHON PACKAGE,PACKAGE SCRIPT [ARGUMENTS]   exits with 77 where a package is missing
set -euo pipefail
if ! "$1" -c "import $2" 2>/dev/null; then
  echo "skipped: $1 lacks one of the packages $2 (tools/setup.sh test installs them)"
  exit 77
fi
exec "$1" -B "${@:3}"
