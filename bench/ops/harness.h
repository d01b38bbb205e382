// SPDX-License-Identifier: MIT OR Apache-2.0
// Times ours, rivals and limits in turn, round by round, and prints a line of JSON for each case.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bitnet/runtime/runtime.h"
#include "bitnet/tensor/tensor.h"

namespace bench {

struct Options {
  bool quick = false;
  int rounds = 5;
  std::string only;  // cases whose name begins so
};

/// What a case must reach: rival's or limit's time over ours, or our milliseconds.
struct Goal {
  std::string to;      // "OpenBLAS", "numpy", "limit", "ms"; empty: none
  double value = 0.0;  // at least this ratio, or at most so many milliseconds
};

using Work = std::function<void()>;

class Harness {
 public:
  Harness(const Options& options, int threads)
      : runtime(threads), options_(options), threads_(threads) {}

  bitnet::Runtime runtime;
  int threads() const { return threads_; }
  bool quick() const { return options_.quick; }

  /// Times `ours` and each of `others` (by name) in turn; `limit_seconds`: the least that the
  /// machine allows, where it is known. Medians of the rounds; each round repeats until 10 ms have
  /// passed. With several threads each has a CPU of its own, ours and the others': a virtual
  /// machine at times leaves two on one for seconds.
  void run(const std::string& name, const Work& ours, const std::map<std::string, Work>& others,
           const Goal& goal, double limit_seconds = 0.0);
  bool wants(const std::string& name) const { return name.rfind(options_.only, 0) == 0; }

  /// Bytes a second that all threads read, and float and int8 operations a second: measured once.
  double read_bandwidth();
  double float_rate();
  double int8_rate();

 private:
  void measure_limits();
  void place_threads();
  double seconds_of(const Work& work) const;

  Options options_;
  int threads_;
  double read_ = 0, float_ = 0, int8_ = 0;
};

/// Memory of the pool, filled with numbers in [-1, 1] of a fixed sequence.
bitnet::Tensor random_tensor(bitnet::DType dtype, const bitnet::Shape& shape, unsigned seed);

void matmul_cases(Harness& harness);
void ternary_cases(Harness& harness);
void stream_cases(Harness& harness);
void row_cases(Harness& harness);
void attention_cases(Harness& harness);
void view_cases(Harness& harness);
void denormal_cases(Harness& harness);

}  // namespace bench
