// SPDX-License-Identifier: MIT
// The optimizer step of training on the CPU as one operation: clip the gradient, update the weights by Adam or AdamW,
// update their exponential moving average. Two passes over the arrays, which do not fit in cache, instead of some ten.

#include <torch/library.h>

#include <algorithm>
#include <cmath>

#include "tensors.h"

namespace {

using namespace mdaug::training;

template <typename T>
double norm(int64_t n, const T* __restrict x) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < n; ++k) sum += static_cast<double>(x[k]) * x[k];
    return std::sqrt(sum);
}

// Kingma and Ba (arXiv:1412.6980); `shrink` is AdamW's weight decay (arXiv:1711.05101) times the learning rate.
template <typename T>
void step(int64_t n, T scale, T rate, T shrink, T beta1, T beta2, T correction, T eps, T ema_share,
          T* __restrict gradient, T* __restrict mean, T* __restrict square, T* __restrict weights, T* __restrict ema) {
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
        const T g = gradient[k] * scale;
        const T m = mean[k] + (1 - beta1) * (g - mean[k]);
        const T v = beta2 * square[k] + (1 - beta2) * g * g;
        const T w = weights[k] * (1 - shrink) - rate * m / (std::sqrt(v) * correction + eps);
        ema[k] += ema_share * (w - ema[k]);
        gradient[k] = g, mean[k] = m, square[k] = v, weights[k] = w;
    }
}

void adam_step(const Tensor& weights, const Tensor& gradient, const Tensor& mean, const Tensor& square,
               const Tensor& ema, double max_norm, double learning_rate, double weight_decay, double beta1,
               double beta2, double eps, int64_t n_steps, double ema_share) {
    const int64_t n = weights.numel();
    const double rate = learning_rate / (1 - std::pow(beta1, n_steps));
    const double correction = 1 / std::sqrt(1 - std::pow(beta2, n_steps));
    with_dtype_of(weights, [&]<typename T>() {
        T* g = out<T>(gradient);
        const double scale = max_norm > 0 ? std::min(1.0, max_norm / (norm(n, g) + 1e-12)) : 1.0;
        step<T>(n, scale, rate, learning_rate * weight_decay, beta1, beta2, correction, eps, ema_share, g, out<T>(mean),
                out<T>(square), out<T>(weights), out<T>(ema));
    });
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mdaug, m) {
    m.def(
        "adam_step(Tensor(a!) weights, Tensor(b!) gradient, Tensor(c!) mean, Tensor(d!) square, "
        "Tensor(e!) ema, float max_norm, float learning_rate, float weight_decay, float beta1, float beta2, "
        "float eps, int n_steps, float ema_share) -> ()",
        adam_step);
}
