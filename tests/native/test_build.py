"""Compiling once, and doing without a compiler."""

import re
import subprocess
import sys

import pytest

from mdaug.native import load_kernels
from mdaug.native.build import CORE, KERNELS, _key, build_library
from mdaug.native.compiler import find_compiler


def test_a_built_library_is_found_again(monkeypatch):
    library = build_library(KERNELS)
    monkeypatch.setattr("mdaug.native.build.run_compiler", lambda command: pytest.fail("compiled again"))
    assert build_library(KERNELS) == library
    assert library.stat().st_size > 0


def test_another_torch_gets_another_build_of_what_uses_it(monkeypatch):
    before = {library.name: _key(find_compiler(), library) for library in (KERNELS, CORE)}
    monkeypatch.setattr("torch.__version__", "9.9.9")
    assert _key(find_compiler(), KERNELS) != before["kernels"]
    assert _key(find_compiler(), CORE) == before["core"]


def test_the_core_loads_without_torch():
    """A start of LAMMPS with the pair style would wait for it."""
    library = str(build_library(CORE))
    code = f"import ctypes; ctypes.CDLL({library!r}); print(open('/proc/self/maps').read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "core-" in done.stdout and "libtorch" not in done.stdout and "libc10" not in done.stdout


def test_another_compiler_and_an_upgraded_one_at_the_same_path_get_another_build(tmp_path):
    keys = []
    for name, version in (("c++", "12.2.0"), ("c++", "12.2.0"), ("c++", "14.1.0"), ("clang++", "14.1.0")):
        compiler = tmp_path / name
        compiler.write_text(f"#!/bin/sh\necho 'compiler (Some Linux) {version}'\n")
        compiler.chmod(0o755)
        keys.append(_key(str(compiler), CORE))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


@pytest.mark.parametrize("watched", [True, False])
def test_compilation_prints_a_message_at_a_terminal(watched, monkeypatch, tmp_path, capsys):
    compiler = tmp_path / "c++"
    compiler.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exit\nwhile [ "$1" != -o ]; do shift; done\n: > "$2"\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("MDAUG_CACHE", str(tmp_path))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: watched)
    build_library(KERNELS)
    message = "mdaug: compiling its training kernels for this machine, once (half a minute)\n"
    assert capsys.readouterr().err == (message if watched else "")
    build_library(KERNELS)
    assert capsys.readouterr().err == ""


@pytest.fixture
def forget():
    """Decide anew whether there are kernels, and forget it afterwards."""
    load_kernels.cache_clear()
    yield
    load_kernels.cache_clear()


def test_kernels_can_be_switched_off(forget, monkeypatch):
    monkeypatch.setenv("MDAUG_NO_KERNELS", "1")
    assert load_kernels() is False


def test_no_compiler_is_a_warning(forget, monkeypatch, tmp_path):
    monkeypatch.setenv("MDAUG_CACHE", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.warns(UserWarning, match=r"no C\+\+ compiler found"):
        assert load_kernels() is False


def test_a_failing_compiler_is_a_warning_with_its_words(forget, monkeypatch, tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'fatal: out of cheese' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("MDAUG_CACHE", str(tmp_path / "cache"))
    with pytest.warns(UserWarning, match="out of cheese"):
        assert load_kernels() is False
    assert not list((tmp_path / "cache").rglob("*.so"))


PLANTED = """
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void run(void) { fclose(fopen(getenv("PLANTED"), "w")); }
"""


@pytest.fixture
def planted(monkeypatch, tmp_path):
    """Return a library that is not mdaug's at the place of the kernels, and the file that it writes."""
    monkeypatch.setenv("MDAUG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PLANTED", str(tmp_path / "it-ran"))
    folder = tmp_path / "cache" / "native"
    folder.mkdir(parents=True, mode=0o755)
    source, library = tmp_path / "planted.c", folder / f"kernels-{_key(find_compiler(), KERNELS)}.so"
    source.write_text(PLANTED)
    command = [find_compiler(), "-x", "c", "-shared", "-fPIC", str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    library.chmod(0o755)
    return library, tmp_path / "it-ran"


@pytest.mark.parametrize("place", ["library", "folder"])
def test_a_library_that_others_may_have_written_is_not_loaded(forget, planted, place):
    library, evidence = planted
    (library if place == "library" else library.parent).chmod(0o777)
    with pytest.warns(
        UserWarning, match=r"without C\+\+ kernels.* can be written by other users \(mode 777\)"
    ):
        assert load_kernels() is False
    assert not evidence.exists()


def test_a_library_of_something_else_is_a_warning(planted):
    """In a process of its own, which has no operations from an earlier test."""
    _, evidence = planted
    code = "from mdaug.native import load_kernels\nprint(load_kernels())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert re.search(
        r"without C\+\+ kernels.*\.so lacks mdaug's operations; remove it", done.stderr, re.DOTALL
    )
    assert evidence.exists()  # a library of one's own is loaded


def test_a_built_library_can_be_written_by_its_owner_only(monkeypatch, tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exit\nwhile [ "$1" != -o ]; do shift; done\n'
        ': > "$2"\nchmod 777 "$2"\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("MDAUG_CACHE", str(tmp_path / "cache"))
    assert build_library(KERNELS).stat().st_mode & 0o777 == 0o755


def test_everything_runs_without_kernels(tmp_path):
    """A process that may not use them evaluates and differentiates the model."""
    code = """
import torch
from mdaug.models import Graph, SchNet, SchNetOptions
model = SchNet(SchNetOptions(n_atom_basis=8, n_filters=8, prior="none"), [1, 8], [0.0, 0.0], 1.0)
one = torch.tensor([0]); d = torch.tensor([1.0]); unit = torch.tensor([[1.0, 0.0, 0.0]])
energies, forces = model(Graph(torch.tensor([0, 1]), one, one + 1, d, unit, torch.tensor([0, 0]), 1))
(energies.sum() + forces.square().sum()).backward()
assert not hasattr(torch.ops.mdaug, "spline_message")
print(float(forces.abs().sum()) > 0)
"""
    environment = {"MDAUG_NO_KERNELS": "1", "PATH": "", "OMP_NUM_THREADS": "1", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
