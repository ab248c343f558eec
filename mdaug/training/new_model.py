"""The model that a training begins with: constants from the frames, random weights."""

from collections.abc import Sequence

from mdaug.frames import Frames, FrameSet, as_frames, systems_of
from mdaug.models import SchNet, SchNetOptions
from mdaug.training.options import TrainOptions
from mdaug.training.pair_prior import choose_prior, without_prior
from mdaug.training.references import reference_energies
from mdaug.training.tensors import energy_scale, output_scales


def new_model(frames: Frames, model_options: SchNetOptions, options: TrainOptions) -> SchNet:
    """Return a model with random weights, and the prior, reference energies and scales of its frames.

    Parameters
    ----------
    frames
        Frames to train on.
    model_options
        Sizes and kinds of the parts of the network.
    options
        Kinds of reference energies and scales.

    Raises
    ------
    DataError
        The prior cannot be fitted to these frames, or reference energies of elements are missing.
    """
    systems = systems_of(frames)
    numbers = sorted({number for system in systems for number in system.atomic_numbers.tolist()})
    prior = choose_prior(frames, numbers, model_options)
    targets = as_frames([without_prior(system, prior) for system in systems])
    references = reference_energies(targets, numbers, options.reference, options.e0s)
    scale, n_atom_types = energy_scale(targets, options.scale), _n_atom_types(systems)
    factors = output_scales(targets, len(numbers), n_atom_types, scale) if options.scale == "forces" else None
    return SchNet(
        model_options,
        numbers,
        references,
        scale,
        prior,
        n_atom_types=n_atom_types,
        output_scales=factors,
    )


def _n_atom_types(systems: Sequence[FrameSet]) -> int:
    """Return the number of atom types of all systems, which are numbered together, from 0."""
    typed = [system.atom_types for system in systems if system.atom_types is not None]
    return 1 + max((int(types.max()) for types in typed), default=-1)
