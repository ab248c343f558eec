// SPDX-License-Identifier: MIT
// The fixed pair potential beside the network, Σ φ_ab(d) over unordered pairs: a cubic B-spline for each pair of
// elements, in double, whatever the number type of the network.

#pragma once

#include <vector>

#include "model_file.h"
#include "common/spline.h"

namespace mdaug::core {

class Prior {
  public:
    struct Value {
        double energy, slope;  // φ, eV, and dφ/dd, eV/Å
    };

    explicit Prior(const ModelFile& file) : spacing_(file.prior_spacing) {
        if (empty()) return;
        const Array& table = file.at("prior_table");
        table_ = table.data;
        n_elements_ = table.shape[0], n_rows_ = table.shape[2];
    }

    bool empty() const { return !(spacing_ > 0); }
    size_t bytes() const { return table_.capacity() * sizeof(double); }

    // At a distance below the cutoff; NaN for a distance that is NaN.
    Value at(int32_t element_i, int32_t element_j, double d) const {
        const auto pair = locate<double>(0, 0, d, spacing_, n_rows_);
        const double* c = table_.data() + (element_i * n_elements_ + element_j) * n_rows_ + pair.row;
        Value value{0, 0};
        for (int m = 0; m < 4; ++m) value.energy += pair.value[m] * c[m], value.slope += pair.slope[m] * c[m];
        return value;
    }

  private:
    std::vector<double> table_;  // (n_elements, n_elements, n_rows)
    int64_t n_elements_ = 0, n_rows_ = 0;
    double spacing_;
};

}  // namespace mdaug::core
