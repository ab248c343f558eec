// SPDX-License-Identifier: MIT
// Data of tensors, and code for the number type of a tensor.

#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace mdaug::training {

using at::Tensor;

template <typename T>
const T* in(const Tensor& tensor) {
    return tensor.const_data_ptr<T>();
}

template <typename T>
T* out(const Tensor& tensor) {
    return tensor.mutable_data_ptr<T>();
}

// Returns body.operator()<T>() with T the number type of `tensor`.
template <typename Body>
auto with_dtype_of(const Tensor& tensor, const Body& body) {
    if (tensor.scalar_type() == at::kFloat) return body.template operator()<float>();
    TORCH_CHECK(tensor.scalar_type() == at::kDouble, "mdaug kernels take float32 and float64, not ",
                tensor.scalar_type());
    return body.template operator()<double>();
}

}  // namespace mdaug::training
