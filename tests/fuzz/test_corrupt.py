"""Every corruption of `corrupt.py` is refused or warned of by its right name; clean sets raise no alarm."""

from pathlib import Path

import pytest

from mdaug.data.load import read_frames
from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.energies_from_forces import Effort
from mdaug.data.verification.verify import verify_frames
from mdaug.frames import FrameSet
from mdaug.verdicts import Verdict
from tests.fuzz.corrupt import CORRUPTIONS

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[1] / "data"

SETS = {
    "ethanol": "ethanol",
    "methanol": str(DATA / "methanol.npz"),
    "water box": str(DATA / "water_box.npz"),
    "silicon": str(DATA / "silicon.npz"),
}

EFFORT = Effort(n_equations=1000, n_predicted=300)

NOT_DECIDED = {("methanol", "0.8 times the temperature"), ("water box", "0.8 times the temperature")}
"""Sets with too few frames to decide on a corruption: the verdict is "cannot tell"."""


@pytest.fixture(scope="module", params=SETS)
def clean(request: pytest.FixtureRequest) -> tuple[str, FrameSet]:
    """A clean set and its name."""
    frames = read_frames(SETS[request.param]).frames
    return request.param, frames.evenly_spaced(300)


def _verdicts(frames: FrameSet, units: str = "eV") -> tuple[Verdict, ...]:
    return verify_frames(frames, StatedUnits.of_energy(units), EFFORT).verdicts


def test_clean_frames_raise_no_alarm(clean: tuple[str, FrameSet]) -> None:
    alarms = [verdict.text for verdict in _verdicts(clean[1]) if verdict.verdict in ("warning", "error")]
    assert not alarms


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corrupted_frames_are_told_by_name(clean: tuple[str, FrameSet], name: str) -> None:
    corruption = CORRUPTIONS[name]
    frames = corruption.make(clean[1])
    if frames is None:
        pytest.skip(f"{clean[0]} cannot have this fault")
    verdicts = [v for v in _verdicts(frames, corruption.stated) if v.name in corruption.checks]
    if (clean[0], name) in NOT_DECIDED:
        assert {verdict.verdict for verdict in verdicts} == {"cannot tell"}
        return
    told = [verdict for verdict in verdicts if verdict.verdict == corruption.verdict]
    assert any(words in verdict.text for verdict in told for words in corruption.says), verdicts
