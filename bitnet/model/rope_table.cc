// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/rope_table.h"

#include "bitnet/base/math.h"

namespace bitnet {

RopeTable::RopeTable(double theta, std::int64_t head_dim) {
  const double log_theta = det_log(theta);
  for (std::int64_t i = 0; i < head_dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    const auto power = static_cast<float>(det_exp(static_cast<double>(exponent) * log_theta));
    inverse_frequency_.push_back(1.0f / power);
  }
}

void RopeTable::fill(std::int64_t first_position, MatrixView<float> cos,
                     MatrixView<float> sin) const {
  for (std::int64_t t = 0; t < cos.rows; ++t) {
    const auto position = static_cast<float>(first_position + t);
    for (std::size_t i = 0; i < inverse_frequency_.size(); ++i) {
      double s = 0.0, c = 0.0;
      det_sincos(static_cast<double>(position * inverse_frequency_[i]), &s, &c);
      cos.row(t)[i] = static_cast<float>(c);
      sin.row(t)[i] = static_cast<float>(s);
    }
  }
}

}  // namespace bitnet
