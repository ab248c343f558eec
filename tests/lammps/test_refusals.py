"""Everything that the pair style refuses ends `lmp` with one ERROR line that says what is wrong."""

import json
import zipfile

import pytest

from mdaug.deployment import export_model

GOOD = {
    "units": "units metal",
    "style": "atom_style atomic",
    "pair": "pair_style mdaug",
    "coeff": "pair_coeff * * {model} H C",
    "more": "",
}
INPUT = """{units}
{style}
region box block 0 8 0 8 0 8
create_box 2 box {extra}
mass * 12.0
create_atoms 1 single 1 1 1
create_atoms 2 single 2 1 1
{pair}
{coeff}
{more}
run 0
"""
REGULATION = "fix acid all charge/regulation 1 2 pH 7 pKa 6 lunit_nm 0.72 onlysalt yes 1 -1 seed 5"
HEAT_FLUX = """compute ke all ke/atom
compute pe all pe/atom
compute stress all stress/atom NULL virial
compute flux all heat/flux ke pe stress"""


def refuse(lab, *, ranks=1, at="", **changes):
    """Run the changed input and return its only ERROR line; `at` is the input line that is refused."""
    words = GOOD | {"extra": ""} | changes
    words = {name: text.replace("{model}", str(lab.model)) for name, text in words.items()}
    printed = lab.run(INPUT.format(**words), ranks=ranks, fails=True)
    errors = [line for line in printed.splitlines() if "ERROR" in line]
    assert len(errors) == 1, printed[-2000:]
    assert not at or f"Last input line: {at}\n" in printed
    return errors[0]


def test_the_input_is_good_otherwise(lab):
    words = GOOD | {"coeff": GOOD["coeff"].format(model=lab.model), "extra": ""}
    assert "ERROR" not in lab.run(INPUT.format(**words))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"units": "units lj"}, "units lj are not supported; use real or metal"),
        ({"coeff": "pair_coeff * * {model} H Xx"}, "has no element Xx (atom type 2)"),
        ({"coeff": "pair_coeff * * {model} H C O"}, "3 elements given for 2 atom types"),
        ({"coeff": "pair_coeff 1 2 {model} H C"}, "must start with * *"),
        ({"coeff": ""}, "pair"),
        ({"coeff": "pair_coeff * * nowhere.pt H C"}, "nowhere.pt"),
        ({"coeff": "pair_coeff * * in.test H C"}, "in.test"),
        ({"pair": "pair_style mdaug precision half"}, "precision must be float32 or float64, not half"),
        ({"pair": "pair_style mdaug threads 0"}, "threads must be at least 1, not 0"),
        ({"pair": "pair_style mdaug device cuda"}, "device must be cpu, not cuda"),
        ({"pair": "pair_style mdaug colour"}, "unknown option colour"),
        ({"pair": "pair_style mdaug threads"}, "option threads needs a value"),
        (
            {
                "style": "atom_style atomic\natom_modify first few",
                "more": "group few type 1\ncomm_modify group few",
            },
            "comm_modify group leaves out ghosts",
        ),
        (
            {"more": "fix gas all gcmc 1 4 0 1 1 300 -5 0.1 full_energy"},
            "fix gcmc counts the energies of lone",
        ),
        ({"more": "fix mu all widom 1 4 1 1 300 full_energy"}, "fix widom counts the energies of lone"),
        (
            {"style": "atom_style charge", "more": REGULATION},
            "fix charge/regulation counts the energies of lone",
        ),
        ({"pair": "pair_style mdaug strict perhaps"}, "strict must be yes or no, not perhaps"),
        ({"pair": "pair_style mdaug reference"}, "option reference needs a value"),
        ({"more": HEAT_FLUX}, "compute heat/flux is wrong for many-body forces"),
    ],
)
def test_refused_in_one_line(lab, changes, expected):
    assert expected in refuse(lab, **changes)


def test_whole_molecules_of_the_model_are_not_deleted(lab):
    """A deleted molecule would still count with its own energy."""
    (lab.folder / "h2.mol").write_text(
        "# hydrogen\n\n2 atoms\n\nCoords\n\n1 0 0 0\n2 0.74 0 0\n\nTypes\n\n1 1\n2 1\n"
    )
    changes = {
        "style": "atom_style molecular\natom_modify map array\nmolecule h2 h2.mol",
        "pair": "pair_style mdaug reference no",
        "more": "fix gas all gcmc 1 4 0 0 1 300 -5 0.1 mol h2 full_energy",
    }
    assert "fix gcmc counts a deleted molecule with the energy of a lone molecule" in refuse(lab, **changes)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("fix gas all gcmc 1 4 0 1 1 300 -5 0.1 full_energy", "fix gcmc counts the energies of lone atoms"),
        (HEAT_FLUX, "compute heat/flux is wrong for many-body forces"),
    ],
)
def test_checks_are_made_without_preparation_too(lab, more, expected):
    more = f"fix nve all nve\nrun 0\n{more}\nrun 1 pre no\n"
    assert expected in refuse(lab, more=more, at="run 1 pre no")


def test_elements_in_another_order_than_the_masses_are_a_warning(lab):
    words = GOOD | {"extra": "", "coeff": GOOD["coeff"].format(model=lab.model)}
    message = "atom type 1 is H by pair_coeff, but heavier (mass 12.011) than type 2, C (mass 1.008)"
    for heavier, warned in (("mass 1 12.011\nmass 2 1.008", 1), ("mass 1 3.02\nmass 2 5.96", 0)):
        printed = lab.run(INPUT.replace("mass * 12.0", heavier).format(**words))
        assert printed.count(message) == warned
        assert printed.count("WARNING: pair_style mdaug") == warned


@pytest.mark.parametrize(
    ("coeff", "expected"), [("{model} H Xx", "has no element Xx"), ("nowhere.pt H C", "no such file")]
)
def test_ranks_refuse_with_one_voice(lab, coeff, expected):
    assert expected in refuse(lab, coeff=f"pair_coeff * * {coeff}", ranks=2)


def test_a_ghost_cutoff_below_the_models_is_refused(lab, make_model):
    """LAMMPS itself never lets it be, but for a model that is set after it has prepared the run."""
    wide = export_model(make_model(cutoff=6.5), lab.folder / "wide.pt", training={"data": "none"})
    more = f"fix nve all nve\nrun 0\npair_coeff * * {wide} H C\nrun 1 pre no\n"
    assert "ghost cutoff 6 is below the model's cutoff 6.5" in refuse(lab, more=more)


@pytest.mark.parametrize("change", ["pair_style mdaug precision float32", "pair_coeff * * {model} H C"])
def test_changes_that_no_run_is_prepared_for_are_refused(lab, change):
    more = f"fix nve all nve\nrun 0\n{change}\nrun 1 pre no\n"
    assert "its settings or its model have changed; run without 'pre no'" in refuse(lab, more=more)


def test_a_model_of_another_format_version_is_refused(lab, model_path):
    old = lab.folder / "old.pt"
    with zipfile.ZipFile(model_path) as source, zipfile.ZipFile(old, "w") as target:
        for item in source.infolist():
            content = source.read(item)
            if item.filename.endswith("manifest.json"):
                content = json.dumps(json.loads(content) | {"format_version": 99}).encode()
            target.writestr(item.filename, content)
    assert "version 99" in refuse(lab, coeff=f"pair_coeff * * {old} H C")


def test_a_flipped_weight_is_refused(lab, flip_a_weight):
    flipped = flip_a_weight(lab.model, lab.folder / "flipped.pt")
    assert "weights are not those of its manifest" in refuse(lab, coeff=f"pair_coeff * * {flipped} H C")


def test_lost_atoms_end_the_run(lab):
    more = "velocity all set 1000 0 0\nfix nve all nve\nthermo 1\nrun 100\n"
    assert "ost atoms" in refuse(lab, style="atom_style atomic\nboundary f f f", more=more)


def test_a_flipped_bit_is_refused(lab):
    """Not of a weight: of what no hash covers, as the cutoff and the energy scale."""
    content = bytearray(lab.model.read_bytes())
    content[content.index(b"energy_scale") + 20] ^= 1
    (lab.folder / "flipped.pt").write_bytes(content)
    assert "wrong checksum of" in refuse(lab, coeff="pair_coeff * * flipped.pt H C")
