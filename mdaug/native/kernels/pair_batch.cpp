// SPDX-License-Identifier: MIT
// Threads share the features, so no two of them write the same number.

#include "pair_batch.h"

#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <vector>

#include "common/pairs.h"
#include "tensors.h"

namespace mdaug::training {

namespace {

// Of v = messages(a): derivatives of ⟨bar_v, v⟩.
template <typename T>
struct MessagesBackward {
    const T *a, *bar_v;
    T *bar_a, *bar_table;

    void run(const Pair<T>* pairs, int64_t n, const Table<T>& table, const Features& features) const {
        const int64_t width = table.width;
        for_each_block<T>(features, [&]<typename V, int N>(int64_t f) {
            constexpr int64_t lanes = sizeof(V) / sizeof(T);
            for (int64_t p = 0; p < n; ++p) {
                const auto& pair = pairs[p];
                const FilterRows<T> rows(table, pair, f);
                const int64_t row_i = pair.i * width + f, row_j = pair.j * width + f, row_c = pair.row * width + f;
                for (int64_t l = 0; l < N * lanes; l += lanes) {
                    const int64_t i = row_i + l, j = row_j + l;
                    const V w = rows.template at<V>(pair.value, l);
                    const V vi = load<V>(bar_v + i), vj = load<V>(bar_v + j);
                    const V bar_w = vi * load<V>(a + j) + vj * load<V>(a + i);
                    store(bar_a + i, load<V>(bar_a + i) + w * vj);
                    store(bar_a + j, load<V>(bar_a + j) + w * vi);
                    for (int64_t m = 0; m < 4; ++m) {
                        T* c = bar_table + row_c + l + m * width;
                        store(c, load<V>(c) + pair.value[m] * bar_w);
                    }
                }
            }
        });
    }
};

// Of ga, slope = gradient(g, a): derivatives of ⟨bar_ga, ga⟩ + ⟨bar_slope, slope⟩.
template <typename T>
struct GradientBackward {
    const T *g, *a, *bar_ga, *bar_slope;
    T *bar_g, *bar_a, *bar_table;

    void run(const Pair<T>* pairs, int64_t n, const Table<T>& table, const Features& features) const {
        const int64_t width = table.width;
        for_each_block<T>(features, [&]<typename V, int N>(int64_t f) {
            constexpr int64_t lanes = sizeof(V) / sizeof(T);
            for (int64_t p = 0; p < n; ++p) {
                const auto& pair = pairs[p];
                const FilterRows<T> rows(table, pair, f);
                const int64_t row_i = pair.i * width + f, row_j = pair.j * width + f, row_c = pair.row * width + f;
                T slope[4];
                for (int m = 0; m < 4; ++m) slope[m] = bar_slope[p] * pair.slope[m];
                for (int64_t l = 0; l < N * lanes; l += lanes) {
                    const int64_t i = row_i + l, j = row_j + l;
                    const V w = rows.template at<V>(pair.value, l), dw = rows.template at<V>(slope, l);
                    const V ai = load<V>(a + i), aj = load<V>(a + j), gi = load<V>(g + i), gj = load<V>(g + j);
                    const V yi = load<V>(bar_ga + i), yj = load<V>(bar_ga + j);
                    store(bar_g + i, load<V>(bar_g + i) + w * yj + dw * aj);
                    store(bar_g + j, load<V>(bar_g + j) + w * yi + dw * ai);
                    store(bar_a + i, load<V>(bar_a + i) + dw * gj);
                    store(bar_a + j, load<V>(bar_a + j) + dw * gi);
                    const V bar_w = yi * gj + yj * gi, bar_dw = gi * aj + gj * ai;
                    for (int64_t m = 0; m < 4; ++m) {
                        T* c = bar_table + row_c + l + m * width;
                        store(c, load<V>(c) + pair.value[m] * bar_w + slope[m] * bar_dw);
                    }
                }
            }
        });
    }
};

template <typename T>
Table<T> table_of(const Tensor& tensor) {
    return {in<T>(tensor), tensor.size(1)};
}

template <typename T>
class PairBatchOf final : public PairBatch {
  public:
    PairBatchOf(const Tensor& idx_i, const Tensor& idx_j, const Tensor& d_ij, double spacing, int64_t n_rows)
        : pairs_(d_ij.numel()), options_(d_ij.options()) {
        const auto *i = in<int64_t>(idx_i), *j = in<int64_t>(idx_j);
        const T* d = in<T>(d_ij);
        for (size_t p = 0; p < pairs_.size(); ++p)
            pairs_[p] = locate<T>(static_cast<int32_t>(i[p]), static_cast<int32_t>(j[p]), d[p], static_cast<T>(spacing),
                                  n_rows);
    }

    Tensor messages(const Tensor& table, const Tensor& a) const override {
        auto v = at::zeros_like(a);
        const auto rows = table_of<T>(table);
        const T* a_data = in<T>(a);
        T* v_data = out<T>(v);
        share(rows.width, [&](const Chunk& chunk, int64_t) {
            add_messages(chunk.pairs, chunk.n, rows, a_data, v_data, chunk.features);
        });
        return v;
    }

    std::pair<Tensor, Tensor> gradient(const Tensor& table, const Tensor& g, const Tensor& a) const override {
        auto ga = at::zeros_like(a);
        const auto rows = table_of<T>(table);
        const int64_t n = pairs_.size();
        auto slopes = at::zeros({n_shares(rows.width), n}, options_);
        const T *g_data = in<T>(g), *a_data = in<T>(a);
        T *ga_data = out<T>(ga), *slope_data = out<T>(slopes);
        share(rows.width, [&](const Chunk& chunk, int64_t part) {
            add_gradient<true>(chunk.pairs, chunk.n, rows, a_data, g_data, ga_data, slope_data + part * n + chunk.first,
                               chunk.features);
        });
        return {ga, slopes.size(0) == 1 ? slopes[0] : slopes.sum(0)};
    }

    void messages_backward(const Tensor& table, const Tensor& a, const Tensor& bar_v, const Tensor& bar_a,
                           const Tensor& bar_table) const override {
        const auto rows = table_of<T>(table);
        const MessagesBackward<T> backward{in<T>(a), in<T>(bar_v), out<T>(bar_a), out<T>(bar_table)};
        share(rows.width,
              [&](const Chunk& chunk, int64_t) { backward.run(chunk.pairs, chunk.n, rows, chunk.features); });
    }

    void gradient_backward(const Tensor& table, const Tensor& g, const Tensor& a, const Tensor& bar_ga,
                           const Tensor& bar_slope, const Tensor& bar_g, const Tensor& bar_a,
                           const Tensor& bar_table) const override {
        const auto rows = table_of<T>(table);
        const GradientBackward<T> all{in<T>(g),      in<T>(a),      in<T>(bar_ga),    in<T>(bar_slope),
                                      out<T>(bar_g), out<T>(bar_a), out<T>(bar_table)};
        share(rows.width, [&](const Chunk& chunk, int64_t) {
            auto backward = all;
            backward.bar_slope += chunk.first;
            backward.run(chunk.pairs, chunk.n, rows, chunk.features);
        });
    }

  private:
    struct Chunk {
        const Pair<T>* pairs;
        int64_t first, n;
        Features features;
    };

    static int64_t features_per_share(int64_t width) {
        return std::max<int64_t>(32, (width + at::get_num_threads() - 1) / at::get_num_threads());
    }
    static int64_t n_shares(int64_t width) {
        return (width + features_per_share(width) - 1) / features_per_share(width);
    }

    // body(chunk of pairs, number of the share of features)
    template <typename Body>
    void share(int64_t width, const Body& body) const {
        const int64_t size = features_per_share(width);
        at::parallel_for(0, n_shares(width), 1, [&](int64_t begin, int64_t end) {
            for (int64_t part = begin; part < end; ++part) {
                const Features features{part * size, std::min(width, (part + 1) * size)};
                for_each_chunk(pairs_.data(), pairs_.size(), [&](int64_t first, const Pair<T>* pairs, int64_t n) {
                    body(Chunk{pairs, first, n, features}, part);
                });
            }
        });
    }

    std::vector<Pair<T>> pairs_;
    at::TensorOptions options_;
};

}  // namespace

std::unique_ptr<PairBatch> make_pair_batch(const Tensor& idx_i, const Tensor& idx_j, const Tensor& d_ij, double spacing,
                                           int64_t n_rows) {
    return with_dtype_of(d_ij, [&]<typename T>() -> std::unique_ptr<PairBatch> {
        return std::make_unique<PairBatchOf<T>>(idx_i, idx_j, d_ij, spacing, n_rows);
    });
}

}  // namespace mdaug::training
