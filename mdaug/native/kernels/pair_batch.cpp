// SPDX-License-Identifier: MIT
// Threads share the features, so no two of them write the same number.

#include "pair_batch.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <vector>

#include "common/pairs.h"
#include "common/vector_pairs.h"
#include "tensors.h"
#include "vector_loops.h"

namespace mdaug::training {

namespace {

// Of m = messages(a): derivatives of ⟨bar_m, m⟩.
template <typename T>
struct MessagesBackward {
    const T *a, *bar_m;
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
                    const V vi = load<V>(bar_m + i), vj = load<V>(bar_m + j);
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
    PairBatchOf(const PairData& data, int64_t n_rows, int64_t n_vectors)
        : pairs_(data.d_ij.numel()), data_(data), n_vectors_(n_vectors) {
        const auto *i = in<int64_t>(data.idx_i), *j = in<int64_t>(data.idx_j);
        const T* d = in<T>(data.d_ij);
        for (size_t p = 0; p < pairs_.size(); ++p)
            pairs_[p] = locate<T>(static_cast<int32_t>(i[p]), static_cast<int32_t>(j[p]), d[p],
                                  static_cast<T>(data.spacing), n_rows);
    }

    Messages messages(const Tensor& table, const Tensor& a) const override {
        Messages result{at::zeros_like(a), {}};
        const auto rows = table_of<T>(table);
        const T* a_data = in<T>(a);
        T* m_data = out<T>(result.m);
        share(scalars(rows), [&](const Chunk& chunk, int64_t) {
            add_messages(chunk.pairs, chunk.n, rows, a_data, m_data, chunk.features);
        });
        if (n_vectors_ > 0) {
            result.v = at::zeros({a.size(0), 3, n_vectors_}, a.options());
            const auto sent = sent_vectors(rows, a_data);
            const Rows<T> v{out<T>(result.v), 3 * n_vectors_};
            share({0, n_vectors_}, [&](const Chunk& chunk, int64_t) {
                add_vectors(chunk.pairs, directions() + chunk.first, chunk.n, sent, v, chunk.features);
            });
        }
        return result;
    }

    PairGradients gradient(const Tensor& table, const Tensor& g, const Tensor& gv, const Tensor& a) const override {
        PairGradients result{at::zeros_like(a), {}, {}};
        const auto rows = table_of<T>(table);
        const int64_t n = pairs_.size();
        auto slopes = at::zeros({n_shares(scalars(rows)), n}, data_.d_ij.options());
        const T *g_data = in<T>(g), *a_data = in<T>(a);
        T *ga_data = out<T>(result.ga), *slope_data = out<T>(slopes);
        share(scalars(rows), [&](const Chunk& chunk, int64_t part) {
            add_gradient<true>(chunk.pairs, chunk.n, rows, a_data, g_data, ga_data, slope_data + part * n + chunk.first,
                               chunk.features);
        });
        result.slope = slopes.size(0) == 1 ? slopes[0] : slopes.sum(0);
        if (n_vectors_ > 0) set_vector_gradient(rows, gv, a_data, result);
        return result;
    }

    void messages_backward(const Tensor& table, const Tensor& a, const Messages& bar, const Tensor& bar_a,
                           const Tensor& bar_table) const override {
        const auto rows = table_of<T>(table);
        const MessagesBackward<T> backward{in<T>(a), in<T>(bar.m), out<T>(bar_a), out<T>(bar_table)};
        share(scalars(rows),
              [&](const Chunk& chunk, int64_t) { backward.run(chunk.pairs, chunk.n, rows, chunk.features); });
        if (n_vectors_ == 0) return;
        const VectorMessagesBackward<T> of_vectors{in<T>(data_.unit_ij), in<T>(a), in<T>(bar.v), out<T>(bar_a),
                                                   out<T>(bar_table)};
        share_vectors(rows, [&](const VectorPairs<T>& chunk, int64_t first) {
            auto part = of_vectors;
            part.unit += 3 * first;
            part.run(chunk);
        });
    }

    void gradient_backward(const Tensor& table, const Tensor& g, const Tensor& gv, const Tensor& a,
                           const PairGradients& bar, const Tensor& bar_g, const Tensor& bar_gv, const Tensor& bar_a,
                           const Tensor& bar_table) const override {
        const auto rows = table_of<T>(table);
        const GradientBackward<T> all{in<T>(g),      in<T>(a),      in<T>(bar.ga),    in<T>(bar.slope),
                                      out<T>(bar_g), out<T>(bar_a), out<T>(bar_table)};
        share(scalars(rows), [&](const Chunk& chunk, int64_t) {
            auto backward = all;
            backward.bar_slope += chunk.first;
            backward.run(chunk.pairs, chunk.n, rows, chunk.features);
        });
        if (n_vectors_ == 0) return;
        const auto bar_p = perpendicular(in<T>(bar.transverse));
        const VectorGradientBackward<T> of_vectors{
            in<T>(data_.unit_ij), in<T>(a),       in<T>(gv),       in<T>(bar.ga), in<T>(bar.slope), bar_p.data(),
            out<T>(bar_gv),       out<T>(bar_a),  out<T>(bar_table)};
        share_vectors(rows, [&](const VectorPairs<T>& chunk, int64_t first) {
            auto part = of_vectors;
            part.unit += 3 * first, part.bar_slope += first, part.bar_p += 3 * first;
            part.run(chunk);
        });
    }

  private:
    struct Chunk {
        const Pair<T>* pairs;
        int64_t first, n;
        Features features;
    };

    Features scalars(const Table<T>& rows) const { return {0, rows.width - n_vectors_}; }

    static int64_t features_per_share(const Features& all) {
        return std::max<int64_t>(32, (all.end - all.begin + at::get_num_threads() - 1) / at::get_num_threads());
    }
    static int64_t n_shares(const Features& all) {
        const int64_t size = features_per_share(all);
        return (all.end - all.begin + size - 1) / size;
    }

    // body(chunk of pairs, number of the share of features)
    template <typename Body>
    void share(const Features& all, const Body& body) const {
        const int64_t size = features_per_share(all);
        at::parallel_for(0, n_shares(all), 1, [&](int64_t begin, int64_t end) {
            for (int64_t part = begin; part < end; ++part) {
                const Features features{all.begin + part * size, std::min(all.end, all.begin + (part + 1) * size)};
                for_each_chunk(pairs_.data(), pairs_.size(), [&](int64_t first, const Pair<T>* pairs, int64_t n) {
                    body(Chunk{pairs, first, n, features}, part);
                });
            }
        });
    }

    // body(chunk of pairs, number of its first pair)
    template <typename Body>
    void share_vectors(const Table<T>& rows, const Body& body) const {
        const Features columns{rows.width - n_vectors_, rows.width};
        share(columns, [&](const Chunk& chunk, int64_t) {
            body(VectorPairs<T>{chunk.pairs, chunk.n, rows, columns, chunk.features}, chunk.first);
        });
    }

    static_assert(sizeof(Direction<T>) == 3 * sizeof(T));
    const Direction<T>* directions() const { return reinterpret_cast<const Direction<T>*>(in<T>(data_.unit_ij)); }

    VectorMessages<T> sent_vectors(const Table<T>& rows, const T* a) const {
        const int64_t first = rows.width - n_vectors_;
        return {{rows.data + first, rows.width}, {a + first, rows.width}, n_vectors_};
    }

    void set_vector_gradient(const Table<T>& rows, const Tensor& gv, const T* a, PairGradients& result) const {
        const int64_t n = pairs_.size(), n_parts = n_shares({0, n_vectors_});
        std::vector<PairGradient<T>> sums(n_parts * n);  // of each pair, for each share
        const auto sent = sent_vectors(rows, a);
        const Rows<const T> g{in<T>(gv), 3 * n_vectors_};
        const Rows<T> gb{out<T>(result.ga) + rows.width - n_vectors_, rows.width};
        share({0, n_vectors_}, [&](const Chunk& chunk, int64_t part) {
            add_vector_gradient<true>(chunk.pairs, directions() + chunk.first, chunk.n, sent, g, gb,
                                      sums.data() + part * n + chunk.first, chunk.features);
        });
        T* slope = out<T>(result.slope);
        std::vector<T> p(3 * n);
        for (int64_t part = 0; part < n_parts; ++part)
            for (int64_t k = 0; k < n; ++k) {
                const auto& of_pair = sums[part * n + k];
                slope[k] += of_pair.slope;
                p[3 * k] += of_pair.x, p[3 * k + 1] += of_pair.y, p[3 * k + 2] += of_pair.z;
            }
        const auto transverse = perpendicular(p.data());
        result.transverse = at::empty({n, 3}, data_.d_ij.options());
        std::copy(transverse.begin(), transverse.end(), out<T>(result.transverse));
    }

    // (p − (p · r) r) / d of each pair; the map is its own transpose.
    std::vector<T> perpendicular(const T* p) const {
        const T *unit = in<T>(data_.unit_ij), *d = in<T>(data_.d_ij);
        std::vector<T> result(3 * pairs_.size());
        for (size_t k = 0; k < pairs_.size(); ++k) {
            const T *r = unit + 3 * k, *of_pair = p + 3 * k;
            const T along = r[0] * of_pair[0] + r[1] * of_pair[1] + r[2] * of_pair[2];
            for (int x = 0; x < 3; ++x) result[3 * k + x] = (of_pair[x] - along * r[x]) / d[k];
        }
        return result;
    }

    std::vector<Pair<T>> pairs_;
    PairData data_;
    int64_t n_vectors_;
};

}  // namespace

std::unique_ptr<PairBatch> make_pair_batch(const PairData& data, int64_t n_rows, int64_t n_vectors) {
    return with_dtype_of(data.d_ij, [&]<typename T>() -> std::unique_ptr<PairBatch> {
        return std::make_unique<PairBatchOf<T>>(data, n_rows, n_vectors);
    });
}

}  // namespace mdaug::training
