"""Where the machine code is kept, when it is made anew, and that nothing else is touched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
RUN = """
import sys
import numpy as np
from minirnn import kernels
dtype = sys.argv[1]
rng = np.random.default_rng(0)
x, h0, w, r = (rng.standard_normal(s).astype(dtype) for s in ((3, 2, 4), (2, 5), (5, 4), (5, 5)))
h, saved = kernels.rnn_forward(x, h0, w, r, None, None)
print(repr(float(h.sum(dtype=np.float64))))
"""


def environment(**changes):
    """This process's environment without what decides where machine code goes, plus the changes."""
    dropped = ("MINIRNN_CACHE", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "PYTHONPATH")
    kept = {k: v for k, v in os.environ.items() if k not in dropped}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1", **{k: str(v) for k, v in changes.items()}}


def run(code=RUN, dtype="float64", **changes):
    """(standard output, standard error) of the code in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, dtype], capture_output=True, text=True, env=environment(**changes), timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def machine_code(folder):
    return sorted(p for p in Path(folder).rglob("*") if p.suffix in (".nbc", ".nbi"))


@pytest.fixture(scope="module")
def install(tmp_path_factory):
    """A copy of the package as an installation would have it, which nobody may write to, and a cache it has filled."""
    base = tmp_path_factory.mktemp("install")
    ignored = shutil.ignore_patterns("__pycache__", "*.nbc", "*.nbi")
    shutil.copytree(ROOT / "minirnn", base / "site" / "minirnn", ignore=ignored)
    shutil.copytree(ROOT / "kernels", base / "site" / "minirnn" / "kernels", ignore=ignored)
    for path in (base / "site").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted((base / "site").rglob("*"))
    out, err = run(PYTHONPATH=base / "site", MINIRNN_CACHE=base / "cache")
    assert sorted((base / "site").rglob("*")) == before  # as root the modes stop nobody, so look
    return base, out, err


@pytest.mark.slow
def test_first_call_says_that_it_compiles_and_later_processes_do_not_compile(install):
    base, out, err = install
    assert err.startswith("minirnn: compiling kernels for float64") and str(base / "cache") in err
    assert err.count("\n") == 1
    assert machine_code(base / "cache")
    again = run(PYTHONPATH=base / "site", MINIRNN_CACHE=base / "cache")
    assert again == (out, "")


@pytest.mark.slow
def test_an_edit_in_any_file_is_noticed(install, tmp_path):
    """Numba itself looks only at the file of the kernel; this edit is in that of a helper."""
    base, out, _ = install
    shutil.copytree(base / "site", tmp_path / "site")
    vector = tmp_path / "site" / "minirnn" / "kernels" / "vector.py"
    vector.chmod(0o644)
    source = vector.read_text()
    assert source.count("return expm1 / (expm1 + 2.0)") == 1
    vector.write_text(source.replace("return expm1 / (expm1 + 2.0)", "return 0.0 * expm1 / (expm1 + 2.0)"))
    edited, err = run(PYTHONPATH=tmp_path / "site", MINIRNN_CACHE=base / "cache")
    assert float(edited) != float(out) and "compiling kernels" in err
    assert run(PYTHONPATH=base / "site", MINIRNN_CACHE=base / "cache") == (out, "")  # the old code is still there


@pytest.mark.slow
def test_four_processes_may_start_at_once(install, tmp_path):
    base, out, _ = install
    env = environment(PYTHONPATH=base / "site", MINIRNN_CACHE=tmp_path / "cache")
    kinds = ("float64", "float32", "float64", "float32")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [subprocess.Popen([sys.executable, "-c", RUN, kind], env=env, **pipes) for kind in kinds]
    finished = [(process.communicate(timeout=300), process.returncode) for process in started]
    assert [code for _, code in finished] == [0] * 4, finished
    values = [float(stdout) for (stdout, _), _ in finished]
    assert values[0] == values[2] == float(out) and values[1] == values[3] == pytest.approx(float(out), abs=1e-4)
    for kind, value in zip(kinds[:2], values):
        assert run(dtype=kind, PYTHONPATH=base / "site", MINIRNN_CACHE=tmp_path / "cache") == (repr(value), "")


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_done_without(install, tmp_path):
    base, out, _ = install
    (tmp_path / "file").write_text("in the way")
    got, err = run(PYTHONPATH=base / "site", MINIRNN_CACHE=tmp_path / "file" / "cache")
    assert got == out and err.count("compiled kernels are not kept") == 1
    assert not machine_code(base / "site")


def test_the_folder_is_the_users(monkeypatch, tmp_path):
    from minirnn.kernels.jit import user_cache_directory

    for name in ("MINIRNN_CACHE", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_cache_directory() == tmp_path / "home" / ".cache" / "minirnn"
    for name, expected in (("XDG_CACHE_HOME", "xdg/minirnn"), ("NUMBA_CACHE_DIR", "numba"), ("MINIRNN_CACHE", "ours")):
        monkeypatch.setenv(name, str(tmp_path / expected.split("/")[0]))
        assert user_cache_directory() == tmp_path / expected


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("variable", [None, "MINIRNN_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"])
def test_downloads_lie_beside_the_kernels_machine_code(platform, variable, monkeypatch, tmp_path):
    from minirnn.kernels.jit import user_cache_directory

    from minirnn.data.registry import cache_folder

    for name in ("MINIRNN_CACHE", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    if variable is not None:
        monkeypatch.setenv(variable, "~/kept here")
    assert cache_folder() == user_cache_directory() / "data"


def test_numba_settings_of_the_user_stay_as_they_are():
    import numba
    import numpy as np
    from minirnn.kernels import packed

    before = numba.config.CACHE_DIR
    packed.sum_rows.on(np.float64)
    assert numba.config.CACHE_DIR == before


def test_fingerprint_covers_every_source_and_the_versions(monkeypatch):
    from minirnn.kernels import jit

    before = jit._fingerprint()
    assert jit.cache_directory() is None or jit.cache_directory().name == f"kernels-{before}"
    monkeypatch.setattr(jit.numba, "__version__", "0.0")
    assert jit._fingerprint() != before


@pytest.fixture
def kept_file(install, tmp_path):
    """A copy of a filled cache, the environment that uses it, and one file of machine code in it."""
    base, out, _ = install
    shutil.copytree(base / "cache", tmp_path / "cache")
    tmp_path.chmod(0o700)
    where = {"PYTHONPATH": base / "site", "MINIRNN_CACHE": tmp_path / "cache"}
    folder, _ = run("from minirnn.kernels import jit; print(jit.cache_directory())", **where)
    return where, out, next(f for f in machine_code(folder) if f.name.startswith("rnn."))


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [
    lambda data: b"", lambda data: data[:-1], lambda data: data[: len(data) // 2],
    lambda data: data[:1000] + bytes([data[1000] ^ 1]) + data[1001:], lambda data: data[32:],
])
def test_damaged_machine_code_is_compiled_again_with_a_word(kept_file, spoil):
    where, out, path = kept_file
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    got, err = run(**where)
    assert got == out and f"{path} is damaged; compiling it again" in err
    assert run(**where) == (out, "")  # whole again


@pytest.mark.slow
def test_machine_code_that_others_could_have_written_does_not_run(kept_file):
    """The kept files are pickles: one that is read runs what is in it."""
    import hashlib
    import pickle

    where, out, path = kept_file

    class Trap:
        def __reduce__(self):
            return print, ("the trap ran",)

    data, name = pickle.dumps(Trap()), f"{path.parent.name}/{path.name}"
    whole, trap = path.read_bytes(), hashlib.sha256(name.encode() + b"\0" + data).digest() + data
    path.write_bytes(trap)
    assert "the trap ran" in subprocess.run(
        [sys.executable, "-c", RUN, "float64"], capture_output=True, text=True, env=environment(**where)).stdout
    for folder, mode in ((path.parent, 0o777), (path.parent, 0o720), (path.parent.parent, 0o777)):
        before = folder.stat().st_mode
        folder.chmod(mode)
        got, err = run(**where)
        assert got == out and f"{folder} can be written by others" in err and err.count("not kept") == 1
        folder.chmod(before)
    path.chmod(0o666)
    got, err = run(**where)
    assert got == out and f"{path} can be written by others" in err
    assert path.stat().st_mode & 0o022 == 0  # written anew
    path.unlink()
    elsewhere = path.parent.parent.parent / "elsewhere"
    elsewhere.write_bytes(whole)
    path.symlink_to(elsewhere)
    got, err = run(**where)
    assert got == out and f"{path} cannot be read" in err and not path.is_symlink()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs users")
def test_a_folder_of_another_user_is_not_used(tmp_path, monkeypatch):
    from minirnn.kernels import kept

    assert kept.private_folder(tmp_path / "new" / "kernels") is None
    assert all(f.stat().st_mode & 0o777 == 0o700 for f in (tmp_path / "new", tmp_path / "new" / "kernels"))
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert "belongs to user" in kept.private_folder(tmp_path / "new" / "kernels")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    assert kept.private_folder(tmp_path / "link") == f"{tmp_path / 'link'} is no folder" or "belongs" in (
        kept.private_folder(tmp_path / "link"))


def test_folders_are_private_whatever_the_umask(tmp_path):
    from minirnn.kernels import kept

    before = os.umask(0)
    try:
        assert kept.private_folder(tmp_path / "a" / "b" / "c") is None
    finally:
        os.umask(before)
    assert [f.stat().st_mode & 0o777 for f in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700, 0o700]


def test_a_lock_that_is_a_link_empties_nothing(tmp_path):
    from minirnn.kernels import kept

    (tmp_path / "precious").write_bytes(b"kept")
    (tmp_path / "k.lock").symlink_to(tmp_path / "precious")
    with kept.one_process_at_a_time(tmp_path / "k.lock"):
        pass
    (tmp_path / "own.lock").write_bytes(b"kept")
    with kept.one_process_at_a_time(tmp_path / "own.lock"):
        pass
    assert (tmp_path / "precious").read_bytes() == (tmp_path / "own.lock").read_bytes() == b"kept"
