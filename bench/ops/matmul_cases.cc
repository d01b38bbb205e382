// SPDX-License-Identifier: MIT OR Apache-2.0
// Matrix products of floats against OpenBLAS and oneDNN, of int8 against the dot instruction's
// peak.
#include "bench/ops/harness.h"
#include "bitnet/ops/matmul.h"

#ifdef BITNET_BENCH_OPENBLAS
#include <cblas.h>
#endif
#ifdef BITNET_BENCH_ONEDNN
#include <dnnl.h>
#endif

namespace bench {
namespace {

using bitnet::DType;
using bitnet::Tensor;

struct Size {
  std::int64_t m, n, k;
};

std::string name_of(const char* what, const Size& s) {
  return std::string(what) + " " + std::to_string(s.m) + " x " + std::to_string(s.k) + " x " +
         std::to_string(s.n);
}

void float_case(Harness& h, const Size& s, bool transposed) {
  const std::string name = name_of("f32 matmul", s) + (transposed ? ", transposed weights" : "");
  if (!h.wants(name)) return;
  const Tensor a = random_tensor(DType::f32, {s.m, s.k}, 1);
  const Tensor b = transposed ? random_tensor(DType::f32, {s.n, s.k}, 2)
                              : random_tensor(DType::f32, {s.k, s.n}, 2);
  Tensor out = Tensor::allocate(DType::f32, {s.m, s.n}), other = out.clone();
  const auto c = h.runtime.context();
  const bitnet::TensorView right = transposed ? b.view().transpose(0, 1) : b.view();
  std::map<std::string, Work> rivals;
#ifdef BITNET_BENCH_OPENBLAS
  openblas_set_num_threads(h.threads());
  rivals["OpenBLAS"] = [&] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, int(s.m),
                int(s.n), int(s.k), 1.0f, a.as<float>(), int(s.k), b.as<float>(),
                int(transposed ? s.k : s.n), 0.0f, other.as_mutable<float>(), int(s.n));
  };
#endif
#ifdef BITNET_BENCH_ONEDNN
  // As many threads as OMP_NUM_THREADS says.
  rivals["oneDNN"] = [&] {
    dnnl_sgemm('N', transposed ? 'T' : 'N', s.m, s.n, s.k, 1.0f, a.as<float>(), s.k, b.as<float>(),
               transposed ? s.k : s.n, 0.0f, other.as_mutable<float>(), s.n);
  };
#endif
  const double flops = 2.0 * double(s.m) * double(s.n) * double(s.k);
  const double bytes = 4.0 * double(s.n) * double(s.k);
  h.run(
      name, [&] { bitnet::ops::matmul(c, a, right, out.mutable_view()); }, rivals,
      {"OpenBLAS", 1.0},
      std::max(flops / h.float_rate(), s.m == 1 ? bytes / h.read_bandwidth() : 0));
}

void int8_case(Harness& h, const Size& s) {
  const std::string name = name_of("int8 matmul", s);
  if (!h.wants(name)) return;
  const Tensor a = random_tensor(DType::i8, {s.m, s.k}, 1),
               b = random_tensor(DType::i8, {s.n, s.k}, 2);
  Tensor out = Tensor::allocate(DType::i32, {s.m, s.n});
  const auto c = h.runtime.context();
  h.run(
      name, [&] { bitnet::ops::matmul(c, a, b.view().transpose(0, 1), out.mutable_view()); }, {},
      {"limit", 0.6}, 2.0 * double(s.m) * double(s.n) * double(s.k) / h.int8_rate());
}

}  // namespace

void matmul_cases(Harness& h) {
  const std::int64_t small = h.quick() ? 64 : 1;
  for (const std::int64_t n : {512, 1024, 2048})
    float_case(h, {n / small, n / small, n / small}, false);
  for (const std::int64_t m : {1, 16, 128})
    for (const bool transposed : {false, true})
      float_case(h, {m, 6912 / small, 2560 / small}, transposed);
  for (const std::int64_t m : {128, 512}) {
    int8_case(h, {m, 6912 / small, 2560 / small});
    int8_case(h, {m, 2560 / small, 6912 / small});
  }
}

}  // namespace bench
