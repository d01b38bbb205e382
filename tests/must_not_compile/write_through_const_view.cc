// SPDX-License-Identifier: MIT OR Apache-2.0
// A view of const numbers does not become a view of numbers.
#include "bitnet/tensor/matrix_view.h"

void use([[maybe_unused]] bitnet::MatrixView<const float> view) {
#ifdef BITNET_BAD_LINE
  bitnet::MatrixView<float> writable = view;
#endif
}
