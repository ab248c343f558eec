// The squared-error loss of a batch of frames as one operation with its gradient written by hand, for training on the
// CPU: what mdaug.models.graph.forces_from_pairs and mdaug.training.step.Step.loss say, in two loops instead of some forty
// small operations.

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "spline_pairs.h"

namespace {

using namespace mdaug;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Σ_s w_s (E_s − target)², all of it times `weight`; leaves its derivative in each atom's energy.
template <typename T>
double energy_part(const Tensor& atomic, const int64_t* system, const Tensor& targets, const T* weights, double weight,
                   T* bar_atomic) {
    const T *of_atom = in<T>(atomic), *target = in<T>(targets);
    std::vector<T> off(targets.numel());
    for (size_t s = 0; s < off.size(); ++s) off[s] = -target[s];
    for (int64_t a = 0; a < atomic.numel(); ++a) off[system[a]] += of_atom[a];
    double loss = 0;
    for (size_t s = 0; s < off.size(); ++s) loss += weights[s] * off[s] * off[s];
    for (int64_t a = 0; a < atomic.numel(); ++a)
        bar_atomic[a] = static_cast<T>(2 * weight) * weights[system[a]] * off[system[a]];
    return weight * loss;
}

// Σ_i w_s |F_i − target|², all of it times `weight`, with F_i = Σ_j ∂E/∂d_ij u_ij; leaves its derivative in each slope.
template <typename T>
double force_part(const Tensor& slope, const int64_t* idx_i, const int64_t* idx_j, const T* unit, const int64_t* system,
                  const Tensor& targets, const T* weights, double weight, T* bar_slope) {
    const T *of_pair = in<T>(slope), *target = in<T>(targets);
    const int64_t n_atoms = targets.size(0), n_pairs = slope.numel();
    std::vector<T> off(target, target + 3 * n_atoms);
    for (auto& component : off) component = -component;
    for (int64_t p = 0; p < n_pairs; ++p)
        for (int k = 0; k < 3; ++k) {
            const T pull = of_pair[p] * unit[3 * p + k];
            off[3 * idx_i[p] + k] += pull;
            off[3 * idx_j[p] + k] -= pull;
        }
    double loss = 0;
    for (int64_t a = 0; a < n_atoms; ++a)
        for (int k = 0; k < 3; ++k) {
            T& component = off[3 * a + k];
            loss += weights[system[a]] * component * component;
            component *= static_cast<T>(2 * weight) * weights[system[a]];  // from here on ∂loss/∂F
        }
    for (int64_t p = 0; p < n_pairs; ++p) {
        T sum = 0;
        for (int k = 0; k < 3; ++k) sum += unit[3 * p + k] * (off[3 * idx_i[p] + k] - off[3 * idx_j[p] + k]);
        bar_slope[p] = sum;
    }
    return weight * loss;
}

struct FrameLoss : torch::autograd::Function<FrameLoss> {
    static Tensor forward(AutogradContext* ctx, const Tensor& atomic, const Tensor& slope, const Tensor& idx_i,
                          const Tensor& idx_j, const Tensor& unit_ij, const Tensor& system, const Tensor& energies,
                          const Tensor& forces, const Tensor& weights, double energy_weight, double force_weight) {
        at::AutoDispatchBelowADInplaceOrView guard;
        const auto bar_atomic = at::empty_like(atomic), bar_slope = at::empty_like(slope);
        const auto of_system = in<int64_t>(system);
        double loss = 0;
        MDAUG_BY_DTYPE(atomic,
                       loss = energy_part(atomic, of_system, energies, in<T>(weights), energy_weight, out<T>(bar_atomic)) +
                              force_part(slope, in<int64_t>(idx_i), in<int64_t>(idx_j), in<T>(unit_ij), of_system, forces,
                                         in<T>(weights), force_weight, out<T>(bar_slope));)
        ctx->save_for_backward({bar_atomic, bar_slope});
        return at::scalar_tensor(loss, atomic.options());
    }

    static variable_list backward(AutogradContext* ctx, variable_list grads) {
        const auto saved = ctx->get_saved_variables();
        variable_list found(11);
        found[0] = saved[0] * grads[0];
        found[1] = saved[1] * grads[0];
        return found;
    }
};

Tensor frame_loss(const Tensor& atomic, const Tensor& slope, const Tensor& idx_i, const Tensor& idx_j,
                  const Tensor& unit_ij, const Tensor& system, const Tensor& energies, const Tensor& forces,
                  const Tensor& weights, double energy_weight, double force_weight) {
    return FrameLoss::apply(atomic.contiguous(), slope.contiguous(), idx_i.contiguous(), idx_j.contiguous(),
                            unit_ij.contiguous(), system.contiguous(), energies.contiguous(), forces.contiguous(),
                            weights.contiguous(), energy_weight, force_weight);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mdaug, m) {
    m.def("frame_loss(Tensor atomic, Tensor slope, Tensor idx_i, Tensor idx_j, Tensor unit_ij, Tensor system, "
          "Tensor energies, Tensor forces, Tensor weights, float energy_weight, float force_weight) -> Tensor",
          frame_loss);
}
