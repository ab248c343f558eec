// SPDX-License-Identifier: MIT
// What an evaluation cannot undercut on this machine, with the instructions that the core is compiled for: `mdaug bench`
// measures it beside the core.

#include "mdaug_core.h"

#include <algorithm>
#include <cstring>

#include "common/vectors.h"

namespace {

using mdaug::load;
using mdaug::Vec;

constexpr int N_SUMS = 12;  // independent of each other: more than a processor has multiply-adds under way

// Keeps the compiler from leaving out or combining what makes v.
template <typename V>
inline void keep(V& v) {
#if defined(__x86_64__)
    __asm__ volatile("" : "+v"(v));
#elif defined(__aarch64__)
    __asm__ volatile("" : "+w"(v));
#endif
}

template <typename T>
double multiply_add(double n_flops) {
    Vec<T> sum[N_SUMS], factor = Vec<T>{} + T(0.999), summand = Vec<T>{} + T(0.001);
    for (auto& s : sum) s = summand;
    const auto n = static_cast<int64_t>(n_flops / (2 * N_SUMS * mdaug::LANES<T>)) + 1;
    for (int64_t k = 0; k < n; ++k) {
        keep(factor);
        for (auto& s : sum) s = s * factor + summand;
    }
    for (int m = 1; m < N_SUMS; ++m) sum[0] += sum[m];
    return mdaug::sum_of_lanes<T>(sum[0]);
}

}  // namespace

double mdaug_multiply_add(const char* dtype, double n_flops) {
    return std::strcmp(dtype, "float64") == 0 ? multiply_add<double>(n_flops) : multiply_add<float>(n_flops);
}

double mdaug_read(const void* data, int64_t n_bytes) {
    constexpr int64_t step = mdaug::VECTOR_BYTES, block = N_SUMS * step;
    const auto* bytes = static_cast<const char*>(data);
    Vec<int64_t> sum[N_SUMS] = {};
    int64_t at = 0;
    for (; at + block <= n_bytes; at += block)
        for (int m = 0; m < N_SUMS; ++m) sum[m] |= load<Vec<int64_t>>(bytes + at + m * step);
    for (; at + step <= n_bytes; at += step) sum[0] |= load<Vec<int64_t>>(bytes + at);
    for (int m = 1; m < N_SUMS; ++m) sum[0] |= sum[m];
    return static_cast<double>(sum[0][0]);
}
