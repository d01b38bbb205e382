// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bench/ops/harness.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include "bitnet/backend/cpu/measured_limits.h"
#include "bitnet/base/isa.h"

namespace bench {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// CPUs that this process may use.
std::vector<std::size_t> usable_cpus() {
  cpu_set_t set;
  std::vector<std::size_t> cpus;
  if (sched_getaffinity(getpid(), sizeof set, &set) == 0)
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

void run_on(pid_t thread, std::size_t cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(thread, sizeof set, &set);  // refused: as before
}

}  // namespace

// The main thread on the first CPU, all others in turn on the rest: the workers of a library come
// one behind the other, and of several libraries one works at a time.
void Harness::place_threads() {
  static const std::vector<std::size_t> cpus = usable_cpus();
  if (threads_ < 2 || cpus.size() < static_cast<std::size_t>(threads_)) return;
  int others = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    const pid_t thread = std::atoi(entry.path().filename().c_str());
    if (thread != getpid())
      run_on(thread, cpus[static_cast<std::size_t>(1 + others++ % (threads_ - 1))]);
  }
  run_on(getpid(), cpus[0]);
}

double Harness::seconds_of(const Work& work) const {
  const double least = options_.quick ? 0.0 : 0.01;
  // A rival's workers may spin for some 26 ms after their work (OpenBLAS's do), on a CPU of ours.
  if (threads_ > 1 && !options_.quick) {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    work();  // wakes our own
  }
  int times = 0;
  const double start = now();
  double took = 0;
  do {
    work();
    ++times;
    took = now() - start;
  } while (took < least);
  return took / times;
}

void Harness::run(const std::string& name, const Work& ours,
                  const std::map<std::string, Work>& others, const Goal& goal,
                  double limit_seconds) {
  if (!wants(name)) return;
  std::map<std::string, std::vector<double>> samples;
  ours();  // memory and caches as in use, and workers there
  for (const auto& [rival, work] : others) work();
  place_threads();
  const int rounds = options_.quick ? 1 : options_.rounds;
  for (int round = 0; round < rounds; ++round) {
    samples["ours"].push_back(seconds_of(ours));
    for (const auto& [rival, work] : others) samples[rival].push_back(seconds_of(work));
  }
  if (limit_seconds > 0) samples["limit"] = {limit_seconds};
  std::printf("{\"case\": \"%s\", \"threads\": %d, \"ms\": {", name.c_str(), threads_);
  const char* comma = "";
  for (const auto& [who, values] : samples) {
    std::printf("%s\"%s\": %.6g", comma, who.c_str(), median(values) * 1e3);
    comma = ", ";
  }
  std::printf("}, \"goal\": {\"to\": \"%s\", \"value\": %g}}\n", goal.to.c_str(), goal.value);
  std::fflush(stdout);
}

void Harness::measure_limits() {
  if (read_ > 0) return;
  place_threads();
  const bitnet::profile::Roof roof = bitnet::cpu::measure_roof(runtime.threads());
  read_ = roof.read_bytes_per_second;
  float_ = roof.float_ops_per_second;
  int8_ = roof.int8_ops_per_second;
}

double Harness::read_bandwidth() {
  measure_limits();
  return read_;
}
double Harness::float_rate() {
  measure_limits();
  return float_;
}
double Harness::int8_rate() {
  measure_limits();
  return int8_;
}

bitnet::Tensor random_tensor(bitnet::DType dtype, const bitnet::Shape& shape, unsigned seed) {
  bitnet::Tensor t = bitnet::Tensor::allocate(dtype, shape);
  std::mt19937 rng(seed);
  std::uniform_real_distribution<float> real(-1.0f, 1.0f);
  if (dtype == bitnet::DType::f32) {
    for (std::int64_t i = 0; i < shape.num_elements(); ++i) t.as_mutable<float>()[i] = real(rng);
  } else {
    for (std::size_t i = 0; i < t.size_bytes(); ++i)
      t.mutable_data()[i] = static_cast<std::byte>(rng());
  }
  return t;
}

}  // namespace bench
