"""Named sets: in the cache only if they are what they claim to be."""

from collections.abc import Callable
from pathlib import Path

import pooch
import pytest

from mdaug.data import load_frames
from mdaug.data.datasets import REMOTE_SETS, cached_path, fetch, install
from mdaug.errors import DataError
from mdaug.frames import FrameSet

CCSDT = "ethanol_ccsd_t_1000.npz"


@pytest.mark.reference_sets("ethanol_ccsd_t_1000.npz")
def test_the_reference_case_from_a_copy_at_hand(
    reference_set: Callable[[str], Path], own_cache: Path
) -> None:
    path = install("ethanol-ccsdt", reference_set(CCSDT))
    assert path.parent == own_cache
    with pytest.warns(UserWarning, match=r"998 of 1000 frames are distinct; duplicates \(280/736, 773/826\)"):
        frames = load_frames("ethanol-ccsdt")
    assert (len(frames), frames.temperature_K, frames.level_of_theory) == (1000, 500.0, "CCSD(T)/cc-pVTZ")
    assert frames.energies[0] == pytest.approx(-97089.07088252 / 23.060548, abs=1e-4)


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    other.write_bytes(b"PK other frames")
    with pytest.raises(DataError, match="not ethanol-ccsdt: its SHA-256 is"):
        install("ethanol-ccsdt", other)
    with pytest.raises(DataError, match="mdaug dataset ethanol-ccsdt"):
        cached_path("ethanol-ccsdt")


def test_a_missing_set_names_the_command() -> None:
    with pytest.raises(DataError, match=r"not in the cache .* `mdaug dataset ethanol-ccsdt`"):
        load_frames("ethanol-ccsdt")


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(DataError, match="no such data set; expected ethanol, ethanol-ccsdt"):
        fetch("benzene")


def _downloader(content: bytes | None):
    """Return a stand-in for pooch's downloader: a network that is down, or that serves `content`."""

    def make(**_options):
        def download(_url, output_file, _pooch, **_more):
            if content is None:
                raise ConnectionError("no network")
            Path(output_file).write_bytes(content)

        return download

    return make


def test_offline_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooch, "HTTPDownloader", _downloader(None))
    with pytest.raises(
        DataError, match=r"failed \(ConnectionError\); check the network, or give .* --from FILE"
    ):
        fetch("ethanol-ccsdt")


@pytest.mark.reference_sets("ethanol_ccsd_t_1000.npz")
def test_a_download_is_checked(monkeypatch: pytest.MonkeyPatch, reference_set: Callable[[str], Path]) -> None:
    monkeypatch.setattr(pooch, "HTTPDownloader", _downloader(b"<html>moved</html>"))
    with pytest.raises(DataError, match="the downloaded file is another one"):
        fetch("ethanol-ccsdt")
    monkeypatch.setattr(pooch, "HTTPDownloader", _downloader((reference_set(CCSDT)).read_bytes()))
    assert fetch("ethanol-ccsdt").name == REMOTE_SETS["ethanol-ccsdt"].filename


def test_the_embedded_frames(ethanol: FrameSet) -> None:
    assert (len(ethanol), ethanol.n_atoms) == (1000, 9)
    assert (ethanol.temperature_K, ethanol.level_of_theory) == (500.0, "GFN2-xTB")
    assert ethanol.atomic_numbers.tolist() == [6, 6, 8, 1, 1, 1, 1, 1, 1]
