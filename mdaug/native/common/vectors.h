// SPDX-License-Identifier: MIT
// SIMD vectors of the processor's own width, and aligned arrays that grow on demand.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace mdaug {

#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64, MAX_TILE_ROWS = 12;  // a tile's accumulators fill the registers
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32, MAX_TILE_ROWS = 5;
#else
constexpr int VECTOR_BYTES = 16, MAX_TILE_ROWS = 5;
#endif

template <typename T>
struct VecOf {
    typedef T type __attribute__((vector_size(VECTOR_BYTES)));
};
template <typename T>
using Vec = typename VecOf<T>::type;

template <typename T>
constexpr int LANES = VECTOR_BYTES / sizeof(T);

// The width rounded up to whole vectors: rows of the core are this wide, filled up with zeros.
template <typename T>
constexpr int64_t padded(int64_t width) {
    return (width + LANES<T> - 1) / LANES<T> * LANES<T>;
}

// V is a vector, or a single number where fewer than a vector are left. Addresses need no alignment.
template <typename V, typename T>
inline V load(const T* p) {
    V v;
    std::memcpy(&v, p, sizeof(V));
    return v;
}

template <typename V, typename T>
inline void store(T* p, V v) {
    std::memcpy(p, &v, sizeof(V));
}

template <typename T, typename V>
inline T sum_of_lanes(V v) {
    constexpr int n_lanes = sizeof(V) / sizeof(T);
    T parts[n_lanes];
    std::memcpy(parts, &v, sizeof(V));
    for (int half = n_lanes / 2; half > 0; half /= 2)
        for (int l = 0; l < half; ++l) parts[l] += parts[l + half];
    return parts[0];
}

template <typename T>
class Buffer {
  public:
    // Allocates n numbers. Growing discards the content; new memory is zero.
    void reserve(int64_t n) {
        if (n <= size_) return;
        const size_t bytes = (n * sizeof(T) + 63) / 64 * 64;
        data_.reset();
        size_ = 0;
        data_.reset(static_cast<T*>(std::aligned_alloc(64, bytes)));
        if (!data_) throw std::bad_alloc();
        std::memset(static_cast<void*>(data_.get()), 0, bytes);
        size_ = n;
    }
    T* get() const { return data_.get(); }
    size_t bytes() const { return size_ * sizeof(T); }

  private:
    struct Free {
        void operator()(T* p) const { std::free(p); }
    };
    std::unique_ptr<T, Free> data_;
    int64_t size_ = 0;
};

}  // namespace mdaug
