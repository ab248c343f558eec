from pathlib import Path

import numpy as np
import pytest

from mdaug.analysis.thermo_log import read_thermo
from mdaug.errors import DataError
from mdaug.units import EV_PER_KCAL_MOL

LAMMPS = """LAMMPS (22 Jul 2025 - Update 2)
units           real
timestep        ${dt}
timestep        0.5
thermo_style    custom step time temp pe ke etotal press
Setting up Verlet run ...
  Unit style    : real
  Current step  : 0
  Time step     : 0.5
Per MPI rank memory allocation (min/avg/max) = 2.5 | 2.5 | 2.5 Mbytes
   Step          Time           Temp          PotEng         KinEng         TotEng          Press
         0   0              300           -97000.5        18.8          -96981.7        10
        10   5              310           -97000.1        19.4          -96980.7        11
Loop time of 0.5 on 1 procs for 10 steps with 9 atoms

Setting up Verlet run ...
  Unit style    : real
  Time step     : 0.5
   Step          Time           Temp          PotEng         KinEng         TotEng          Press
       100   50             300           -97000.0        18.0          -96982.0        10
WARNING: Bond atom missing in image check (src/domain.cpp:883)
       110   55             301           -97001.0        18.5          -96982.5        10
WARNING 1 2 3 4 5 6
       120   60             302           -97002.0        19.25         -96982.75       10
Loop time of 0.5 on 1 procs for 20 steps with 9 atoms

Performance: 86.4 ns/day, 0.278 hours/ns, 2000.0 timesteps/s, 18.0 katom-step/s
"""


@pytest.fixture
def write(tmp_path):
    def to(text: str, name: str = "log.lammps") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return to


def test_last_run_of_a_lammps_log(write) -> None:
    log = read_thermo(write(LAMMPS))
    assert log.time_ps == pytest.approx([0.0, 0.005, 0.010])
    assert log.total_eV == pytest.approx(EV_PER_KCAL_MOL * np.array([-96982.0, -96982.5, -96982.75]))
    assert log.kinetic_eV == pytest.approx(EV_PER_KCAL_MOL * np.array([18.0, 18.5, 19.25]))
    assert (log.n_atoms, log.timestep_fs) == (9, 0.5)


def test_log_of_a_killed_run(write) -> None:
    killed = LAMMPS[: LAMMPS.index("6982.75")]  # in the middle of a number
    assert len(read_thermo(write(killed)).time_ps) == 2


def test_metal_units_and_no_time_column(write) -> None:
    text = "\n".join(
        [
            "Unit style    : metal",
            "Time step     : 0.001",
            "Step Temp PotEng TotEng",
            "0 300 -5 -4.5",
            "20 310 -5.1 -4.5",
            "Loop time of 1 on 2 procs for 20 steps with 64 atoms",
            "",
        ]
    )
    log = read_thermo(write(text))
    assert log.time_ps == pytest.approx([0.0, 0.02])
    assert log.kinetic_eV == pytest.approx([0.5, 0.6])
    assert log.timestep_fs == pytest.approx(1.0)
    per_atom = "thermo_modify norm yes\n" + text
    assert read_thermo(write(per_atom)).total_eV == pytest.approx([-4.5 * 64] * 2)


def test_units_must_be_known(write) -> None:
    bare = LAMMPS.replace("units           real\n", "").replace("Unit style    : real", "")
    with pytest.raises(DataError, match="--units real or --units metal"):
        read_thermo(write(bare))
    assert len(read_thermo(write(bare), units="real").time_ps) == 3
    with pytest.raises(DataError, match="units 'lj' have no eV"):
        read_thermo(write(LAMMPS.replace("real", "lj")))


CSV = """step,time_fs,potential_eV,kinetic_eV,total_eV,temperature_K
0,0.0,-4205.123456789012,0.27,-4204.853456789012,300.0
10,2.5,-4205.1,0.26,-4204.84,290.0
20,5.0,-4205.1,0.26,-4204.84,290.0
"""


def test_thermo_csv_with_its_folder(write, tmp_path) -> None:
    path = write(CSV + "30,7.5,-42", "thermo.csv")  # the last row was cut off
    write("HETATM    1\nHETATM    2\nEND\n", "topology.pdb")
    for source in (path, tmp_path):
        log = read_thermo(source)
        assert log.time_ps == pytest.approx([0.0, 0.0025, 0.005])
        assert log.total_eV[0] == -4204.853456789012
        assert (log.timestep_fs, log.n_atoms) == (0.25, 2)
    assert read_thermo(path, n_atoms=7).n_atoms == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "neither a thermo.csv of mdaug nor a LAMMPS log"),
        ("hello\n", "neither"),
        ("step,time_fs,total_eV\n1,2,3\n", "no column potential_eV"),
        (CSV + "40,1.0,x,1,1,1\n", "line 5: expected 6 numbers"),
        (CSV + "40,10.0,nan,1,nan,1\n", "total_eV is not finite in row 3; the run has blown up"),
        (CSV + "40,1.0,1,1,1,1\n", "times do not increase"),
        (LAMMPS.split("         0   0", maxsplit=1)[0], "the last thermo table is empty"),
    ],
)
def test_bad_files_are_named(write, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_thermo(write(text))


def test_no_file(tmp_path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_thermo(tmp_path / "none.csv")
