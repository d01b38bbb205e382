// SPDX-License-Identifier: MIT OR Apache-2.0
// Arrays of 64 MiB from and to files that the system has in memory: bytes of the array per second.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>

#include "bitnet/base/hash.h"
#include "bitnet/io/npy.h"
#include "bitnet/io/npz.h"
#include "bitnet/io/tensor_file.h"

namespace bitnet {
namespace {

// [4096][4096] of numbers that do not repeat.
Tensor matrix() {
  Tensor tensor = Tensor::allocate(DType::f32, {4096, 4096});
  std::uint32_t state = 1;
  std::uint32_t* out = tensor.as_mutable<std::uint32_t>();
  for (std::int64_t i = 0; i < tensor.shape().num_elements(); ++i)
    out[i] = state = state * 1664525u + 1013904223u;
  tensor.set_name("w");
  return tensor;
}

std::string path_of(const char* suffix) {
  return (std::filesystem::temp_directory_path() /
          ("bitnet_io_bench_" + std::to_string(::getpid()) + suffix))
      .string();
}

// Runs `once` until the time is over; the file goes.
template <class Once>
void measure(benchmark::State& state, const Tensor& tensor, const std::string& path,
             const Once& once) {
  for (auto _ : state) once();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(tensor.size_bytes()));
  std::filesystem::remove(path);
}

void crc32_of_memory(benchmark::State& state) {
  const Tensor w = matrix();
  measure(state, w, path_of(".none"), [&] {
    benchmark::DoNotOptimize(crc32({w.data(), w.size_bytes()}));
  });
}
BENCHMARK(crc32_of_memory);

void xxh64_of_memory(benchmark::State& state) {
  const Tensor w = matrix();
  measure(state, w, path_of(".none"), [&] {
    benchmark::DoNotOptimize(xxh64({w.data(), w.size_bytes()}));
  });
}
BENCHMARK(xxh64_of_memory);

void tensor_file_write(benchmark::State& state) {
  const std::vector tensors{matrix()};
  const std::string path = path_of(".bnt");
  measure(state, tensors[0], path, [&] { write_tensor_file(path, tensors); });
}
BENCHMARK(tensor_file_write)->Unit(benchmark::kMillisecond)->UseRealTime();

void tensor_file_open_and_map(benchmark::State& state) {
  const std::vector tensors{matrix()};
  const std::string path = path_of(".bnt");
  write_tensor_file(path, tensors);
  measure(state, tensors[0], path, [&] {
    const TensorFile file(path);
    benchmark::DoNotOptimize(file.map(file.entries()[0]).data());
  });
}
BENCHMARK(tensor_file_open_and_map)->Unit(benchmark::kMicrosecond)->UseRealTime();

void tensor_file_read(benchmark::State& state) {
  const auto checksums = static_cast<Checksums>(state.range(0));
  const std::vector tensors{matrix()};
  const std::string path = path_of(".bnt");
  write_tensor_file(path, tensors);
  measure(state, tensors[0], path, [&] {
    const TensorFile file(path);
    benchmark::DoNotOptimize(file.read(file.entries()[0], default_pool(), checksums).data());
  });
}
BENCHMARK(tensor_file_read)
    ->Arg(static_cast<int>(Checksums::verify))
    ->Arg(static_cast<int>(Checksums::trust))
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void npy_read(benchmark::State& state) {
  const Tensor w = matrix();
  const std::string path = path_of(".npy");
  write_npy(path, w);
  measure(state, w, path, [&] { benchmark::DoNotOptimize(NpyFile(path).read().data()); });
}
BENCHMARK(npy_read)->Unit(benchmark::kMillisecond)->UseRealTime();

void npz_read(benchmark::State& state) {
  const Tensor w = matrix();
  const std::string path = path_of(".npz");
  const NpzItem item{"w", w};
  write_npz(path, std::span(&item, 1));
  measure(state, w, path, [&] {
    const NpzFile file(path);
    benchmark::DoNotOptimize(file.read(file.arrays()[0]).data());
  });
}
BENCHMARK(npz_read)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace bitnet
