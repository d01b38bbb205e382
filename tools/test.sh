#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Every test, in stages; stages and the seconds of each fuzz harness can be chosen:
#   STAGES="release dev tsan aarch64 fuzz" FUZZ_SECONDS=6 tools/test.sh
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
stages=${STAGES:-release dev tsan aarch64 fuzz}
fuzz_seconds=${FUZZ_SECONDS:-6}
summary=() passed=0 failed=0 skipped=0

# What differs by CPU: the tests of kernels. What differs by threads too: of ops, pools and whole models.
kernel_tests=(quantize_test ternary_linear_test ternary_lookup_test norm_test activation_test dense_linear_test rope_test
  sketch_test attention_test flash_attention_test pointwise_test reduce_test rows_test quantizers_test matmul_test
  kv_write_test cpu_self_test dead_neurons_test)
parallel_tests=(base_test memory_test memory_device_test tensor_test ops_test random_model_test generate_test
  model_identity_test)
threaded_memory_tests=(memory_cleanup_test memory_shared_test memory_storage_test memory_tracking_test)

# All that our kernels use, without SVE: QEMU 7.2 faults in glibc's SVE memcpy on pages that were given back.
export QEMU_CPU=${QEMU_CPU:-max,sve=off}

# What is too slow in QEMU (whole models by the plain definition), what is done already (its best ISA is the one that all tests take
# there), and what it cannot show: names of functions in a static
# program, resident memory to the percent, flags of pages.
not_in_qemu='isa_reference|isa_neon_i8mm|StackTrace|MovableBlocks|Predecessor|bench_memory'

# What ThreadSanitizer looks at.
threaded='ThreadPool|HostPool|HybridMemoryPool|Movable|Device|Cleanup|Manager|InactiveStore|MetricsPage|Shared|Rings|Tracker|Sites'
threaded+='|PressureCallbacks|Op\.|OpTest|TensorHandle|Session|Identity'

# build STAGE: configures and builds; prints the log's end where that fails.
build() {
  local log=build/$1.log preset=$1 examples=ON targets=(all)
  echo "== $1: building"
  case $1 in
    dev) examples=OFF ;;                              # built and run in the release stage
    fuzz) preset=dev examples=OFF targets=(fuzz) ;;  # the sanitizers are the same
    tsan) targets=("${parallel_tests[@]}" "${threaded_memory_tests[@]}") ;;
    aarch64) targets=("${kernel_tests[@]}" "${parallel_tests[@]}") ;;
  esac
  # `make build` leaves these off in the folder of the release.
  if ! { cmake --preset "$preset" -DBITNET_BUILD_TESTS=ON -DBITNET_BUILD_EXAMPLES=$examples &&
    cmake --build "build/$preset" -j "$jobs" --target "${targets[@]}"; } >"$log" 2>&1; then
    grep -nE 'error|FAILED|CMake Error' "$log" | head -40
    tail -20 "$log"
    return 1
  fi
}

# Counts in the head of a JUnit file: tests, failures, skipped
count() { head -12 "$1" | sed -n "s/.*[[:space:]]$2=\"\([0-9]*\)\".*/\1/p" | head -1; }

# ctest_stage STAGE [ctest arguments]
ctest_stage() {
  local stage=$1 report=build/$1.junit.xml
  shift
  rm -f "$report"
  echo "== $stage: testing"
  ctest --test-dir "build/$stage" -j "$jobs" --output-on-failure --output-junit "$PWD/$report" --no-tests=error "$@" \
    >"build/$stage.ctest.log" 2>&1
  local code=$?
  grep -E '\*\*\*(Failed|Timeout|Not Run|Exception)|Subprocess' "build/$stage.ctest.log"
  [ $code = 0 ] || tail -60 "build/$stage.ctest.log"
  sed -n '/The following tests did not run/,$p' "build/$stage.ctest.log"
  grep -E 'tests passed' "build/$stage.ctest.log"
  if [ -f "$report" ]; then
    local bad skip
    bad=$(count "$report" failures) skip=$(count "$report" skipped)
    add "$stage" $(($(count "$report" tests) - bad - skip)) "$bad" "$skip"
  else
    echo "ctest ended without a report"
    add "$stage" 0 1 0
  fi
  return $code
}

# add STAGE PASSED FAILED SKIPPED
add() {
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
  stage_result="$2 passed, $3 failed, $4 skipped"
}

fuzz_stage() {
  local ok=0 bad=0 harness
  echo "== fuzz: each harness $fuzz_seconds s"
  mkdir -p build/fuzz/logs
  printf '%s\n' build/dev/fuzz/* | xargs -P "$jobs" -I{} sh -c '
    name=$(basename {}); mkdir -p build/fuzz/corpus/$name
    if {} -max_total_time='"$fuzz_seconds"' -max_len=65536 -rss_limit_mb=2048 -malloc_limit_mb=256 -timeout=20 \
      -artifact_prefix=build/fuzz/$name. build/fuzz/corpus/$name > build/fuzz/logs/$name.log 2>&1
    then echo ok > build/fuzz/logs/$name.result; else echo failed > build/fuzz/logs/$name.result; fi'
  for harness in build/dev/fuzz/*; do
    local name log
    name=$(basename "$harness") log=build/fuzz/logs/$(basename "$harness").log
    if [ "$(cat "build/fuzz/logs/$name.result")" = ok ]; then
      ok=$((ok + 1))
      echo "   $name: $(grep -oE 'Done [0-9]+ runs' "$log" | tail -1)"
    else
      bad=$((bad + 1))
      echo "   $name: FAILED"
      tail -30 "$log"
    fi
  done
  add fuzz $ok $bad 0
  [ $bad = 0 ]
}

for stage in $stages; do
  begin=$SECONDS stage_result="did not build" code=0
  if build "$stage"; then
    case $stage in
      release) ctest_stage release || code=1 ;;
      # What compares with other programs and looks at the source tree has been done in the release stage; whole
      # models by the plain definition and the tool's numbers beside numpy take a minute here, and say nothing new.
      dev) ctest_stage dev -LE 'slow|tree|python|golden' -E '(model_identity|dead_neurons)_test.isa_reference|cli.numbers' || code=1 ;;
      # Not among the targets of the stage: examples, and what ctest calls _NOT_BUILT.
      tsan) ctest_stage tsan -R "$threaded" -E '_NOT_BUILT|example' || code=1 ;;
      aarch64) ctest_stage aarch64 -LE 'slow|tree|python|golden' -E "_NOT_BUILT|example|$not_in_qemu" || code=1 ;;
      fuzz) fuzz_stage || code=1 ;;
      *) echo "unknown stage $stage" && code=1 ;;
    esac
  else
    code=1 failed=$((failed + 1))
  fi
  [ $code = 0 ] || bad_stages="${bad_stages:-} $stage"
  summary+=("$(printf '%-10s %4d s   %s' "$stage" $((SECONDS - begin)) "$stage_result")")
done

echo
printf '%s\n' "${summary[@]}"
[ -z "${bad_stages:-}" ] || echo "failed stages:$bad_stages"
echo "$passed passed, $failed failed, $skipped skipped"
[ -z "${bad_stages:-}" ]
