// SPDX-License-Identifier: MIT
// The squared-error loss of a batch of frames as one operation with a hand-written gradient, for training on the CPU:
// the same as mdaug.models.graph.forces_from_pairs and mdaug.training.step.Step.loss, in two loops instead of some forty
// small operations.

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <optional>
#include <vector>

#include "tensors.h"

namespace {

using namespace mdaug::training;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Σ_s w_s (E_s − target)², all of it times `weight`; writes its derivative in each atom's energy to bar_atomic.
template <typename T>
double energy_loss(const Tensor& atomic, const int64_t* system, const Tensor& targets, const T* weights, double weight,
                   T* bar_atomic) {
    const T *of_atom = in<T>(atomic), *target = in<T>(targets);
    std::vector<T> error(targets.numel());
    for (size_t s = 0; s < error.size(); ++s) error[s] = -target[s];
    for (int64_t a = 0; a < atomic.numel(); ++a) error[system[a]] += of_atom[a];
    double loss = 0;
    for (size_t s = 0; s < error.size(); ++s) loss += weights[s] * error[s] * error[s];
    for (int64_t a = 0; a < atomic.numel(); ++a)
        bar_atomic[a] = static_cast<T>(2 * weight) * weights[system[a]] * error[system[a]];
    return weight * loss;
}

// Σ_i w_s |F_i − target|², all of it times `weight`, with F_i = Σ_j (∂E/∂d_ij u_ij + transverse_ij); writes its
// derivatives in slopes and transverse gradients, the latter unless they are zero and TRANSVERSE false.
template <bool TRANSVERSE, typename T>
double force_loss(const Tensor& slope, const Tensor& transverse, const int64_t* idx_i, const int64_t* idx_j,
                  const T* unit, const int64_t* system, const Tensor& targets, const T* weights, double weight,
                  T* bar_slope, T* bar_transverse) {
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
            loss += weights[system[a]] * component * component;
            component *= static_cast<T>(2 * weight) * weights[system[a]];  // from here on ∂loss/∂F
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

struct FrameLoss : torch::autograd::Function<FrameLoss> {
    static Tensor forward(AutogradContext* ctx, const Tensor& atomic, const Tensor& slope,
                          const std::optional<Tensor>& given_transverse, const Tensor& idx_i, const Tensor& idx_j, const Tensor& unit_ij, const Tensor& system,
                          const Tensor& energies, const Tensor& forces, const Tensor& weights, double energy_weight,
                          double force_weight) {
        at::AutoDispatchBelowADInplaceOrView guard;
        const auto transverse = given_transverse.value_or(Tensor());
        const auto bar_atomic = at::empty_like(atomic), bar_slope = at::empty_like(slope);
        const auto bar_transverse = transverse.defined() ? at::empty_like(transverse) : Tensor();
        const auto system_of = in<int64_t>(system);
        const double loss = with_dtype_of(atomic, [&]<typename T>() {
            const T* w = in<T>(weights);
            const auto force_loss_of = [&]<bool TRANSVERSE>() {
                return force_loss<TRANSVERSE>(slope, transverse, in<int64_t>(idx_i), in<int64_t>(idx_j),
                                              in<T>(unit_ij), system_of, forces, w, force_weight, out<T>(bar_slope),
                                              TRANSVERSE ? out<T>(bar_transverse) : nullptr);
            };
            return energy_loss(atomic, system_of, energies, w, energy_weight, out<T>(bar_atomic)) +
                   (transverse.defined() ? force_loss_of.template operator()<true>()
                                         : force_loss_of.template operator()<false>());
        });
        ctx->save_for_backward({bar_atomic, bar_slope, bar_transverse});
        return at::scalar_tensor(loss, atomic.options());
    }

    static variable_list backward(AutogradContext* ctx, variable_list grads) {
        const auto saved = ctx->get_saved_variables();
        variable_list results(12);
        for (int k = 0; k < 3; ++k)
            if (saved[k].defined()) results[k] = saved[k] * grads[0];
        return results;
    }
};

Tensor frame_loss(const Tensor& atomic, const Tensor& slope, const std::optional<Tensor>& transverse,
                  const Tensor& idx_i, const Tensor& idx_j, const Tensor& unit_ij, const Tensor& system,
                  const Tensor& energies, const Tensor& forces, const Tensor& weights, double energy_weight,
                  double force_weight) {
    return FrameLoss::apply(atomic.contiguous(), slope.contiguous(),
                            transverse ? std::optional(transverse->contiguous()) : std::nullopt, idx_i.contiguous(), idx_j.contiguous(),
                            unit_ij.contiguous(), system.contiguous(), energies.contiguous(), forces.contiguous(),
                            weights.contiguous(), energy_weight, force_weight);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mdaug, m) {
    m.def(
        "frame_loss(Tensor atomic, Tensor slope, Tensor? transverse, Tensor idx_i, Tensor idx_j, Tensor unit_ij, "
        "Tensor system, Tensor energies, Tensor forces, Tensor weights, float energy_weight, float force_weight) -> Tensor",
        frame_loss);
}
