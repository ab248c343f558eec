// SPDX-License-Identifier: MIT
// Vectors of the processor's own width, and aligned arrays that only grow.

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

// All rows are this wide: the width rounded up to whole vectors, the rest zero.
template <typename T>
constexpr int64_t padded(int64_t width) {
    return (width + LANES<T> - 1) / LANES<T> * LANES<T>;
}

template <typename T>
inline Vec<T> load(const T* p) {
    return *reinterpret_cast<const Vec<T>*>(p);
}

template <typename T>
inline void store(T* p, Vec<T> v) {
    *reinterpret_cast<Vec<T>*>(p) = v;
}

template <typename T>
inline T sum_of_lanes(Vec<T> v) {
    T parts[LANES<T>], sum = 0;
    std::memcpy(parts, &v, sizeof(v));
    for (int half = LANES<T> / 2; half > 0; half /= 2)
        for (int l = 0; l < half; ++l) parts[l] += parts[l + half];
    sum = parts[0];
    return sum;
}

template <typename T>
class Buffer {
  public:
    // Room for n numbers; what was in it is lost when it grows. New memory is zero.
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
