"""`mdaug augment` as a user types it."""

import pytest

from mdaug.cli.app import main
from mdaug.data import load_frames

pytestmark = pytest.mark.slow


def test_every_kind_of_copy_is_told_of(tmp_path, capsys):
    copies = ["--n-frames=2", "--n-stretched=3", "--n-impulses=2", "--springs.bootstrap=0"]
    assert main(["augment", "ethanol", "--every=20", *copies, f"--out={tmp_path}"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split(", rule force-matched")[0] for line in told[:3]] == [
        "2 frames with 9 atoms displaced by up to 0.3 Å",
        "3 frames with a bond stretched or compressed",
        "2 frames after an impulse of up to 150 kcal/mol",
    ]
    assert len(load_frames(str(tmp_path / "augmented.xyz"))) == 7


def test_frames_of_explore_belong_to_train_alone(tmp_path, capsys):
    """`mdaug augment` writes augmented frames and trains nothing: the option is unknown there."""
    assert main(["augment", "ethanol", "--every=20", "--explored=missing.xyz", f"--out={tmp_path}"]) == 2
    assert "explored" in capsys.readouterr().err
