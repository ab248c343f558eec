"""A small good file of every format that mdaug reads, of one water-like molecule where that can be."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import ase.db
import ase.io
import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mdaug.data import write_extxyz
from mdaug.data.write import write_npz
from mdaug.deployment import export_model
from mdaug.frames import FrameSet
from mdaug.models import SchNet, SchNetOptions
from mdaug.training.checkpoint import save_checkpoint
from mdaug.training.step import FlatParameters

NUMBERS = np.array([8, 1, 1])
EQUILIBRIUM = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
TINY = {"n_atom_basis": 4, "n_filters": 4, "n_gaussians": 4, "n_interactions": 1, "n_knots": 16}
TINY |= {"cutoff": 4.0, "prior": "none", "n_vectors": 2}
CONFIG = {
    "data": {"temperature": 300.0},
    "split": {"train": 4, "validation": 2, "test": 1},
    "springs": {"bootstrap": 0, "max_components": 2},
    "augment": {"n_frames": 2, "n_stretched": 2, "n_impulses": 2},
    "model": TINY,
    "training": {"epochs": 1, "batch_size": 2},
}


def spring_frames(numbers: np.ndarray, rest: np.ndarray, n_frames: int = 8, seed: int = 0) -> FrameSet:
    """Frames of atoms held by springs (k = 30 eV/Å²) between all pairs, about their places `rest`."""
    rng = np.random.default_rng(seed)
    positions = rest + rng.normal(scale=0.04, size=(n_frames, *rest.shape))
    vectors = positions[:, None, :, :] - positions[:, :, None, :]
    distances = np.linalg.norm(vectors, axis=-1) + np.eye(len(rest))
    strain = distances - np.linalg.norm(rest[None] - rest[:, None], axis=-1) - np.eye(len(rest))
    forces = np.einsum("fij,fijx->fix", 30.0 * strain / distances, vectors)
    energies = 7.5 * (strain**2).sum(axis=(1, 2)) - 50.0
    return FrameSet(np.array(numbers), positions, energies, forces, temperature_K=300.0)


WATER = spring_frames(NUMBERS, EQUILIBRIUM)


def npz(path: Path) -> None:
    write_npz(WATER, path)


def extxyz(path: Path) -> None:
    write_extxyz(WATER, path)


def _images() -> list[Atoms]:
    images = []
    for positions, energy, forces in zip(WATER.positions, WATER.energies, WATER.forces, strict=True):
        atoms = Atoms(NUMBERS, positions)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        images.append(atoms)
    return images


def ase_sqlite(path: Path) -> None:
    _database(path.with_suffix(".db"), path)


def schnetpack(path: Path) -> None:
    made = path.with_suffix(".db")
    with ase.db.connect(made) as database:
        database.metadata = {
            "_property_unit_dict": {"energy": "eV", "forces": "eV/Ang"},
            "_distance_unit": "Ang",
            "atomrefs": {},
        }
        for n, positions in enumerate(WATER.positions):
            data = {"energy": WATER.energies[n : n + 1], "forces": WATER.forces[n]}
            database.write(Atoms(NUMBERS, positions), data=data)
    made.rename(path)


def hdf5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["water/atomic_numbers"] = NUMBERS
        file["water/conformations"] = WATER.positions / 0.529177
        file["water/dft_total_energy"] = WATER.energies / 27.2114
        file["water/dft_total_gradient"] = -WATER.forces / 51.4221


def sgdml_xyz(path: Path) -> None:
    lines = []
    for positions, energy, forces in zip(WATER.positions, WATER.energies, WATER.forces, strict=True):
        rows = np.hstack([positions, forces * 23.0605]).tolist()
        lines += ["3", repr(float(energy * 23.0605))]
        lines += [f"{symbol} {' '.join(map(repr, row))}" for symbol, row in zip("OHH", rows, strict=True)]
    path.write_text("\n".join(lines) + "\n")


def ase_json(path: Path) -> None:
    _database(path.with_suffix(".json"), path)


def _database(made: Path, path: Path) -> None:
    with ase.db.connect(made) as database:
        for atoms in _images():
            database.write(atoms)
    made.rename(path)


def ase_trajectory(path: Path) -> None:
    ase.io.write(path, _images(), format="traj")


def nff_props() -> dict:
    z = np.broadcast_to(NUMBERS[:, None].astype(float), (len(WATER), 3, 1))
    nxyz = np.concatenate([z, WATER.positions], axis=2)
    return {
        "nxyz": [torch.tensor(frame) for frame in nxyz],
        "energy": torch.tensor(WATER.energies * 23.06),
        "energy_grad": [torch.tensor(-frame * 23.06) for frame in WATER.forces],
    }


def nff(path: Path, *, zipped: bool = True) -> None:
    """A pickled NeuralForceField Dataset, as that package writes it, without having it."""
    names = ("nff", "nff.data", "nff.data.dataset")
    dataset_class = type("Dataset", (), {"__module__": names[-1]})
    sys.modules |= {name: ModuleType(name) for name in names}
    sys.modules[names[-1]].Dataset = dataset_class
    dataset = dataset_class()
    dataset.__dict__ = {"props": nff_props(), "units": "kcal/mol"}
    torch.save(dataset, path, _use_new_zipfile_serialization=zipped)
    for name in names:
        del sys.modules[name]


def nff_legacy(path: Path) -> None:
    nff(path, zipped=False)


def vasprun(path: Path) -> None:
    basis = "<crystal><varray name='basis'><v>9 0 0</v><v>0 9 0</v><v>0 0 9</v></varray></crystal>"
    species = "<rc><c>O </c><c>1</c></rc><rc><c>H </c><c>2</c></rc><rc><c>H </c><c>2</c></rc>"
    steps = "".join(
        f"<calculation><scstep>{_vasp_energy(energy)}</scstep><structure>{basis}{_rows('positions', p / 9)}"
        f"</structure>{_rows('forces', f)}{_vasp_energy(energy)}</calculation>"
        for p, f, energy in zip(WATER.positions, WATER.forces, WATER.energies, strict=True)
    )
    path.write_text(
        "<?xml version='1.0'?><modeling>"
        "<kpoints><varray name='kpointlist'/><varray name='weights'/></kpoints>"
        f"<atominfo><array name='atoms'><set>{species}</set></array></atominfo>"
        f"<structure name='initialpos'>{basis}{_rows('positions', WATER.positions[0] / 9)}</structure>"
        f"{steps}</modeling>"
    )


def _vasp_energy(energy: float) -> str:
    return f"<energy><i name='e_fr_energy'>{energy}</i><i name='e_0_energy'>{energy}</i></energy>"


def _rows(name: str, rows: np.ndarray) -> str:
    lines = "".join(f"<v>{x:.8f} {y:.8f} {z:.8f}</v>" for x, y, z in rows)
    return f"<varray name='{name}'>{lines}</varray>"


def outcar(path: Path) -> None:
    """The one that comes with ASE."""
    sample = Path(ase.__file__).parent / "test" / "testdata" / "vasp" / "OUTCAR_example_1"
    path.write_bytes(sample.read_bytes())


def cp2k(path: Path) -> None:
    """Positions at `path`, forces and cells beside it."""
    for kind, values in (("pos", WATER.positions), ("frc", WATER.forces / 51.4)):
        lines = []
        for step, (energy, rows) in enumerate(zip(WATER.energies, values, strict=True)):
            lines += ["3", f" i = {step}, time = {step / 2:.3f}, E = {energy / 27.2:.10f}"]
            lines += [
                f"{symbol} {x:.10f} {y:.10f} {z:.10f}" for symbol, (x, y, z) in zip("OHH", rows, strict=True)
            ]
        path.with_name(path.name.replace("-pos-", f"-{kind}-")).write_text("\n".join(lines) + "\n")
    cells = [f"{step} {step / 2} 9 0 0 0 9 0 0 0 9 729" for step in range(len(WATER))]
    path.with_name(path.stem.replace("-pos-", "-") + ".cell").write_text(
        "# cells\n" + "\n".join(cells) + "\n"
    )


def orca(path: Path) -> None:
    atoms = "".join(
        f"{s} {x} {y} {z}\n" for s, (x, y, z) in zip("OHH", WATER.positions[0].tolist(), strict=True)
    )
    gradient = "".join(
        f"   {k + 1}   {s}   :  {-x / 51.4:.9f} {-y / 51.4:.9f} {-z / 51.4:.9f}\n"
        for k, (s, (x, y, z)) in enumerate(zip("OHH", WATER.forces[0], strict=True))
    )
    path.write_text(
        "                                 * O   R   C   A *\n"
        "Number of atoms                             ...      3\n"
        f"CARTESIAN COORDINATES (ANGSTROEM)\n---------------------------------\n{atoms}\n"
        f"FINAL SINGLE POINT ENERGY       -75.5\nCARTESIAN GRADIENT\n------------------\n\n{gradient}\n"
        "                             ****ORCA TERMINATED NORMALLY****\n"
    )


def gaussian(path: Path) -> None:
    rule = " " + "-" * 69 + "\n"
    numbered = list(enumerate(zip(NUMBERS, WATER.positions[0], WATER.forces[0] / 51.4, strict=True), start=1))
    places = "".join(f"   {k}   {z}   0   {x[0]:.6f} {x[1]:.6f} {x[2]:.6f}\n" for k, (z, x, _) in numbered)
    forces = "".join(f"   {k}   {z}   {f[0]:.9f} {f[1]:.9f} {f[2]:.9f}\n" for k, (z, _, f) in numbered)
    path.write_text(
        " Entering Gaussian System, Link 0=g16\n"
        f"                          Input orientation:                          \n{rule}"
        " Center     Atomic      Atomic             Coordinates (Angstroms)\n"
        f" Number     Number       Type             X           Y           Z\n{rule}{places}{rule}"
        " SCF Done:  E(UB3LYP) =  -75.5     A.U. after   10 cycles\n"
        " Center     Atomic                   Forces (Hartrees/Bohr)\n"
        f" Number     Number              X              Y              Z\n{rule}{forces}{rule}"
    )


def springs(path: Path) -> None:
    one = [{"distance": 0.96, "k": 500.0, "weight": 1.0}]
    far = [{"distance": 1.4, "k": 100.0, "weight": 0.5}, {"distance": 1.6, "k": 200.0, "weight": 0.5}]
    units = "distance in Angstrom, k in kcal/mol/Angstrom^2"
    pairs = {"H-O": one, "H-H": far}
    path.write_text(json.dumps({"temperature_K": 300.0, "units": units, "pairs": pairs}))


def thermo(path: Path) -> None:
    rng = np.random.default_rng(0)
    kinetic = 0.2 + 0.01 * rng.normal(size=60)
    rows = [
        f"{10 * k},{5.0 * k},{-7.0 - e!r},{e!r},{-7.0 + 1e-6 * float(rng.normal())!r},300.0"
        for k, e in enumerate(kinetic.tolist())
    ]
    header = "step,time_fs,potential_eV,kinetic_eV,total_eV,temperature_K"
    path.write_text("\n".join([header, *rows]) + "\n")


def lammps_log(path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{10 * k:8d} {0.005 * k:.6f} {-7 + 1e-6 * rng.normal():.9f} {0.2:.6f} {-7.2:.6f}" for k in range(60)
    ]
    path.write_text(
        "LAMMPS (22 Jul 2025)\nunits metal\ntimestep 0.0005\nPer MPI rank memory allocation\n"
        "   Step          Time         TotEng         KinEng         PotEng\n"
        + "\n".join(rows)
        + "\nLoop time of 0.1 on 1 procs for 590 steps with 3 atoms\n"
    )


def curve(path: Path) -> None:
    rows = [f"{d:.2f},{80 * (d - 0.96) ** 2:.4f}" for d in np.arange(0.6, 2.5, 0.1)]
    path.write_text("distance_A,energy_kcal_mol\n" + "\n".join(rows) + "\n")


def structure(path: Path) -> None:
    ase.io.write(path, Atoms(NUMBERS, EQUILIBRIUM), format="xyz")


def config(path: Path) -> None:
    import tomli_w

    path.write_text(tomli_w.dumps(CONFIG))


def network() -> SchNet:
    torch.manual_seed(0)
    return SchNet(SchNetOptions(**TINY), [1, 8], [-13.0, -2040.0], 0.7, None).double().eval()


def model(path: Path) -> None:
    reference = {
        "atomic_numbers": NUMBERS.tolist(),
        "positions": EQUILIBRIUM.tolist(),
        "symbols": list("OHH"),
    }
    bonds = [{"atoms": [0, k], "mean_A": 0.96, "std_A": 0.03, "range_A": [0.88, 1.06]} for k in (1, 2)]
    training = {
        "data": "water.xyz",
        "level_of_theory": None,
        "temperature_K": 300.0,
        "n_train": 4,
        "distance_range_A": {"H-H": [1.3, 1.7], "H-O": [0.88, 1.06]},
        "bonds": bonds,
        "reference_structure": reference,
    }
    export_model(network(), path, training=training)


def checkpoint(path: Path) -> None:
    """Of the form that a training writes; its numbers do not matter here."""
    made = network()
    state = {"model": made.state_dict(), "best": FlatParameters(made).copy(), "epoch": 1}
    save_checkpoint(path, state, "fingerprint")


def points(path: Path) -> None:
    """No point yet, but lines of the right form."""
    path.write_text("".join(json.dumps({"key": f"{k}", "energy_eV": -31.0 + k}) + "\n" for k in range(3)))


def results(path: Path) -> None:
    errors = {"energy_mae_kcal_mol": 0.04, "force_mae_kcal_mol_A": 0.27, "n_frames": 98}
    training = {"best_epoch": 7, "epochs": 8, "seconds": 4.2, "n_raw_frames": 8, "n_augmented_frames": 2}
    path.write_text(json.dumps({"test": errors, "validation": errors, "training": training}))


FRAMES: dict[str, tuple[Callable[[Path], None], str]] = {
    "npz": (npz, "frames.npz"),
    "extxyz": (extxyz, "frames.xyz"),
    "ASE database": (ase_sqlite, "frames"),
    "ASE JSON": (ase_json, "frames"),
    "SchNetPack database": (schnetpack, "frames.db"),
    "HDF5": (hdf5, "frames.h5"),
    "xyz of sGDML": (sgdml_xyz, "frames.xyz"),
    "ASE trajectory": (ase_trajectory, "frames.traj"),
    "nff": (nff, "dataset.pth.tar"),
    "nff, old container": (nff_legacy, "dataset.pth.tar"),
    "vasprun": (vasprun, "vasprun.xml"),
    "OUTCAR": (outcar, "OUTCAR"),
    "CP2K": (cp2k, "water-pos-1.xyz"),
    "ORCA": (orca, "job.out"),
    "Gaussian": (gaussian, "job.log"),
}
"""Readers of frames: name -> what writes a good file, and a name for the file."""

OTHERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "springs.json": (springs, "springs.json"),
    "thermo.csv": (thermo, "thermo.csv"),
    "LAMMPS log": (lammps_log, "log.lammps"),
    "reference curve": (curve, "curve.csv"),
    "structure": (structure, "start.xyz"),
    "configuration": (config, "mine.toml"),
    "model.pt": (model, "model.pt"),
    "checkpoint.pt": (checkpoint, "checkpoint.pt"),
    "points.jsonl": (points, "points.jsonl"),
    "results.json": (results, "results.json"),
}
