"""DeePMD-kit: systems of npy files by weight, drawn by ``sys_probs``, and input.json."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdaug.data.trainers.training_data import Instructions, Trainer, TrainingData
from mdaug.files import atomic_path, write_json, write_text
from mdaug.frames import FrameSet

INPUT = "input.json"
MAX_BINS = 16
"""Most systems of frames of one origin; the last one holds all smaller weights."""

WEIGHTS = """\
DeePMD-kit (checked: 3.2.0) has no weight of a frame. It draws a system with the probability in
`sys_probs` of input.json, then a batch of its frames. Training frames are therefore sorted into systems
by weight (within a factor of 2), and the probability of a system is proportional to the sum of the
weights of its frames. In the mean over many steps every frame counts as its weight says; those of one
system count alike."""


def _write(data: TrainingData, folder: Path, _repeats: int | None) -> Instructions:
    """Write the systems and input.json."""
    systems: dict[str, float] = {}
    held_out: dict[str, list[str]] = {"validation": [], "test": []}
    for own in data.systems:
        place = f"/{own.label}" if len(data.systems) > 1 else ""
        for name, frames in ({"raw": own.raw} | own.added).items():
            for number, frames_of_bin in enumerate(_bins(frames)):
                system = f"train{place}/{name}-{number:02d}"
                _write_system(frames_of_bin, folder / system, data)
                systems[system] = float(frames_of_bin.weights.sum())
        for part, names in held_out.items():
            frames = getattr(own, part)
            if len(frames):
                names.append(f"{part}{place}")
                _write_system(frames, folder / names[-1], data)
    write_json(folder / INPUT, _input(data, systems, held_out["validation"]))
    test = "\ndp --pt freeze\ndp --pt test -m frozen_model.pth -s test" if held_out["test"] else ""
    return Instructions(
        WEIGHTS,
        f"dp --pt train {INPUT}{test}",
        (f"Cutoff, sizes of the network and steps in {INPUT} are a start; choose your own.",),
    )


def _write_system(frames: FrameSet, folder: Path, data: TrainingData) -> None:
    """Write a system: type.raw, type_map.raw, nopbc for molecules, and set.000 with npy files.

    Virials (eV) are −stress · volume, which is the sign of DeePMD-kit.
    """
    types = [data.atomic_numbers.index(int(number)) for number in frames.atomic_numbers]
    write_text(folder / "type.raw", "\n".join(map(str, types)) + "\n")
    write_text(folder / "type_map.raw", "\n".join(data.symbols) + "\n")
    n_frames = len(frames)
    arrays: dict[str, NDArray[Any]] = {
        "coord": frames.positions.reshape(n_frames, -1),
        "energy": frames.energies,
        "force": frames.forces.reshape(n_frames, -1),
    }
    if frames.periodic:
        cells = data.cells(frames)
        arrays["box"] = cells.reshape(n_frames, 9)
        if frames.stresses is not None:
            volumes = np.abs(np.linalg.det(cells))[:, None, None]
            arrays["virial"] = (-frames.stresses * volumes).reshape(n_frames, 9)
    else:
        write_text(folder / "nopbc", "")
    for name, values in arrays.items():
        with atomic_path(folder / "set.000" / f"{name}.npy") as temporary:
            np.save(temporary, values)


def _bins(frames: FrameSet) -> Iterator[FrameSet]:
    """Yield the frames in groups whose weights differ by less than a factor of 2, the largest first."""
    if len(frames) == 0:
        return
    below_largest = np.log2(frames.weights.max() / frames.weights)
    number = np.minimum(np.floor(below_largest).astype(int), MAX_BINS - 1)
    for value in np.unique(number):
        yield frames.select(np.flatnonzero(number == value))


def _input(data: TrainingData, systems: dict[str, float], validation: list[str]) -> dict[str, Any]:
    total = sum(systems.values())
    return {
        "model": {
            "type_map": data.symbols,
            "descriptor": {
                "type": "se_e2_a",
                "rcut": 6.0,
                "rcut_smth": 0.5,
                "sel": "auto",
                "neuron": [25, 50, 100],
                "axis_neuron": 16,
                "seed": 1,
            },
            "fitting_net": {"neuron": [100, 100, 100], "seed": 1},
        },
        "learning_rate": {"type": "exp", "start_lr": 1e-3, "stop_lr": 1e-8, "decay_steps": 5000},
        "loss": {
            "type": "ener",
            "start_pref_e": 0.02,
            "limit_pref_e": 1,
            "start_pref_f": 1000,
            "limit_pref_f": 1,
            "start_pref_v": 0,
            "limit_pref_v": 0,
        },
        "training": {
            "training_data": {
                "systems": list(systems),
                "sys_probs": [weight / total for weight in systems.values()],
                "batch_size": "auto",
            },
            "validation_data": {"systems": validation, "batch_size": "auto"},
            "numb_steps": 400000,
            "seed": 1,
            "disp_freq": 1000,
            "save_freq": 10000,
        },
    }


TRAINER = Trainer(
    "DeePMD-kit",
    {
        "train/*": "systems of the training frames, by weight",
        "validation/*": "validation frames",
        "test/*": "test frames",
        INPUT: "input file of dp train",
    },
    _write,
)
