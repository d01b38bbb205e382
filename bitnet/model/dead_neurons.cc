// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/dead_neurons.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>

#include "bitnet/ternary/block128.h"

namespace bitnet {
namespace {

constexpr std::uint8_t kZeroByte = 0x55;  // four weights of 0
constexpr std::int64_t kNone = -1;
constexpr std::int64_t kLanes = 16;      // of the sum of squares (RmsNormArgs)
constexpr std::size_t kWorthOneOf = 32;  // parts of a layer's bytes

const std::uint8_t* row_of(const TernaryMatrix& m, std::int64_t row) {
  return reinterpret_cast<const std::uint8_t*>(m.codes.data()) + row * m.codes.row_stride_bytes();
}

bool is_zero_row(const TernaryMatrix& m, std::int64_t row) {
  const std::uint8_t* at = row_of(m, row);
  return std::all_of(at, at + block128::row_bytes(m.cols()),
                     [](std::uint8_t byte) { return byte == kZeroByte; });
}

std::span<const float> values(const Tensor& t) {
  return t.defined() ? std::span(t.as<float>(), static_cast<std::size_t>(t.rows() * t.cols()))
                     : std::span<const float>();
}

// The largest magnitude; infinity where one is no number.
double largest(std::span<const float> of) {
  double most = 0;
  for (const float v : of)
    most = std::max(most, std::isfinite(v) ? std::abs(double{v}) : double{INFINITY});
  return most;
}

// A bound of what this matrix makes of a norm's output. |x| of the norm is at most
// max |weight| * sqrt(cols), or NaN, which quantizes to 0; sums of 8-bit products times
// max |x| / 127 at most cols * max |x|. A hundredth covers the roundings.
double most_of_product(const TernaryMatrix& m, const Tensor& norm) {
  const auto cols = static_cast<double>(m.cols());
  const double x = std::max(1.01 * largest(values(norm)) * std::sqrt(cols), 1e-5);
  const double scale =
      m.granularity == ScaleGranularity::tensor ? largest({&m.scale, 1}) : largest(m.scales);
  return 1.01 * cols * x * std::max(scale, 1.0);
}

// No gate^2 * up overflows (2B4T: some 10^18), no norm divides by nothing, no weight makes NaN of
// 0.
bool dead_is_zero(const ModelConfig& config, const LayerWeights& layer) {
  constexpr float kLeastEps = 1e-30f;  // 1 / sqrt(eps) times an x whose square underflows is small
  if (!(config.rms_norm_eps >= kLeastEps)) return false;
  if (config.input_norms && !(config.input_norm_eps >= kLeastEps)) return false;
  const auto most = [&](Linear which) {
    const Tensor& own = layer.input_norms[static_cast<std::size_t>(which)];
    return most_of_product(layer.linear(which), own.defined() ? own : layer.ffn_norm);
  };
  const double gate = most(Linear::gate), up = most(Linear::up);
  const Tensor& last = layer.input_norms[static_cast<std::size_t>(Linear::down)];
  return gate * gate * up < 1e37 && std::isfinite(largest(values(layer.ffn_sub_norm))) &&
         std::isfinite(largest(values(last)));
}

bool can_narrow(const ModelConfig& config, const LayerWeights& layer) {
  for (const Linear which : {Linear::gate, Linear::up, Linear::down})
    if (!layer.linear(which).codes.defined()) return false;
  return layer.linear(Linear::down).granularity != ScaleGranularity::group &&
         dead_is_zero(config, layer);
}

// Which neuron each place of the narrow layer has; kNone: a place of zeros. Under a norm a neuron
// keeps its lane, in the order of before, and so the additions of its partial sum.
std::vector<std::int64_t> places(const LayerWeights& layer) {
  const TernaryMatrix &gate = layer.linear(Linear::gate), &up = layer.linear(Linear::up);
  const bool normed = layer.ffn_sub_norm.defined() ||
                      layer.input_norms[static_cast<std::size_t>(Linear::down)].defined();
  std::array<std::int64_t, kLanes> next{};  // of each lane
  for (std::size_t lane = 0; lane < kLanes; ++lane) next[lane] = static_cast<std::int64_t>(lane);
  std::vector<std::int64_t> source;
  std::int64_t packed = 0;
  for (std::int64_t i = 0; i < gate.rows(); ++i) {
    if (is_zero_row(gate, i) || is_zero_row(up, i)) continue;
    std::int64_t& lane = next[static_cast<std::size_t>(i % kLanes)];
    const auto place = static_cast<std::size_t>(normed ? lane : packed++);
    lane += kLanes;
    if (place >= source.size()) source.resize(place / kLanes * kLanes + kLanes, kNone);
    source[place] = i;
  }
  if (source.empty()) source.resize(kLanes, kNone);
  return source;
}

void take_rows(const TernaryMatrix& from, std::span<const std::int64_t> source, std::byte* to) {
  const auto bytes = static_cast<std::size_t>(block128::row_bytes(from.cols()));
  for (const std::int64_t row : source) {
    row == kNone ? void(std::memset(to, kZeroByte, bytes))
                 : void(std::memcpy(to, row_of(from, row), bytes));
    to += bytes;
  }
}

void take_columns(const TernaryMatrix& from, std::span<const std::int64_t> source, std::byte* to,
                  ThreadPool& threads) {
  const auto width = static_cast<std::int64_t>(source.size());
  const auto cols = static_cast<std::size_t>(from.cols());
  std::vector<std::size_t> column(source.size());  // `cols` is one of zeros
  std::transform(source.begin(), source.end(), column.begin(), [&](std::int64_t neuron) {
    return neuron == kNone ? cols : static_cast<std::size_t>(neuron);
  });
  threads.for_slices(from.rows(), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::uint8_t> codes(cols + 1, std::uint8_t{1}), taken(source.size());
    for (std::int64_t r = begin; r < end; ++r) {
      block128::unpack_codes(row_of(from, r), from.cols(), codes.data());
      std::transform(column.begin(), column.end(), taken.begin(),
                     [&](std::size_t c) { return codes[c]; });
      block128::pack_codes(taken.data(), width,
                           reinterpret_cast<std::uint8_t*>(to) + r * block128::row_bytes(width));
    }
  });
}

// `each` values of every neuron; 0 where there is none.
std::vector<float> take(std::span<const float> from, std::span<const std::int64_t> source,
                        std::size_t each) {
  std::vector<float> out(source.size() * each);
  for (std::size_t i = 0; i < source.size(); ++i)
    if (source[i] != kNone)
      std::copy_n(from.begin() + source[i] * static_cast<std::int64_t>(each), each,
                  out.begin() + static_cast<std::int64_t>(i * each));
  return out;
}

void narrow(Tensor& norm, std::span<const std::int64_t> source, HybridMemoryPool& pool) {
  if (!norm.defined()) return;
  const auto taken = take(values(norm), source, 1);
  norm = Tensor::allocate(DType::f32, {static_cast<std::int64_t>(source.size())}, pool);
  std::copy(taken.begin(), taken.end(), norm.as_mutable<float>());
}

std::size_t bytes_of(const Shape& shape) {
  return static_cast<std::size_t>(shape[0] * block128::row_bytes(shape[1]));
}

void narrow(LayerWeights& layer, std::span<const std::int64_t> source, const OpContext& context,
            HybridMemoryPool& pool, const ModelSource& file) {
  const auto width = static_cast<std::int64_t>(source.size());
  const std::int64_t hidden = layer.linear(Linear::down).rows();
  LayerWeights after = layer;  // tensors share their memory
  const Shape wide{width, hidden}, tall{hidden, width};
  // One block for three matrices: rounded to huge pages, blocks of their own would take more.
  const auto memory = std::make_shared<Tensor>(Tensor::allocate(
      DType::i8, {static_cast<std::int64_t>(2 * bytes_of(wide) + bytes_of(tall))}, pool));
  std::byte* at = memory->mutable_data();
  for (const Linear which : {Linear::gate, Linear::up, Linear::down}) {
    const TernaryMatrix& before = layer.linear(which);
    TernaryMatrix& m = after.linear(which);
    const Shape& shape = which == Linear::down ? tall : wide;
    if (which == Linear::down) {
      take_columns(before, source, at, *context.threads);
    } else {
      take_rows(before, source, at);
      if (m.granularity != ScaleGranularity::tensor)
        m.scales = take(before.scales, source,
                        before.scales.size() / static_cast<std::size_t>(before.rows()));
    }
    m.codes = Tensor::borrow(DType::ternary2, shape, at, memory);
    at += bytes_of(shape);
  }
  narrow(after.ffn_sub_norm, source, pool);
  narrow(after.input_norms[static_cast<std::size_t>(Linear::down)], source, pool);
  std::swap(layer, after);
  for (const Linear which : {Linear::gate, Linear::up, Linear::down})
    if (const Tensor& codes = after.linear(which).codes; codes.borrowed())
      file.release({codes.data(), codes.size_bytes()});
}

}  // namespace

DeadNeurons& DeadNeurons::operator+=(const DeadNeurons& other) noexcept {
  neurons += other.neurons;
  dead += other.dead;
  zero_gate_rows += other.zero_gate_rows;
  zero_up_rows += other.zero_up_rows;
  zero_down_columns += other.zero_down_columns;
  return *this;
}

DeadNeurons count_dead_neurons(const LayerWeights& layer) {
  const TernaryMatrix &gate = layer.linear(Linear::gate), &up = layer.linear(Linear::up),
                      &down = layer.linear(Linear::down);
  require(gate.codes.defined() && up.codes.defined() && down.codes.defined(),
          "count_dead_neurons: weights have left the 2-bit form");
  DeadNeurons count{gate.rows()};
  for (std::int64_t i = 0; i < gate.rows(); ++i) {
    const bool no_gate = is_zero_row(gate, i), no_up = is_zero_row(up, i);
    count.zero_gate_rows += no_gate;
    count.zero_up_rows += no_up;
    count.dead += no_gate || no_up;
  }
  // The low bit of a code is clear where the weight is not 0.
  std::vector<std::uint8_t> used(static_cast<std::size_t>(block128::row_bytes(down.cols())));
  for (std::int64_t r = 0; r < down.rows(); ++r)
    for (std::size_t i = 0; i < used.size(); ++i)
      used[i] = static_cast<std::uint8_t>(used[i] | (~row_of(down, r)[i] & kZeroByte));
  for (std::int64_t c = 0; c < down.cols(); ++c)
    count.zero_down_columns += block128::code_at(used.data(), c) == 0;
  return count;
}

void remove_dead_neurons(LoadedModel& model, const OpContext& context, HybridMemoryPool& pool) {
  for (LayerWeights& layer : model.weights->layers) {
    if (!can_narrow(model.config, layer)) continue;
    const std::vector<std::int64_t> source = places(layer);
    const auto width = static_cast<std::int64_t>(source.size());
    const std::int64_t hidden = layer.linear(Linear::down).rows();
    std::size_t all = 0, before = 0;
    for (const TernaryMatrix& m : layer.linears) all += m.size_bytes();
    for (const Linear which : {Linear::gate, Linear::up, Linear::down})
      before += layer.linear(which).size_bytes();
    const std::size_t after = 2 * bytes_of({width, hidden}) + bytes_of({hidden, width});
    if (after < before && (before - after) * kWorthOneOf >= all)
      narrow(layer, source, context, pool, *model.source);
  }
}

std::int64_t removed_neurons(const ModelConfig& config, const Weights& weights) noexcept {
  std::int64_t removed = 0;
  for (const LayerWeights& layer : weights.layers)
    removed += config.intermediate_size - layer.linear(Linear::gate).rows();
  return removed;
}

}  // namespace bitnet
