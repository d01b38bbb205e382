// SPDX-License-Identifier: MIT OR Apache-2.0
// A tensor's life: made in a pool, shared, looked at, laid out anew, packed, written and read
// again.
//   tensor_lifecycle [FILE.bnt]
#include <bitnet/io/tensor_file.h>
#include <bitnet/ops/pointwise.h>
#include <bitnet/ops/quantizers.h>
#include <bitnet/runtime/runtime.h>
#include <bitnet/tensor/copy.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace {

void show(const char* what, const bitnet::Tensor& t) {
  std::printf("%-22s %s %s, %zu bytes, %ld owners\n", what,
              std::string(info(t.dtype()).name).c_str(), to_string(t.shape()).c_str(),
              t.size_bytes(), t.use_count());
}

void live(const char* path) {
  using namespace bitnet;
  HybridMemoryPool pool;
  Runtime runtime;
  const OpContext context = runtime.context();
  {
    Tensor weights = Tensor::allocate(DType::f32, {64, 320}, pool);
    for (int i = 0; i < 64 * 320; ++i)
      weights.as_mutable<float>()[i] = static_cast<float>(i * 7919 % 2001) / 1000.0f - 1.0f;
    weights.set_name("blocks.0.wq");
    const Tensor same = weights;  // shares the memory
    show("made and shared", weights);

    const TensorView part =
        weights.view().slice(1, {0, 320, 2}).flip(0);  // every second column, backwards
    show("a view, copied", contiguous(part, pool));
    show("in blocks of 16 x 64", relayout(weights, Layout::blocked(16, 64), pool));

    const Tensor packed = ops::quantize(context, Quantizer::absmean_ternary, weights);
    show("ternary, 2 bits", packed);
    show("ternary, 1.6 bits", ops::cast(context, packed, DType::ternary1_6));
    show("int8", ops::quantize(context, Quantizer::absmax_i8, weights));
    show("halves", ops::cast(context, weights, DType::bf16));

    write_tensor_file(path, std::vector<Tensor>{weights});
    std::printf("pool: %zu bytes live\n", static_cast<std::size_t>(pool.metrics().live_bytes));
  }
  std::printf("pool after the last owner: %zu bytes live\n",
              static_cast<std::size_t>(pool.metrics().live_bytes));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    live(argc > 1 ? argv[1] : "tensor_lifecycle.bnt");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "tensor_lifecycle: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
