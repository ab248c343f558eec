// SPDX-License-Identifier: MIT
// The loss of a batch of frames as one operation with a hand-written gradient, for training on the CPU: the same as
// mdaug.models.graph.forces_from_pairs and mdaug.training.step.Step.loss, in two loops instead of some forty small
// operations.

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "tensors.h"

namespace {

using namespace mdaug::training;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What the network returns for a batch, its pairs, and the targets with their weights.
struct Batch {
    Tensor atomic, slope, transverse;  // energy of each atom, ∂E/∂d and transverse gradient of each pair
    Tensor idx_i, idx_j, unit_ij, system;
    Tensor energies, forces, weights;
    double energy_weight, force_weight;
};

// Derivatives of the loss in what the network returns; `transverse` is undefined where the network has none.
struct Gradient {
    Tensor atomic, slope, transverse;
};

// e²: mean squared errors.
template <typename T>
struct Square {
    T operator()(T error) const { return error * error; }
    T derivative(T error) const { return 2 * error; }
};

// The Huber loss over δ: e² / 2δ up to |e| = δ, and |e| − δ/2 beyond.
template <typename T>
struct Huber {
    T delta;
    T operator()(T error) const {
        const T size = std::abs(error);
        return size < delta ? error * error / (2 * delta) : size - delta / 2;
    }
    T derivative(T error) const { return std::clamp(error / delta, T(-1), T(1)); }
};

// Σ_s w_s penalty(E_s − target), all of it times `weight`; writes its derivative in each atom's energy to bar_atomic.
template <typename T, typename Penalty>
double energy_loss(const Tensor& atomic, const int64_t* system, const Tensor& targets, const T* weights, double weight,
                   const Penalty& penalty, T* bar_atomic) {
    const T *of_atom = in<T>(atomic), *target = in<T>(targets);
    std::vector<T> error(targets.numel());
    for (size_t s = 0; s < error.size(); ++s) error[s] = -target[s];
    for (int64_t a = 0; a < atomic.numel(); ++a) error[system[a]] += of_atom[a];
    double loss = 0;
    for (size_t s = 0; s < error.size(); ++s) {
        loss += weights[s] * penalty(error[s]);
        error[s] = static_cast<T>(weight) * weights[s] * penalty.derivative(error[s]);  // from here on ∂loss/∂E
    }
    for (int64_t a = 0; a < atomic.numel(); ++a) bar_atomic[a] = error[system[a]];
    return weight * loss;
}

// Σ_i w_s penalty(F_i − target) over x, y, z, all of it times `weight`, with F_i = Σ_j (∂E/∂d_ij u_ij + transverse_ij);
// writes its derivatives in slopes and transverse gradients, the latter unless they are zero and TRANSVERSE false.
template <bool TRANSVERSE, typename T, typename Penalty>
double force_loss(const Tensor& slope, const Tensor& transverse, const int64_t* idx_i, const int64_t* idx_j,
                  const T* unit, const int64_t* system, const Tensor& targets, const T* weights, double weight,
                  const Penalty& penalty, T* bar_slope, T* bar_transverse) {
    const T *of_pair = in<T>(slope), *target = in<T>(targets);
    const T* across = TRANSVERSE ? in<T>(transverse) : nullptr;
    const int64_t n_atoms = targets.size(0), n_pairs = slope.numel();
    std::vector<T> error(target, target + 3 * n_atoms);
    for (auto& component : error) component = -component;
    for (int64_t p = 0; p < n_pairs; ++p)
        for (int k = 0; k < 3; ++k) {
            T pull = of_pair[p] * unit[3 * p + k];
            if constexpr (TRANSVERSE) pull += across[3 * p + k];
            error[3 * idx_i[p] + k] += pull;
            error[3 * idx_j[p] + k] -= pull;
        }
    double loss = 0;
    for (int64_t a = 0; a < n_atoms; ++a)
        for (int k = 0; k < 3; ++k) {
            T& component = error[3 * a + k];
            loss += weights[system[a]] * penalty(component);
            component = static_cast<T>(weight) * weights[system[a]] * penalty.derivative(component);  // now ∂loss/∂F
        }
    for (int64_t p = 0; p < n_pairs; ++p) {
        T sum = 0;
        for (int k = 0; k < 3; ++k) {
            const T difference = error[3 * idx_i[p] + k] - error[3 * idx_j[p] + k];
            sum += unit[3 * p + k] * difference;
            if constexpr (TRANSVERSE) bar_transverse[3 * p + k] = difference;
        }
        bar_slope[p] = sum;
    }
    return weight * loss;
}

// Loss and gradient of a batch with one kind of penalty.
template <typename T, typename Penalty>
double loss_and_gradient(const Batch& batch, const Penalty& penalty, const Gradient& bar) {
    const T* weights = in<T>(batch.weights);
    const auto system = in<int64_t>(batch.system);
    const auto of_forces = [&]<bool TRANSVERSE>() {
        return force_loss<TRANSVERSE>(batch.slope, batch.transverse, in<int64_t>(batch.idx_i), in<int64_t>(batch.idx_j),
                                      in<T>(batch.unit_ij), system, batch.forces, weights, batch.force_weight, penalty,
                                      out<T>(bar.slope), TRANSVERSE ? out<T>(bar.transverse) : nullptr);
    };
    return energy_loss(batch.atomic, system, batch.energies, weights, batch.energy_weight, penalty,
                       out<T>(bar.atomic)) +
           (batch.transverse.defined() ? of_forces.template operator()<true>()
                                       : of_forces.template operator()<false>());
}

struct FrameLoss : torch::autograd::Function<FrameLoss> {
    static Tensor forward(AutogradContext* ctx, const Tensor& atomic, const Tensor& slope,
                          const std::optional<Tensor>& transverse, const Batch& rest,
                          std::optional<double> huber_delta) {
        at::AutoDispatchBelowADInplaceOrView guard;
        Batch batch = rest;
        batch.atomic = atomic, batch.slope = slope, batch.transverse = transverse.value_or(Tensor());
        const Gradient bar{at::empty_like(atomic), at::empty_like(slope),
                           transverse ? at::empty_like(*transverse) : Tensor()};
        const double loss = with_dtype_of(atomic, [&]<typename T>() {
            return huber_delta ? loss_and_gradient<T>(batch, Huber<T>{static_cast<T>(*huber_delta)}, bar)
                               : loss_and_gradient<T>(batch, Square<T>{}, bar);
        });
        ctx->save_for_backward({bar.atomic, bar.slope, bar.transverse});
        return at::scalar_tensor(loss, atomic.options());
    }

    static variable_list backward(AutogradContext* ctx, variable_list grads) {
        const auto saved = ctx->get_saved_variables();
        variable_list results(5);
        for (int k = 0; k < 3; ++k)
            if (saved[k].defined()) results[k] = saved[k] * grads[0];
        return results;
    }
};

Tensor frame_loss(const Tensor& atomic, const Tensor& slope, const std::optional<Tensor>& transverse,
                  const Tensor& idx_i, const Tensor& idx_j, const Tensor& unit_ij, const Tensor& system,
                  const Tensor& energies, const Tensor& forces, const Tensor& weights, double energy_weight,
                  double force_weight, std::optional<double> huber_delta) {
    Batch batch;
    batch.idx_i = idx_i.contiguous(), batch.idx_j = idx_j.contiguous(), batch.unit_ij = unit_ij.contiguous();
    batch.system = system.contiguous(), batch.weights = weights.contiguous();
    batch.energies = energies.contiguous(), batch.forces = forces.contiguous();
    batch.energy_weight = energy_weight, batch.force_weight = force_weight;
    return FrameLoss::apply(atomic.contiguous(), slope.contiguous(),
                            transverse ? std::optional(transverse->contiguous()) : std::nullopt, batch, huber_delta);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mdaug, m) {
    m.def(
        "frame_loss(Tensor atomic, Tensor slope, Tensor? transverse, Tensor idx_i, Tensor idx_j, Tensor unit_ij, "
        "Tensor system, Tensor energies, Tensor forces, Tensor weights, float energy_weight, float force_weight, "
        "float? huber_delta) -> Tensor",
        frame_loss);
}
