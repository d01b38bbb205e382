// SPDX-License-Identifier: MIT OR Apache-2.0
// The README's block on devices and tensors, between marks that tests/tree/readme_code_test.py
// reads.
#include <bitnet/ops/pointwise.h>
#include <bitnet/runtime/device_capabilities.h>
#include <bitnet/runtime/runtime.h>
#include <bitnet/tensor/tensor.h>

#include <cstdio>

int main() {
  // [tensors]
  const bitnet::Device device = bitnet::auto_select_device();
  const auto caps = bitnet::DeviceCapabilities::for_device(device);
  std::printf("%s reads %.0f GB/s, Metal: %s\n", caps.backend.c_str(), caps.memory_bandwidth_gbps,
              caps.supports_metal ? "yes" : "no");

  bitnet::HybridMemoryPool pool;
  bitnet::Runtime runtime;
  bitnet::Tensor x = bitnet::Tensor::allocate(bitnet::DType::f32, {128, 256}, pool, device);
  for (int i = 0; i < 128 * 256; ++i) x.as_mutable<float>()[i] = 0.001f * static_cast<float>(i);
  const bitnet::TensorView corner = x.view().slice(0, {0, 2}).transpose(0, 1);  // no copy
  const bitnet::Tensor y = bitnet::ops::mul(runtime.context(), corner, corner);
  // [tensors]
  std::printf("shape %s on %s, y[255][1] = %.4f\n", to_string(y.shape()).c_str(),
              to_string(y.device()).c_str(), static_cast<double>(y.view().at<float>({255, 1})));
}
