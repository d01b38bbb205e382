// SPDX-License-Identifier: MIT OR Apache-2.0
// Writing of the KV cache: AVX-512.
#include "bitnet/backend/cpu/kernels/kv_write/kv_write_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

void kv_write_avx512(const KvWriteArgs& args) noexcept { kv_write_heads<F32x16>(args); }

}  // namespace bitnet::cpu
