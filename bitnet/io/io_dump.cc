// SPDX-License-Identifier: MIT OR Apache-2.0
// io_dump: the files of this folder as text, for comparison with other packages (tests/oracles).
//
//   io_dump gguf FILE, io_dump safetensors FILE:
//     one JSON object: keys, tensors; numbers as hex bits, data as FNV-1a
//   io_dump gguf-copy IN OUT: writes IN again with GgufWriter
//   io_dump safetensors-copy IN OUT: likewise, header made anew
//   io_dump gguf-f32 IN OUT: tensors dequantized to F32 by this library
//   io_dump gguf-quantize IN OUT: F32 tensors to F16, BF16, Q8_0, Q4_0, Q6_K
//   io_dump npy-copy IN OUT, io_dump npz-copy IN OUT: arrays read and written again
//   io_dump npz-bnt IN OUT, io_dump bnt-npz IN OUT: from one to the other, checksums verified
//   io_dump bnt-copy IN OUT: tensors as they are mapped, written again
#include <bit>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "bitnet/base/error.h"
#include "bitnet/io/ggml_blocks.h"
#include "bitnet/io/gguf_writer.h"
#include "bitnet/io/json.h"
#include "bitnet/io/npy.h"
#include "bitnet/io/npz.h"
#include "bitnet/io/safetensors_writer.h"
#include "bitnet/io/tensor_file.h"
#include "bitnet/ternary/block128.h"

namespace bitnet {
namespace {

std::string fnv1a(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::byte byte : bytes)
    hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3u;
  return "\"" + std::to_string(hash) + "\"";
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const std::int64_t length : shape)
    text += (text.size() > 1 ? "," : "") + std::to_string(length);
  return text + "]";
}

std::string value_text(const GgufValue& value) {
  if (const auto* text = std::get_if<std::string_view>(&value.data)) return json_quote(*text);
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag ? "true" : "false";
  if (const auto* real = std::get_if<double>(&value.data))
    return "\"f" + std::to_string(std::bit_cast<std::uint64_t>(*real)) + "\"";
  if (const auto* number = std::get_if<std::uint64_t>(&value.data)) return std::to_string(*number);
  if (const auto* number = std::get_if<std::int64_t>(&value.data)) return std::to_string(*number);
  const auto& array = std::get<GgufArray>(value.data);
  std::string text = "[";
  for (const std::string_view element : array.strings)
    text += (text.size() > 1 ? "," : "") + json_quote(element);
  if (array.element_type != GgufValueType::string) text += fnv1a(array.data);
  return text + "]";
}

void dump_gguf(const std::string& path) {
  const GgufFile file(path);
  std::string text = "{\"keys\":{";
  for (const GgufKeyValue& entry : file.key_values())
    text += json_quote(entry.key) + ":[\"" + std::string(name(entry.value.type)) + "\"," +
            value_text(entry.value) + "],";
  if (text.back() == ',') text.pop_back();
  text += "},\"tensors\":{";
  for (const GgufTensor& tensor : file.tensors())
    text += json_quote(tensor.name) + ":[\"" + std::string(tensor.type->name) + "\"," +
            shape_text(std::span(tensor.dims.data(), tensor.num_dims)) + "," +
            fnv1a(file.bytes(tensor)) + "],";
  if (text.back() == ',') text.pop_back();
  std::puts((text + "}}").c_str());
}

void dump_safetensors(const std::string& path) {
  const SafetensorsFile file(path);
  std::string text = "{";
  for (const SafetensorsTensor& tensor : file.tensors())
    text += json_quote(tensor.name) + ":[\"" + tensor.dtype_name + "\"," +
            shape_text(tensor.shape) + "," + fnv1a(file.bytes(tensor)) + "],";
  if (text.back() == ',') text.pop_back();
  std::puts((text + "}").c_str());
}

void copy_gguf(const std::string& from, const std::string& to) {
  const GgufFile file(from);
  GgufWriter writer;
  for (const GgufKeyValue& entry : file.key_values()) writer.add_copy(entry);
  for (const GgufTensor& tensor : file.tensors())
    writer.add_tensor(tensor.name, tensor.type->type,
                      std::span(tensor.dims.data(), tensor.num_dims),
                      bytes_in_memory(file.bytes(tensor)));
  writer.write(to);
}

void copy_safetensors(const std::string& from, const std::string& to) {
  const SafetensorsFile file(from);
  std::vector<SafetensorsItem> items;
  for (const SafetensorsTensor& tensor : file.tensors())
    items.push_back(
        {tensor.name, tensor.dtype.value(), tensor.shape, bytes_in_memory(file.bytes(tensor))});
  write_safetensors(to, items, file.metadata());
}

std::vector<float> to_f32(const GgufFile& file, const GgufTensor& tensor) {
  const std::int64_t rows = tensor.rows(), columns = tensor.columns();
  std::vector<float> out(static_cast<std::size_t>(rows * columns));
  const std::span<const std::byte> bytes = file.bytes(tensor);
  if (tensor.type->dtype) {
    const auto stride = row_bytes(*tensor.type->dtype, columns).value();
    for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r)
      dequantize_row(*tensor.type->dtype, bytes.subspan(r * stride, stride),
                     std::span(out).subspan(r * static_cast<std::size_t>(columns),
                                            static_cast<std::size_t>(columns)));
    return out;
  }
  const PackedMatrix matrix{tensor.type->packed.value(),
                            reinterpret_cast<const std::uint8_t*>(bytes.data()), rows, columns};
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(rows * block128::row_bytes(columns)));
  std::vector<float> scales(static_cast<std::size_t>(rows * columns / 256));
  if (to_block128(matrix, 0, num_units(matrix), codes.data(), scales.data()))
    fail(Errc::corrupt_file, "tensor " + std::string(tensor.name) + " is not ternary");
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      const std::uint8_t* row = codes.data() + r * block128::row_bytes(columns);
      const float scale = scales[static_cast<std::size_t>((r * columns + c) / 256)];
      out[static_cast<std::size_t>(r * columns + c)] =
          (static_cast<float>(block128::code_at(row, c)) - 1.0f) * scale;
    }
  return out;
}

void dequantize_gguf(const std::string& from, const std::string& to) {
  const GgufFile file(from);
  GgufWriter writer;
  for (const GgufTensor& tensor : file.tensors())
    writer.add_tensor(tensor.name, GgmlType::f32, std::span(tensor.dims.data(), tensor.num_dims),
                      [&](const ByteSink& sink) {
                        const std::vector<float> values = to_f32(file, tensor);
                        sink(std::as_bytes(std::span(values)));
                      });
  writer.write(to);
}

/// A F32 file to one of every quantized type that it can hold, named "<tensor>.<type>".
void quantize_gguf(const std::string& from, const std::string& to) {
  const GgufFile file(from);
  GgufWriter writer;
  for (const GgufTensor& tensor : file.tensors())
    for (const GgmlType type :
         {GgmlType::f16, GgmlType::bf16, GgmlType::q8_0, GgmlType::q4_0, GgmlType::q6_k})
      writer.add_tensor(
          std::string(tensor.name) + "." + std::string(info(type).name), type,
          std::span(tensor.dims.data(), tensor.num_dims),
          [&file, &tensor, type](const ByteSink& sink) {
            const std::vector<float> values = to_f32(file, tensor);
            const auto columns = static_cast<std::size_t>(tensor.columns());
            std::vector<std::byte> row(row_bytes(*info(type).dtype, tensor.columns()).value());
            for (std::size_t at = 0; at < values.size(); at += columns) {
              quantize_row(*info(type).dtype, std::span(values).subspan(at, columns), row);
              sink(row);
            }
          });
  writer.write(to);
}

void write_arrays(const std::string& to, const std::vector<Tensor>& tensors) {
  std::vector<NpzItem> items;
  for (const Tensor& tensor : tensors) items.push_back({tensor.name(), tensor});
  write_npz(to, items);
}

std::vector<Tensor> read_arrays(const std::string& from) {
  const NpzFile file(from);
  std::vector<Tensor> tensors;
  for (const ZipMember& array : file.arrays()) tensors.push_back(file.read(array));
  return tensors;
}

std::vector<Tensor> read_tensors(const std::string& from) {
  const TensorFile file(from);
  file.verify();
  std::vector<Tensor> tensors;
  for (const TensorFileEntry& entry : file.entries()) tensors.push_back(file.read(entry));
  return tensors;
}

std::vector<Tensor> map_tensors(const std::string& from) {
  const TensorFile file(from);
  std::vector<Tensor> tensors;
  for (const TensorFileEntry& entry : file.entries()) tensors.push_back(file.map(entry));
  return tensors;
}

int run(const std::vector<std::string>& args) {
  const bool one = args.size() == 2, two = args.size() == 3;
  if (one && args[0] == "gguf")
    dump_gguf(args[1]);
  else if (one && args[0] == "safetensors")
    dump_safetensors(args[1]);
  else if (two && args[0] == "gguf-copy")
    copy_gguf(args[1], args[2]);
  else if (two && args[0] == "safetensors-copy")
    copy_safetensors(args[1], args[2]);
  else if (two && args[0] == "gguf-f32")
    dequantize_gguf(args[1], args[2]);
  else if (two && args[0] == "gguf-quantize")
    quantize_gguf(args[1], args[2]);
  else if (two && args[0] == "npy-copy")
    write_npy(args[2], NpyFile(args[1]).read());
  else if (two && args[0] == "npz-copy")
    write_arrays(args[2], read_arrays(args[1]));
  else if (two && args[0] == "npz-bnt")
    write_tensor_file(args[2], read_arrays(args[1]));
  else if (two && args[0] == "bnt-npz")
    write_arrays(args[2], read_tensors(args[1]));
  else if (two && args[0] == "bnt-copy")
    write_tensor_file(args[2], map_tensors(args[1]));
  else
    return 2;
  return 0;
}

}  // namespace
}  // namespace bitnet

int main(int argc, char** argv) {
  try {
    return bitnet::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
