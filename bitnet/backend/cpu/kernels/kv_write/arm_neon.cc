// SPDX-License-Identifier: MIT OR Apache-2.0
// Writing of the KV cache: NEON.
#include "bitnet/backend/cpu/kernels/kv_write/kv_write_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

void kv_write_neon(const KvWriteArgs& args) noexcept { kv_write_heads<F32x16>(args); }

}  // namespace bitnet::cpu
