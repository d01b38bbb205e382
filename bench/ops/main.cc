// SPDX-License-Identifier: MIT OR Apache-2.0
// bench_ops [--quick] [--threads N] [--rounds N] [CASE PREFIX]: a line of JSON for each case.
#include <cstdlib>
#include <cstring>

#include "bench/ops/harness.h"

int main(int argc, char** argv) {
  bench::Options options;
  int threads = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0)
      options.quick = true;
    else if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
      threads = std::atoi(argv[++i]);
    else if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
      options.rounds = std::atoi(argv[++i]);
    else
      options.only = argv[i];
  }
  bench::Harness harness(options, threads);
  bench::matmul_cases(harness);
  bench::ternary_cases(harness);
  bench::stream_cases(harness);
  bench::row_cases(harness);
  bench::attention_cases(harness);
  bench::view_cases(harness);
  bench::denormal_cases(harness);
}
