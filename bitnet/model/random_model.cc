// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/random_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "bitnet/ternary/block128.h"

namespace bitnet {
namespace {

struct NamedShape {
  std::string_view name;
  std::string_view architecture;
  std::int64_t hidden, intermediate, layers, heads, kv_heads, head_dim, vocab, positions;
  double rope_theta;
  bool sub_norms, tied;
};

// Sizes of microsoft/bitnet-b1.58-2B-4T, of the BitNet b1.58 paper's 700M and 3B, of
// HF1BitLLM/Llama3-8B-1.58 and of tiiuae/Falcon3-*-1.58bit.
constexpr std::array kShapes{
    NamedShape{"2b4t", "BitNetForCausalLM", 2560, 6912, 30, 20, 5, 128, 128256, 4096, 5e5, true,
               true},
    NamedShape{"700m", "LlamaForCausalLM", 1536, 4096, 24, 24, 24, 64, 32002, 2048, 1e4, true,
               true},
    NamedShape{"3b", "LlamaForCausalLM", 3200, 8640, 26, 32, 32, 100, 32002, 2048, 1e4, true, true},
    NamedShape{"8b", "LlamaForCausalLM", 4096, 14336, 32, 32, 8, 128, 128256, 8192, 5e5, false,
               false},
    NamedShape{"falcon3-1b", "LlamaForCausalLM", 2048, 8192, 18, 8, 4, 256, 131072, 4096, 1000042,
               false, false},
    NamedShape{"falcon3-3b", "LlamaForCausalLM", 3072, 9216, 22, 12, 4, 256, 131072, 8192, 1000042,
               false, false},
    NamedShape{"falcon3-7b", "LlamaForCausalLM", 3072, 23040, 28, 12, 4, 256, 131072, 8192, 1000042,
               false, false},
    NamedShape{"falcon3-10b", "LlamaForCausalLM", 3072, 23040, 40, 12, 4, 256, 131072, 8192,
               1000042, false, false},
};

class RandomSource final : public ModelSource {
 public:
  void check_intact() const override {}
  void release(std::span<const std::byte>) const noexcept override {}
  bool read(std::span<const std::byte>, std::byte*) const noexcept override { return false; }
};

// SplitMix64 (Steele, Lea, Flood 2014): any number is a good seed.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t stream) : state_(seed ^ stream * 0xd1342543de82ef95u) {
    next();
  }
  std::uint64_t next() noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

// 65,536 bytes of four codes each, every byte as often as its four codes are likely: an index of 16
// random bits draws four weights.
std::vector<std::uint8_t> make_code_table() {
  constexpr double kZero = kRandomZeroFraction, kOther = (1 - kZero) / 2;
  std::vector<std::uint8_t> table;
  double expected = 0;
  for (unsigned byte = 0; byte < 256; ++byte) {
    double p = 65536;
    for (unsigned shift = 0; shift < 8; shift += 2) {
      const unsigned code = (byte >> shift) & 3u;
      p *= code == 1 ? kZero : code == 3 ? 0 : kOther;
    }
    expected += p;
    // "The rest" of the last byte with a share comes by rounding the sum, which ends at 65536.
    table.resize(static_cast<std::size_t>(std::llround(expected)), static_cast<std::uint8_t>(byte));
  }
  return table;
}

void fill_codes(Tensor& codes, std::uint64_t seed, std::uint64_t stream, ThreadPool& threads) {
  static const std::vector<std::uint8_t> kTable = make_code_table();
  const std::int64_t bytes = codes.row_stride_bytes(), cols = codes.cols();
  auto* data = reinterpret_cast<std::uint8_t*>(codes.mutable_data());
  threads.for_slices(codes.rows(), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::uint8_t> plain(static_cast<std::size_t>(cols));
    for (std::int64_t r = begin; r < end; ++r) {
      std::uint8_t* row = data + r * bytes;
      Random random(seed, (stream << 32) + static_cast<std::uint64_t>(r));
      for (std::int64_t i = 0; i < bytes; i += 4) {  // rows are whole blocks of 32 bytes
        const std::uint64_t bits = random.next();
        for (int k = 0; k < 4; ++k) row[i + k] = kTable[(bits >> (16 * k)) & 0xffffu];
      }
      if (cols % block128::kWeights == 0) continue;
      block128::unpack_codes(row, cols, plain.data());
      block128::pack_codes(plain.data(), cols, row);  // code 1 in the padding
    }
  });
}

TernaryMatrix matrix(const Shape& shape, std::uint64_t seed, std::uint64_t stream,
                     ThreadPool& threads, HybridMemoryPool& pool) {
  TernaryMatrix m;
  m.codes = Tensor::allocate(DType::ternary2, shape, pool);
  // Keeps the spread of what goes through the matrix.
  m.scale =
      static_cast<float>(1 / std::sqrt((1 - kRandomZeroFraction) * static_cast<double>(shape[1])));
  fill_codes(m.codes, seed, stream, threads);
  return m;
}

// bf16 of either sign and magnitudes from 2^-7 to 2^-6.
Tensor table(const ModelConfig& config, std::uint64_t seed, std::uint64_t stream,
             ThreadPool& threads, HybridMemoryPool& pool) {
  Tensor t = Tensor::allocate(DType::bf16, {config.vocab_size, config.hidden_size}, pool);
  auto* data = t.as_mutable<std::uint16_t>();
  threads.for_slices(config.vocab_size, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      std::uint16_t* row = data + r * config.hidden_size;
      Random random(seed, (stream << 32) + static_cast<std::uint64_t>(r));
      for (std::int64_t i = 0; i < config.hidden_size; i += 4) {
        const std::uint64_t bits = (random.next() & 0x807f807f807f807fu) | 0x3c003c003c003c00u;
        std::memcpy(
            row + i, &bits,
            static_cast<std::size_t>(std::min<std::int64_t>(4, config.hidden_size - i)) * 2);
      }
    }
  });
  return t;
}

Tensor ones(std::int64_t size, HybridMemoryPool& pool) {
  Tensor t = Tensor::allocate(DType::f32, {size}, pool);
  std::fill_n(t.as_mutable<float>(), size, 1.0f);
  return t;
}

}  // namespace

std::vector<std::string_view> model_shape_names() {
  std::vector<std::string_view> names;
  for (const NamedShape& s : kShapes) names.push_back(s.name);
  return names;
}

std::optional<ModelConfig> model_shape(std::string_view name) {
  for (const NamedShape& s : kShapes) {
    if (s.name != name) continue;
    ModelConfig c;
    c.architecture = s.architecture;
    c.source = "random " + std::string(s.name);
    c.hidden_size = s.hidden;
    c.intermediate_size = s.intermediate;
    c.num_layers = s.layers;
    c.num_heads = s.heads;
    c.num_kv_heads = s.kv_heads;
    c.head_dim = s.head_dim;
    c.vocab_size = s.vocab;
    c.max_positions = s.positions;
    c.rms_norm_eps = 1e-5f;
    c.rope_theta = s.rope_theta;
    c.activation = s.name == "2b4t" ? GatedActivation::relu2 : GatedActivation::silu;
    c.sub_norms = s.sub_norms;
    c.tied_head = s.tied;
    return c;
  }
  return std::nullopt;
}

LoadedModel random_model(const ModelConfig& config, std::uint64_t seed, ThreadPool& threads,
                         HybridMemoryPool& pool,
                         const std::function<void(std::int64_t, std::int64_t)>& layers_made) {
  validate(config);
  auto weights = std::make_shared<Weights>();
  weights->embedding = table(config, seed, 0, threads, pool);
  weights->head = config.tied_head ? weights->embedding : table(config, seed, 1, threads, pool);
  weights->norm = ones(config.hidden_size, pool);
  for (std::int64_t i = 0; i < config.num_layers; ++i) {
    LayerWeights layer;
    layer.attention_norm = ones(config.hidden_size, pool);
    layer.ffn_norm = ones(config.hidden_size, pool);
    if (config.sub_norms) {
      layer.attention_sub_norm = ones(config.q_size(), pool);
      layer.ffn_sub_norm = ones(config.intermediate_size, pool);
    }
    for (const Linear which : kLinears) {
      const auto stream = static_cast<std::uint64_t>(2 + 7 * i) + static_cast<std::uint64_t>(which);
      const Shape shape = shape_of(which, config);
      layer.linear(which) = matrix(shape, seed, stream, threads, pool);
      if (config.input_norms)
        layer.input_norms[static_cast<std::size_t>(which)] = ones(shape[1], pool);
    }
    weights->layers.push_back(std::move(layer));
    if (layers_made) layers_made(i + 1, config.num_layers);
  }
  return {config, std::move(weights), std::make_shared<RandomSource>(), {}};
}

}  // namespace bitnet
