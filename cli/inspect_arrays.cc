// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/inspect_arrays.h"

#include <exception>
#include <functional>
#include <optional>
#include <vector>

#include "bitnet/io/npy.h"
#include "bitnet/io/npz.h"
#include "bitnet/io/tensor_file.h"
#include "cli/format.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

struct Row {
  std::string name, type;
  Shape shape;
  std::uint64_t bytes;
  std::string layout, scales, trouble;  // empty where there is nothing to say
};

struct Listing {
  std::string format;
  std::vector<Row> rows;
  std::function<void()> verify;
};

Listing list_npy(const std::string& path) {
  const auto file = std::make_shared<NpyFile>(path);
  const NpyHeader& header = file->header();
  return {"NumPy array",
          {{"", std::string(info(header.dtype).name), header.shape, header.data_bytes,
            std::string(header.fortran_order ? "Fortran order" : "") +
                (header.big_endian ? " big-endian" : ""),
            "", ""}},
          [file] { file->source().check_intact(); }};
}

Listing list_npz(const std::string& path) {
  const auto file = std::make_shared<NpzFile>(path);
  Listing listing{"NumPy archive", {}, [file] {
                    for (const ZipMember& array : file->arrays()) file->read(array);
                  }};
  for (const ZipMember& array : file->arrays()) {
    Row row{array.name, "", {}, array.bytes, array.method == kZipStored ? "" : "packed", "", ""};
    try {
      const NpyHeader header = file->header(array);
      row.type = info(header.dtype).name;
      row.shape = header.shape;
      row.bytes = header.data_bytes;
    } catch (const FileError& error) {
      row.trouble = error.fault().kind;  // the others may still be of use
    }
    listing.rows.push_back(std::move(row));
  }
  return listing;
}

Listing list_tensor_file(const std::string& path) {
  const auto file = std::make_shared<TensorFile>(path);
  Listing listing{"tensor file", {}, [file] { file->verify(); }};
  for (const TensorFileEntry& entry : file->entries()) {
    Row row{entry.name, std::string(info(entry.dtype).name), entry.matrix, entry.bytes, "", "", ""};
    if (!(entry.layout == Layout())) row.layout = to_string(entry.layout);
    if (entry.granularity)
      row.scales = counted(static_cast<std::int64_t>(entry.scales), "scale") +
                   (entry.zero_points ? " and zero points" : "");
    listing.rows.push_back(std::move(row));
  }
  return listing;
}

void print_table(const std::string& path, const Listing& listing) {
  std::uint64_t bytes = 0;
  Table table({"tensor", "shape", "type", "bytes", "layout", "scales"}, {3});
  for (const Row& row : listing.rows) {
    bytes += row.bytes;
    std::string shape;
    for (const std::int64_t dim : row.shape.dims())
      shape += (shape.empty() ? "" : " x ") + std::to_string(dim);
    table.add({printable(row.name), row.trouble.empty() ? (shape.empty() ? "1" : shape) : "",
               row.trouble.empty() ? row.type : row.trouble,
               with_commas(static_cast<std::int64_t>(row.bytes)), row.layout, row.scales});
  }
  print_text("file        " + path + " (" + listing.format + ", " + bytes_in_words(bytes) + " in " +
             counted(static_cast<std::int64_t>(listing.rows.size()), "tensor") + ")\n\n" +
             table.text());
}

void print_json(const std::string& path, const Listing& listing, const std::string& error) {
  JsonWriter json;
  json.begin_object().member("path", path).member("format", listing.format);
  json.key("tensors").begin_array();
  for (const Row& row : listing.rows) {
    json.begin_object().member("name", row.name).member("type", row.type);
    json.key("shape").begin_array();
    for (const std::int64_t dim : row.shape.dims()) json.value(dim);
    json.end_array().member("bytes", row.bytes).member("layout", row.layout);
    json.member("scales", row.scales).member("error", row.trouble).end_object();
  }
  json.end_array().key("error");
  error.empty() ? json.null() : json.value(error);
  print_text(json.end_object().text());
}

}  // namespace

bool is_array_file(const std::string& path) {
  return path.ends_with(".npy") || path.ends_with(".npz") || path.ends_with(".bnt");
}

void inspect_arrays(const std::string& path, bool quick, bool json) {
  const Listing listing = path.ends_with(".npy")   ? list_npy(path)
                          : path.ends_with(".npz") ? list_npz(path)
                                                   : list_tensor_file(path);
  std::exception_ptr error;
  std::string message;
  try {
    if (!quick) listing.verify();
  } catch (const Error& e) {
    error = std::current_exception();
    message = e.what();
  }
  json ? print_json(path, listing, message) : print_table(path, listing);
  flush_text();
  if (error) std::rethrow_exception(error);
}

}  // namespace bitnet::cli
