"""Downloads against a local server that serves good, truncated, wrong, missing and stalling files."""

import contextlib
import functools
import gzip
import hashlib
import http.client
import http.server
import io
import os
import subprocess
import sys
import tarfile
import threading

import pytest

from minirnn.data.download import DownloadFailed, Mirror, download
from minirnn.data.registry import RemoteFile
from minirnn.data.report import Report
from minirnn.errors import InputError

CONTENT = bytes(range(256)) * 1200  # 307,200 bytes
HALF = len(CONTENT) // 2


class Handler(http.server.BaseHTTPRequestHandler):
    """/good /gz /tar /truncated (always) /flaky (breaks once) /wrong /stall /norange /busy (503 once); else 404."""

    def do_GET(self):
        kind = self.path.strip("/").split(".")[0]
        first = kind not in [seen for seen, _ in self.server.seen]
        asked = self.headers.get("Range")
        self.server.seen.append((kind, asked))
        body = self.server.bodies.get(kind)
        if body is None or (kind == "busy" and first):
            self.send_error(404 if body is None else 503)
            return
        begin = int(asked[6:-1]) if asked and kind != "norange" else 0
        if begin >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        length = {"abc": "abc", "many": str(1 << 40), "endless": None}.get(kind, str(len(body) - begin))
        if length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        if kind in ("endless", "drip"):
            with contextlib.suppress(ConnectionError):  # the other side has seen enough
                while not self.server.closing.wait(0.02 if kind == "drip" else 0):
                    self.wfile.write(b"x" if kind == "drip" else b"x" * 65536)
            return
        cut = kind == "truncated" or (kind in ("flaky", "norange", "stall") and first) or kind == "stallalways"
        self.wfile.write(body[begin : max(begin, HALF)] if cut else body[begin:])
        self.wfile.flush()
        if kind.startswith("stall") and cut:
            self.server.closing.wait(30)  # say nothing more, keep the connection

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as archive:
        member = tarfile.TarInfo("./inside/file.bin")
        member.size = len(CONTENT)
        archive.addfile(member, io.BytesIO(CONTENT))
    names = "good truncated flaky stall stallalways norange busy abc many endless drip".split()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.bodies = {name: CONTENT for name in names} | {
        "wrong": b"x" * len(CONTENT),
        "gz": gzip.compress(CONTENT),
        "bomb": gzip.compress(bytes(1 << 25)),
        "tar": tar.getvalue(),
    }
    server.seen, server.closing = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


def remote(server, *kinds):
    """The file with one mirror for each kind."""
    base = f"http://127.0.0.1:{server.server_address[1]}/"
    mirrors = (
        Mirror(base + "tar.tgz", "./inside/file.bin") if kind == "tar" else Mirror(base + kind) for kind in kinds
    )
    return RemoteFile("set/file.bin", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), tuple(mirrors))


@pytest.fixture
def get(server, tmp_path):
    """get(kind, ...) downloads through these mirrors into tmp_path and returns (path, lines said)."""

    def get(*kinds):
        said = io.StringIO()
        path = download(remote(server, *kinds), tmp_path, report=Report(said), stall=0.4)
        return path, said.getvalue()

    return get


@pytest.mark.parametrize("kind", ["good", "flaky", "stall", "norange", "busy"])
def test_download_is_whole_whatever_interrupts_it(kind, get, server, tmp_path):
    path, _ = get(kind)
    assert path == tmp_path / "set/file.bin"
    assert path.read_bytes() == CONTENT
    assert not list(tmp_path.rglob("*.part"))
    ranges = [asked for _, asked in server.seen]
    assert ranges == {"good": [None], "busy": [None, None]}.get(kind, [None, f"bytes={HALF}-"])


def test_packed_file_is_checked_by_its_content(get, tmp_path):
    path, _ = get("gz.gz")
    assert path == tmp_path / "set/file.bin.gz" and gzip.decompress(path.read_bytes()) == CONTENT


def test_archive_member_is_taken_and_the_archive_not_fetched_twice(get, server):
    path, _ = get("tar")
    assert path.read_bytes() == CONTENT
    path.unlink()
    path, _ = get("tar")
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.seen] == [None, f"bytes={len(server.bodies['tar'])}-"]


def test_next_mirror_is_used_after_each_kind_of_failure(get, server):
    path, said = get("missing", "wrong", "truncated", "stallalways", "good")
    assert path.read_bytes() == CONTENT
    assert (
        "HTTP 404" in said
        and "wrong content" in said
        and "cut short at 153600 of 307200" in said
        and "stalled for 0.4 s" in said
    )


def test_failure_names_every_mirror_and_leaves_nothing_at_the_path(get, tmp_path):
    with pytest.raises(DownloadFailed) as failure:
        get("missing", "wrong", "truncated")
    message = str(failure.value)
    assert "missing: HTTP 404" in message and "wrong: wrong content" in message and "truncated: cut short" in message
    assert "MINIRNN_DATA" in message and "twin" in message
    assert not (tmp_path / "set/file.bin").exists()
    assert [part.stat().st_size for part in tmp_path.rglob("*.part")] == [HALF]  # kept, to go on from


def test_partial_download_of_an_earlier_run_is_continued(get, server, tmp_path):
    with pytest.raises(DownloadFailed):
        get("truncated")
    server.bodies["truncated"] = CONTENT
    server.seen[:] = []
    next(tmp_path.rglob("*.part")).write_bytes(CONTENT[: HALF + 7])
    with pytest.raises(DownloadFailed):  # this server still breaks off, at once
        get("truncated")
    assert server.seen[0] == ("truncated", f"bytes={HALF + 7}-")


def test_foreign_partial_file_is_started_again(get, server, tmp_path):
    get("good")
    part = tmp_path / f"good.{hashlib.sha256(remote(server, 'good').mirrors[0].url.encode()).hexdigest()[:8]}.part"
    (tmp_path / "set/file.bin").unlink()
    part.write_bytes(b"another version")
    path, said = get("good")
    assert path.read_bytes() == CONTENT and "starting again" in said


def test_damaged_file_in_the_cache_is_replaced(get, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/file.bin").write_bytes(CONTENT[:100])
    assert get("good")[0].read_bytes() == CONTENT


def test_unreachable_server_is_one_clear_error(tmp_path):
    file = RemoteFile("set/file.bin", "0" * 64, 1, (Mirror("http://127.0.0.1:9/file"),))
    with pytest.raises(DownloadFailed, match="refused"):
        download(file, tmp_path, report=Report(quiet=True))


def test_network_errors_of_every_kind_are_tried_again_and_named(monkeypatch, tmp_path):
    file = RemoteFile("set/file.bin", "0" * 64, 1, (Mirror("http://nowhere/file"),))
    for error in (OSError(101, "Network is unreachable"), ConnectionResetError(), http.client.IncompleteRead(b"")):
        calls = []

        def broken(url, have, stall, error=error, calls=calls):
            calls.append(url)
            raise error

        monkeypatch.setattr("minirnn.data.download._open", broken)
        with pytest.raises(DownloadFailed, match="unreachable|ConnectionResetError|IncompleteRead"):
            download(file, tmp_path, report=Report(quiet=True))
        assert len(calls) == 3


def test_unwritable_cache_names_the_path(get, tmp_path):
    (tmp_path / "set").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="set"):
        get("good")


def test_full_disk_names_the_path_and_a_later_run_goes_on(get, monkeypatch, tmp_path):
    full = "/dev/full"
    if not os.path.exists(full):
        pytest.skip("this system has no /dev/full")
    from minirnn.data import download as module

    monkeypatch.setattr(
        module, "open", lambda path, mode: open(full if str(path).endswith(".part") else path, mode), raising=False
    )
    with pytest.raises(OSError, match="No space left.*part"):
        get("good")
    monkeypatch.undo()
    assert get("good")[0].read_bytes() == CONTENT


def test_two_processes_download_once(server, tmp_path):
    program = (
        "import sys; from pathlib import Path; from minirnn.data.download import Mirror, download;"
        "from minirnn.data.registry import RemoteFile;"
        "url, digest, cache = sys.argv[1:];"
        "print(download(RemoteFile('set/file.bin', digest, 1, (Mirror(url),)), Path(cache)))"
    )
    server.bodies["stall"] = CONTENT  # the first connection hangs for a while, so that the other must wait
    file = remote(server, "stall")
    arguments = [
        sys.executable,
        "-c",
        program.replace("Path(cache))", "Path(cache), stall=1.5)"),
        file.mirrors[0].url,
        file.sha256,
        str(tmp_path),
    ]
    start = functools.partial(subprocess.Popen, arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    results = [process.communicate(timeout=60) + (process.returncode,) for process in (start(), start())]
    assert [result[2] for result in results] == [0, 0], results
    assert {result[0].strip() for result in results} == {str(tmp_path / "set/file.bin")}
    assert [asked for _, asked in server.seen] == [None, f"bytes={HALF}-"]  # one download, once resumed
    assert "waiting for the download of process" in results[0][1] + results[1][1]


def test_progress_is_plain_lines_without_a_terminal():
    said = io.StringIO()
    with Report(said).progress("file", 0, 8 << 20) as step:
        for _ in range(8 << 4):
            step(1 << 16)
    assert said.getvalue().splitlines() == [f"file: {done:.1f} of 8.4 MB" for done in (2.1, 4.2, 6.3, 8.4)]


@pytest.mark.parametrize("kind, words", [
    ("abc", "the server gives no number of bytes but 'abc'"),
    ("many", "1099511627776 bytes, the file can have"),
    ("endless", "it has more than the"),
    ("drip", "too slow"),
    ("bomb.gz", "wrong content, damaged or far too long"),
])
def test_a_server_that_gives_too_much_or_too_slowly_is_left(kind, words, server, tmp_path):
    with pytest.raises(DownloadFailed, match=words):
        download(remote(server, kind), tmp_path, report=Report(io.StringIO()), stall=5, longest=0.5)
    assert all(path.stat().st_size < 2 << 20 for path in tmp_path.rglob("*.part"))
    path = download(remote(server, kind, "good"), tmp_path, report=Report(io.StringIO()), stall=5, longest=0.5)
    assert path.read_bytes() == CONTENT


def test_a_gzip_file_that_unpacks_to_far_more_is_not_unpacked_whole(tmp_path):
    from minirnn.data.registry import read_verified

    (tmp_path / "file.bin.gz").write_bytes(gzip.compress(bytes(1 << 25)))
    file = RemoteFile("file.bin", "0" * 64, 1000, ())
    with pytest.raises(InputError, match="at most 1049576 bytes unpacked, got more"):
        read_verified(tmp_path / "file.bin.gz", file)
