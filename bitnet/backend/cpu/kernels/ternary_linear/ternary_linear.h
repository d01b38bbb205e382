// SPDX-License-Identifier: MIT OR Apache-2.0
// The ternary linear layer on one thread: which kernels there are. The formula is in ops/args.h.
#pragma once

#include <span>

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

/// Computes all rows and tokens of its arguments on the calling thread. All kernels give the same
/// bits. They read weights only inside [rows][row_bytes] and of each activation row only the first
/// round_up(blocks, 2) * 128 bytes.
using TernaryLinearFn = void(const TernaryLinearArgs&) noexcept;

/// Kernels of this architecture, best first; the last is the reference.
std::span<const Kernel<TernaryLinearFn>> ternary_linear_kernels() noexcept;

namespace reference {
TernaryLinearFn ternary_linear;
}
namespace avx2 {
TernaryLinearFn ternary_linear;
}
namespace avxvnni {
TernaryLinearFn ternary_linear;
}
namespace avx512vnni {
TernaryLinearFn ternary_linear;
}
namespace neon_dotprod {
TernaryLinearFn ternary_linear;
}
namespace neon_i8mm {
TernaryLinearFn ternary_linear;
}

}  // namespace bitnet::cpu
