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

// A vector of N numbers, or a number.
template <typename T, int N>
struct VecOfSize {
    typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <typename T>
struct VecOfSize<T, 1> {
    using type = T;
};

// The lower half of a vector plus its upper half.
template <typename T, typename V>
inline auto sum_of_halves(V v) {
    constexpr int n = sizeof(V) / sizeof(T) / 2;
    using Half = typename VecOfSize<T, n>::type;
    if constexpr (n == 1) {
        return v[0] + v[1];
    } else {
        return [&]<int... I>(std::integer_sequence<int, I...>) -> Half {
#if defined(__clang__) || __GNUC__ >= 12
            return __builtin_shufflevector(v, v, I...) + __builtin_shufflevector(v, v, (I + n)...);
#else
            return Half{v[I]...} + Half{v[I + n]...};
#endif
        }(std::make_integer_sequence<int, n>());
    }
}

template <typename T, typename V>
inline T sum_of_lanes(V v) {
    if constexpr (sizeof(V) == sizeof(T))
        return v;
    else
        return sum_of_lanes<T>(sum_of_halves<T>(v));
}

// Lane l: the sum of lanes l and l + STEP of a where bit STEP of l is 0, else of lanes l − STEP and l of b. With steps 1, 2,
// 4 … this adds up the lanes of several vectors, lane l that of vector l.
template <typename T, int STEP>
inline Vec<T> interleaved_sums(Vec<T> a, Vec<T> b) {
    constexpr int L = LANES<T>;
    return [&]<int... I>(std::integer_sequence<int, I...>) -> Vec<T> {
#if defined(__clang__) || __GNUC__ >= 12
        return __builtin_shufflevector(a, b, ((I & STEP) ? L + I - STEP : I)...) +
               __builtin_shufflevector(a, b, ((I & STEP) ? L + I : I + STEP)...);
#else
        return Vec<T>{((I & STEP) ? b[I - STEP & (L - 1)] : a[I])...} +
               Vec<T>{((I & STEP) ? b[I] : a[I + STEP & (L - 1)])...};
#endif
    }(std::make_integer_sequence<int, L>());
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
