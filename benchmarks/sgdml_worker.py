"""Train sGDML and predict test frames: sgdml_worker.py VALIDATION TEST TRAIN RESULT.npz SCALE ...

Runs in an environment with sGDML and imports nothing of mdaug. The length scale is the one with the smallest
force error of the validation frames.
"""

import sys
from typing import Any

import numpy as np
from sgdml.predict import GDMLPredict
from sgdml.train import GDMLTrain

MEMORY_GB, PROCESSES = 16, 1
TEXTS = {"name": "frames", "theory": "unknown", "r_unit": "Ang", "e_unit": "eV"}


def dataset(path: str) -> dict[str, Any]:
    """Return an sGDML dataset of all frames of a file (z, R, E, F)."""
    content = dict(np.load(path))
    return {
        **{name: content[name] for name in ("z", "R", "E", "F")},
        "type": "d",
        **{
            name: np.array(text)
            for name, text in {"name": "frames", "theory": "unknown", "md5": path}.items()
        },
        "r_unit": np.array("Ang"),
        "e_unit": np.array("eV"),
    }


def predict(model: dict[str, Any], frames: dict[str, Any]) -> tuple[Any, Any]:
    """Return energies and forces of frames."""
    energies, forces = GDMLPredict(model, max_processes=PROCESSES).predict(
        frames["R"].reshape(len(frames["R"]), -1)
    )
    return energies, forces.reshape(frames["R"].shape)


def main() -> None:
    validation, test, train = map(dataset, sys.argv[1:4])
    trainer = GDMLTrain(max_memory=MEMORY_GB, max_processes=PROCESSES)
    best: dict[str, Any] = {}
    smallest, perms = np.inf, None
    for scale in map(int, sys.argv[5:]):
        n_train, n_validation = len(train["E"]), len(validation["E"])
        task = trainer.create_task(train, n_train, validation, n_validation, scale, perms=perms)
        perms, model = task["perms"], trainer.train(task)
        error = np.abs(predict(model, validation)[1] - validation["F"]).mean()
        print(f"sGDML, {n_train} frames, scale {scale}: {error:.5f} eV/A", flush=True)
        if error < smallest:
            best, smallest = model, error
    energies, forces = predict(best, test)
    np.savez(sys.argv[4], energies=energies, forces=forces)


if __name__ == "__main__":
    main()
