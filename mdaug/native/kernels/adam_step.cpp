// What follows the gradient in a training step on the CPU, as one operation: the gradient is clipped, Adam or AdamW
// moves the weights, and the averaged weights follow them. One pass for the gradient's length and one for all else,
// instead of some ten over arrays that do not stay in cache.

#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>

#include "spline_pairs.h"

namespace {

using namespace mdaug;

template <typename T>
double length(int64_t n, const T* __restrict x) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < n; ++k) sum += static_cast<double>(x[k]) * x[k];
    return std::sqrt(sum);
}

// Kingma and Ba (arXiv:1412.6980); `shrink` is AdamW's decay (arXiv:1711.05101) times the learning rate.
template <typename T>
void step(int64_t n, T shorter, T rate, T shrink, T beta1, T beta2, T correction, T eps, T share,
          T* __restrict gradient, T* __restrict mean, T* __restrict square, T* __restrict weights,
          T* __restrict averaged) {
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
        const T g = gradient[k] * shorter;
        const T m = mean[k] + (1 - beta1) * (g - mean[k]);
        const T v = beta2 * square[k] + (1 - beta2) * g * g;
        const T w = weights[k] * (1 - shrink) - rate * m / (std::sqrt(v) * correction + eps);
        averaged[k] += share * (w - averaged[k]);
        gradient[k] = g, mean[k] = m, square[k] = v, weights[k] = w;
    }
}

void adam_step(const Tensor& weights, const Tensor& gradient, const Tensor& mean, const Tensor& square,
               const Tensor& averaged, double longest, double learning_rate, double weight_decay, double beta1,
               double beta2, double eps, int64_t n_steps, double share_of_new) {
    const int64_t n = weights.numel();
    const double rate = learning_rate / (1 - std::pow(beta1, n_steps));
    const double correction = 1 / std::sqrt(1 - std::pow(beta2, n_steps));
    MDAUG_BY_DTYPE(weights, {
        T* g = out<T>(gradient);
        const double shorter = longest > 0 ? std::min(1.0, longest / (length(n, g) + 1e-12)) : 1.0;
        step<T>(n, shorter, rate, learning_rate * weight_decay, beta1, beta2, correction, eps, share_of_new, g,
                out<T>(mean), out<T>(square), out<T>(weights), out<T>(averaged));
    })
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mdaug, m) {
    m.def("adam_step(Tensor(a!) weights, Tensor(b!) gradient, Tensor(c!) mean, Tensor(d!) square, "
          "Tensor(e!) averaged, float longest, float learning_rate, float weight_decay, float beta1, float beta2, "
          "float eps, int n_steps, float share_of_new) -> ()",
          adam_step);
}
