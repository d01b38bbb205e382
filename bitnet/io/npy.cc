// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/npy.h"

#include "bitnet/io/whole_rows.h"

namespace bitnet {

NpyFile::NpyFile(Source source) : source_(std::move(source)) {
  const std::span<const std::byte> bytes = source_.bytes();
  header_ = parse_npy_header(bytes, bytes.size(), source_);
  source_.check_intact();
}

Tensor NpyFile::read(HybridMemoryPool& pool) const {
  Tensor tensor = npy_tensor(header_, bytes(), pool);
  source_.check_intact();
  return tensor;
}

void write_npy(const std::string& path, const TensorView& view) {
  const std::string head = make_npy_header(view.dtype(), view.shape());
  const WholeRows rows(view);
  os::AtomicFile file(path);
  file.write(head);
  storage::write_pieces(file, rows.bytes());
  file.commit();
}

}  // namespace bitnet
