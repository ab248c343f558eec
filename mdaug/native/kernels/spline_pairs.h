// Loops over unordered pairs whose filters are read from B-spline tables, never stored.
//
// A filter is W_ij = sum_m w_m(d_ij) c[k(d_ij) + m], m = 0..3: four rows of a small table `c` that stays in
// cache. A pair (i, j) sends messages both ways; i == j is an atom and its own periodic image.
// Work is shared among threads by blocks of features, so no two threads write the same number.

#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <vector>

#include "spline.h"

namespace mdaug {

using at::Tensor;

// Where a distance falls in the table, with the weights of the value and of the slope.
template <typename T>
struct Knot {
    int64_t row;  // first of four rows; negative: beyond the table, the filter is zero
    std::array<T, 4> value;
    std::array<T, 4> slope;
};

// NaN weights where the distance is NaN, so that nobody takes the result for a number.
template <typename T>
Knot<T> locate(T d, T spacing, int64_t n_rows) {
    const T s = d / spacing;
    const auto row = is_nan(s) ? 0 : static_cast<int64_t>(s);
    if (row > n_rows - 4) return {-1, {}, {}};
    Knot<T> knot{row, {}, {}};
    spline_weights(s - static_cast<T>(row), spacing, knot.value.data(), knot.slope.data());
    return knot;
}

template <typename T>
struct Rows {
    const T *__restrict a, *__restrict b, *__restrict c, *__restrict d;
    Rows(const T* table, int64_t row, int64_t width)
        : a(table + row * width), b(a + width), c(b + width), d(c + width) {}
    T at(const std::array<T, 4>& w, int64_t f) const {
        return w[0] * a[f] + w[1] * b[f] + w[2] * c[f] + w[3] * d[f];
    }
};

// Pairs and distances of a batch, and the loop over them for a block of features.
template <typename T>
struct Pairs {
    const int64_t *i, *j;
    const T* d;
    int64_t n, n_rows;
    T spacing;

    Pairs(const Tensor& idx_i, const Tensor& idx_j, const Tensor& d_ij, const Tensor& table, double spacing)
        : i(idx_i.const_data_ptr<int64_t>()), j(idx_j.const_data_ptr<int64_t>()),
          d(d_ij.const_data_ptr<T>()), n(d_ij.numel()), n_rows(table.size(0)),
          spacing(static_cast<T>(spacing)) {}

    template <typename Body>
    void each(const Body& body) const {
        for (int64_t p = 0; p < n; ++p) {
            const auto knot = locate<T>(d[p], spacing, n_rows);
            if (knot.row >= 0) body(p, i[p], j[p], knot);
        }
    }
};

// Row j of an output; for i == j a scratch row that is added to row i afterwards, as loops write both at once.
template <typename T>
class RowOfJ {
  public:
    RowOfJ(T* output, int64_t i, int64_t j, int64_t width, std::vector<T>& scratch)
        : row_i_(output + i * width), same_(i == j), scratch_(scratch) {
        if (same_) scratch.assign(width, 0);
        data = same_ ? scratch.data() : output + j * width;
    }
    void finish(int64_t begin, int64_t end) const {
        if (same_) for (int64_t f = begin; f < end; ++f) row_i_[f] += scratch_[f];
    }
    T* data;

  private:
    T* row_i_;
    bool same_;
    std::vector<T>& scratch_;
};

inline int64_t features_per_thread(int64_t width) {
    return std::max<int64_t>(32, (width + at::get_num_threads() - 1) / at::get_num_threads());
}

// v += messages of x
template <typename T>
void add_messages(const Pairs<T>& pairs, const T* table, const T* x, T* v, int64_t width) {
    at::parallel_for(0, width, features_per_thread(width), [&](int64_t begin, int64_t end) {
        std::vector<T> scratch;
        pairs.each([&](int64_t, int64_t i, int64_t j, const Knot<T>& knot) {
            const Rows<T> rows(table, knot.row, width);
            const T *xi = x + i * width, *xj = x + j * width;
            const RowOfJ<T> row_j(v, i, j, width, scratch);
            T *__restrict vi = v + i * width, *__restrict vj = row_j.data;
#pragma omp simd
            for (int64_t f = begin; f < end; ++f) {
                const T w = rows.at(knot.value, f);
                vi[f] += w * xj[f];
                vj[f] += w * xi[f];
            }
            row_j.finish(begin, end);
        });
    });
}

template <typename T>
void add_message_backward(const Pairs<T>& pairs, const T* table, const T* x, const T* gv, T* gx, T* gc,
                          int64_t width) {
    at::parallel_for(0, width, features_per_thread(width), [&](int64_t begin, int64_t end) {
        std::vector<T> scratch;
        pairs.each([&](int64_t, int64_t i, int64_t j, const Knot<T>& knot) {
            const Rows<T> rows(table, knot.row, width);
            const T *xi = x + i * width, *xj = x + j * width;
            const T *gvi = gv + i * width, *gvj = gv + j * width;
            const RowOfJ<T> row_j(gx, i, j, width, scratch);
            T *__restrict gxi = gx + i * width, *__restrict gxj = row_j.data;
            T *__restrict c0 = gc + knot.row * width, *__restrict c1 = c0 + width;
            T *__restrict c2 = c1 + width, *__restrict c3 = c2 + width;
#pragma omp simd
            for (int64_t f = begin; f < end; ++f) {
                const T w = rows.at(knot.value, f);
                const T q = gvi[f] * xj[f] + gvj[f] * xi[f];
                gxi[f] += w * gvj[f];
                gxj[f] += w * gvi[f];
                c0[f] += knot.value[0] * q;
                c1[f] += knot.value[1] * q;
                c2[f] += knot.value[2] * q;
                c3[f] += knot.value[3] * q;
            }
            row_j.finish(begin, end);
        });
    });
}

// gx += messages of g; one column of `slopes` (n_blocks, n_pairs) per block of features
template <typename T>
void add_gradient(const Pairs<T>& pairs, const T* table, const T* g, const T* x, T* gx, T* slopes,
                  int64_t width) {
    const int64_t block = features_per_thread(width);
    at::parallel_for(0, width, block, [&](int64_t begin, int64_t end) {
        T* slope = slopes + (begin / block) * pairs.n;
        std::vector<T> scratch;
        pairs.each([&](int64_t p, int64_t i, int64_t j, const Knot<T>& knot) {
            const Rows<T> rows(table, knot.row, width);
            const T *xi = x + i * width, *xj = x + j * width;
            const T *gi = g + i * width, *gj = g + j * width;
            const RowOfJ<T> row_j(gx, i, j, width, scratch);
            T *__restrict gxi = gx + i * width, *__restrict gxj = row_j.data;
            T sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t f = begin; f < end; ++f) {
                const T w = rows.at(knot.value, f);
                gxi[f] += w * gj[f];
                gxj[f] += w * gi[f];
                sum += rows.at(knot.slope, f) * (gi[f] * xj[f] + gj[f] * xi[f]);
            }
            row_j.finish(begin, end);
            slope[p] += sum;
        });
    });
}

template <typename T>
void add_gradient_backward(const Pairs<T>& pairs, const T* table, const T* g, const T* x, const T* gamma,
                           const T* lambda, T* gg, T* gx, T* gc, int64_t width) {
    at::parallel_for(0, width, features_per_thread(width), [&](int64_t begin, int64_t end) {
        std::vector<T> scratch, scratch_x;
        pairs.each([&](int64_t p, int64_t i, int64_t j, const Knot<T>& knot) {
            const Rows<T> rows(table, knot.row, width);
            const int64_t at_i = i * width, at_j = j * width;
            const T *xi = x + at_i, *xj = x + at_j, *gi = g + at_i, *gj = g + at_j;
            const T *yi = gamma + at_i, *yj = gamma + at_j;
            const RowOfJ<T> gg_j(gg, i, j, width, scratch), gx_j(gx, i, j, width, scratch_x);
            T *__restrict ggi = gg + at_i, *__restrict ggj = gg_j.data;
            T *__restrict gxi = gx + at_i, *__restrict gxj = gx_j.data;
            T *__restrict c0 = gc + knot.row * width, *__restrict c1 = c0 + width;
            T *__restrict c2 = c1 + width, *__restrict c3 = c2 + width;
            const T l = lambda[p];
            const std::array<T, 4> ls{l * knot.slope[0], l * knot.slope[1], l * knot.slope[2],
                                      l * knot.slope[3]};
#pragma omp simd
            for (int64_t f = begin; f < end; ++f) {
                const T w = rows.at(knot.value, f), lw = rows.at(ls, f);
                const T q = yi[f] * gj[f] + yj[f] * gi[f];
                const T r = gi[f] * xj[f] + gj[f] * xi[f];
                ggi[f] += w * yj[f] + lw * xj[f];
                ggj[f] += w * yi[f] + lw * xi[f];
                gxi[f] += lw * gj[f];
                gxj[f] += lw * gi[f];
                c0[f] += knot.value[0] * q + ls[0] * r;
                c1[f] += knot.value[1] * q + ls[1] * r;
                c2[f] += knot.value[2] * q + ls[2] * r;
                c3[f] += knot.value[3] * q + ls[3] * r;
            }
            gg_j.finish(begin, end);
            gx_j.finish(begin, end);
        });
    });
}

template <typename T>
const T* in(const Tensor& tensor) {
    return tensor.const_data_ptr<T>();
}

template <typename T>
T* out(const Tensor& tensor) {
    return tensor.mutable_data_ptr<T>();
}

}  // namespace mdaug

// Runs `body` with T the C++ type of `tensor`.
#define MDAUG_BY_DTYPE(tensor, ...)                                                                    \
    if ((tensor).scalar_type() == at::kFloat) {                                                        \
        using T = float;                                                                               \
        __VA_ARGS__                                                                                    \
    } else {                                                                                           \
        TORCH_CHECK((tensor).scalar_type() == at::kDouble, "mdaug kernels take float32 and float64");  \
        using T = double;                                                                              \
        __VA_ARGS__                                                                                    \
    }
