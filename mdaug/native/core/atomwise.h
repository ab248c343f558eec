// SPDX-License-Identifier: MIT
// The atom-wise part of SchNet, upwards (features) and downwards (gradients), for a few rows at a time.
//
// In mdaug/models/schnet.py block l has matrices A (inward), H (hidden), O (out) and x += O h. x is the embedding plus
// all O_m h_m, so the messages of the next block are made from
//     a_l = A_l (embedding + Σ_{m<l} bias_m)  +  Σ_{m<l} (A_l O_m) h_m,
// a table by species plus products with matrices multiplied in advance; likewise for the readout with matrix R. With 3
// blocks of equal widths these are 15 products; layer by layer there would be 17. From 4 blocks on it is better to form
// y = Σ O_m h_m, from which a_l = A_l y and the readout follow, and to multiply in advance only O of the last block
// with R: 22 products instead of 23.
//
// With vector channels the rows B (vector_inward) follow those of A, and the columns of H for q those for m, in all of
// these products; U₁ and U₂ (left, right) are used by vector_channels.h.

#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "model_file.h"
#include "products.h"
#include "common/pairs.h"

namespace mdaug::core {

template <typename T>
struct AtomwiseNetwork {
    int n_blocks;
    int64_t n_basis, n_filters, n_vectors, n_readout, n_table_rows;  // padded widths
    int64_t n_sent, n_gradient;                                      // of rows [a | b], and of rows [gm | G]
    std::vector<TwoWayMatrix<T>> hidden;                             // H (n_basis, n_sent)
    std::vector<Buffer<T>> hidden_bias;
    bool sums_features;                                   // true from 4 blocks on: form y
    std::vector<std::vector<TwoWayMatrix<T>>> between;  // [l][m < l]: A_l O_m (n_sent, n_basis); if not sums_features
    std::vector<TwoWayMatrix<T>> to_readout;            // R O_m (n_readout, n_basis); only the last one if sums_features
    std::vector<TwoWayMatrix<T>> inward, out;           // A_l (n_sent, n_basis), O_l; if sums_features
    TwoWayMatrix<T> readout_hidden;                     // R; if sums_features
    std::vector<Buffer<T>> sent_start;            // [l]: a_l by species (n_species, n_sent)
    Buffer<T> readout_start, readout;             // (n_species, n_readout), (n_readout)
    std::vector<Buffer<T>> tables;                // of W, n_filters wide, in panels (Table)
    std::vector<Buffer<T>> vector_tables;         // of w, n_vectors wide; if there are vectors
    std::vector<PackedMatrix<T>> both_factors;          // [U₁ᵀ | U₂ᵀ] (n_vectors, 2 n_vectors); if there are vectors
    std::vector<PackedMatrix<T>> both_transposed;       // U₁ above U₂ (2 n_vectors, n_vectors)
    double readout_bias;

    explicit AtomwiseNetwork(const ModelFile& file);
    size_t bytes() const;
    Table<T> table(int l) const { return {tables[l].get(), n_sent, n_table_rows}; }
    Table<T> vector_table(int l) const { return {vector_tables[l].get(), n_sent, n_table_rows}; }
};

// A row-major matrix in float64, for products in advance.
struct Matrix {
    int64_t rows, columns;
    std::vector<double> data;

    explicit Matrix(const Array& a)
        : rows(a.shape.size() == 2 ? a.shape[0] : 1), columns(a.shape.back()), data(a.data) {}
    Matrix(int64_t rows, int64_t columns) : rows(rows), columns(columns), data(rows * columns) {}

    // x W
    Matrix times(const Matrix& w) const {
        Matrix y(rows, w.columns);
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t k = 0; k < columns; ++k)
                for (int64_t c = 0; c < w.columns; ++c)
                    y.data[r * w.columns + c] += data[r * columns + k] * w.data[k * w.columns + c];
        return y;
    }
    Matrix transposed() const {
        Matrix y(columns, rows);
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t c = 0; c < columns; ++c) y.data[c * rows + r] = data[r * columns + c];
        return y;
    }
    void add_to_rows(const Matrix& row) {
        for (size_t k = 0; k < data.size(); ++k) data[k] += row.data[k % columns];
    }
    Matrix columns_from(int64_t begin, int64_t n) const {
        Matrix y(rows, n);
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t c = 0; c < n; ++c) y.data[r * n + c] = data[r * columns + begin + c];
        return y;
    }
    // This matrix, filled up with zeros to `height` rows, and another one below it.
    Matrix above(const Matrix& below, int64_t height) const {
        Matrix y(height + below.rows, columns);
        std::copy(data.begin(), data.end(), y.data.begin());
        std::copy(below.data.begin(), below.data.end(), y.data.begin() + height * columns);
        return y;
    }
    // The first n columns, filled up with zeros to `width`, and the others beside them.
    Matrix with_wider_columns(int64_t n, int64_t width) const {
        const Matrix others = columns_from(n, columns - n);
        return columns_from(0, n).transposed().above(others.transposed(), width).transposed();
    }
    template <typename T>
    Buffer<T> padded_copy() const {
        const int64_t height = padded<T>(rows), width = padded<T>(columns);
        Buffer<T> buffer;
        buffer.reserve(height * width);
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t c = 0; c < columns; ++c) buffer.get()[r * width + c] = static_cast<T>(data[r * columns + c]);
        return buffer;
    }
    // In panels of columns, as Table reads them.
    template <typename T>
    Buffer<T> in_panels() const {
        constexpr int64_t width = Table<T>::panel_columns();
        Buffer<T> buffer;
        buffer.reserve((columns + width - 1) / width * width * rows);
        const Table<T> table(buffer.get(), columns, rows);
        for (int64_t c = 0; c < columns; ++c)
            for (int64_t r = 0; r < rows; ++r)
                buffer.get()[table.column(c) - buffer.get() + r * table.step] = static_cast<T>(data[r * columns + c]);
        return buffer;
    }
    template <typename T>
    PackedMatrix<T> packed() const {
        return {padded<T>(rows), padded<T>(columns), padded_copy<T>().get()};
    }
    template <typename T>
    TwoWayMatrix<T> two_way() const {
        return {transposed().packed<T>(), packed<T>()};
    }
};

template <typename T>
AtomwiseNetwork<T>::AtomwiseNetwork(const ModelFile& file) : n_blocks(file.n_interactions) {
    const Matrix table(file.at("filters.table")), readout_matrix(file.at("network.readout_hidden.weight"));
    const int64_t vectors = file.n_vectors(), width = table.columns / n_blocks, filters = width - vectors;
    n_filters = padded<T>(filters), n_vectors = padded<T>(vectors);
    n_sent = n_filters + n_vectors, n_gradient = n_filters + 3 * n_vectors;
    n_basis = padded<T>(readout_matrix.columns);
    n_readout = padded<T>(readout_matrix.rows);
    n_table_rows = table.rows;
    sums_features = n_blocks > 3;
    if (sums_features) readout_hidden = readout_matrix.two_way<T>();
    between.resize(n_blocks), to_readout.resize(n_blocks), inward.resize(n_blocks), out.resize(n_blocks);
    Matrix x(file.at("network.embedding.weight"));  // features before the block, without what positions bring in
    for (int l = 0; l < n_blocks; ++l) {
        const Matrix b = vectors ? Matrix(file.block(l, "vector_inward.weight")) : Matrix(0, x.columns);
        const Matrix a = Matrix(file.block(l, "inward.weight")).above(b, n_filters), o(file.block(l, "out.weight"));
        if (sums_features) inward[l] = a.two_way<T>(), out[l] = o.two_way<T>();
        for (int m = 0; m < l && !sums_features; ++m)
            between[l].push_back(a.times(Matrix(file.block(m, "out.weight"))).template two_way<T>());
        sent_start.push_back(x.times(a.transposed()).template padded_copy<T>());
        const Matrix h(file.block(l, "hidden.weight"));
        hidden.push_back(h.with_wider_columns(filters, n_filters).template two_way<T>());
        hidden_bias.push_back(Matrix(file.block(l, "hidden.bias")).template padded_copy<T>());
        if (!sums_features || l == n_blocks - 1) to_readout[l] = readout_matrix.times(o).template two_way<T>();
        tables.push_back(table.columns_from(l * width, filters).template in_panels<T>());
        if (vectors) vector_tables.push_back(table.columns_from(l * width + filters, vectors).template in_panels<T>());
        if (vectors) {
            const Matrix u = Matrix(file.block(l, "left.weight")).above(Matrix(file.block(l, "right.weight")), n_vectors);
            both_factors.push_back(u.transposed().template packed<T>());
            both_transposed.push_back(u.template packed<T>());
        }
        x.add_to_rows(Matrix(file.block(l, "out.bias")));
    }
    Matrix start = x.times(readout_matrix.transposed());
    start.add_to_rows(Matrix(file.at("network.readout_hidden.bias")));
    readout_start = start.template padded_copy<T>();
    readout = Matrix(file.at("network.readout.weight")).template padded_copy<T>();
    readout_bias = file.at("network.readout.bias").data[0];
}

template <typename T>
size_t AtomwiseNetwork<T>::bytes() const {
    size_t sum = readout_start.bytes() + readout.bytes() + readout_hidden.bytes();
    const auto add = [&](const auto& list) {
        for (const auto& item : list) sum += item.bytes();
    };
    add(hidden), add(hidden_bias), add(to_readout), add(inward), add(out), add(sent_start), add(tables), add(vector_tables);
    add(both_factors), add(both_transposed);
    for (const auto& list : between) add(list);
    return sum;
}

template <typename T>
inline void fill_rows(int64_t n, int64_t width, const T* row, T* rows) {
    for (int64_t r = 0; r < n; ++r) std::memcpy(rows + r * width, row, width * sizeof(T));
}

template <typename T>
inline void look_up(int64_t n, int64_t width, const int32_t* species, const T* table, T* rows) {
    for (int64_t r = 0; r < n; ++r) std::memcpy(rows + r * width, table + species[r] * width, width * sizeof(T));
}

}  // namespace mdaug::core
