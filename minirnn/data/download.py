"""Downloads that are verified, atomic and resumable, from a list of mirrors."""

import gzip
import hashlib
import http.client
import tarfile
import time
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path

from minirnn.data.report import Report
from minirnn.errors import InputError
from minirnn.files import Lock, make_folder, naming, sync_folder

STALL = 20.0  # seconds without a byte
ATTEMPTS = 3  # on one mirror, each going on where the last one stopped
SLOWEST = 10_000  # bytes in a second; a server that gives fewer, however steadily, has ten minutes
BLOCK = 1 << 16
SPARE = 1 << 20  # bytes by which a file may be longer than expected and still be read, to say what it is
LARGEST_ARCHIVE = 1 << 29


@dataclass(frozen=True)
class Mirror:
    """An address of a file (plain or .gz), or of a tar archive that has it as ``member``."""

    url: str
    member: str = ""


class DownloadFailed(InputError):
    """No mirror gave the file; the message has one reason for each."""


class _Refused(Exception):
    """This mirror cannot give the file: go to the next one."""


def download(file, cache, report=None, licence="", stall=STALL, attempts=ATTEMPTS, longest=None):
    """Fetch ``file`` into ``cache`` -> its path there; what lies at that path is always whole and verified.

    Mirrors are tried in turn, each for at most ``longest`` seconds and the bytes that the file can have; a stall of
    ``stall`` seconds or a broken connection resumes with a Range request, at most ``attempts`` times. A second process
    waits for the first and uses its file. DownloadFailed when no mirror works (a partial download stays for the next
    attempt), OSError with the path when the cache cannot be written.
    """
    report = report or Report()
    final = cache / file.path
    make_folder(final.parent)
    reasons = []
    waiting = lambda holder: report.line(f"waiting for the download of process {holder}")
    with Lock(cache / ".lock", f"cache {cache}", wait=True, on_wait=waiting):
        for path in (final, final.with_name(final.name + ".gz")):
            if path.is_file() and content_hash(path, most=file.size + SPARE) == file.sha256:
                return path  # another process was first
        if licence:
            report.line(f"{file.path}: {licence}")
        for mirror in file.mirrors:
            try:
                return _from_mirror(mirror, file, final, cache, report, stall, attempts, longest)
            except _Refused as reason:
                reasons.append(f"{mirror.url}: {reason}")
                report.line(f"{mirror.url}: {reason}")
    raise DownloadFailed(
        f"download of {file.path} failed: "
        + ("; ".join(reasons) or f"no address gives it freely ({licence})")
        + f". Put the file at {final} by hand, set MINIRNN_DATA to a folder"
        " that has it, or ask for the generated twin (--twin)"
    )


def _from_mirror(mirror, file, final, cache, report, stall, attempts, longest):
    """Download from one mirror, check the content, rename into place -> path."""
    packed = mirror.url.endswith(".gz") and not mirror.member
    final = final.with_name(final.name + ".gz") if packed else final
    tag = hashlib.sha256(mirror.url.encode()).hexdigest()[:8]  # two mirrors never share a partial file
    partial = cache / f"{mirror.url.rsplit('/', 1)[-1]}.{tag}.part"
    resumed = partial.exists()
    most = LARGEST_ARCHIVE if mirror.member else file.size + SPARE
    until = time.monotonic() + (longest if longest is not None else max(600, most / SLOWEST))
    while True:
        _receive(mirror.url, partial, report, stall, attempts, most, until)
        content = _unpack(mirror, partial, final, file.size + SPARE) if mirror.member else partial
        digest = content_hash(content, packed, file.size + SPARE)
        if digest == file.sha256:
            break
        content.unlink()
        partial.unlink(missing_ok=True)
        if not resumed:
            what = f"sha256 {digest[:12]}..." if digest else "damaged or far too long"
            raise _Refused(f"wrong content, {what} instead of {file.sha256[:12]}...")
        resumed = False  # the old part may have been another version: once more from the start
        report.line(f"{mirror.url}: the resumed file is wrong, starting again")
    with naming(final):
        content.replace(final)  # an archive's partial file stays: its other members are wanted next
        sync_folder(final.parent)
    return final


def _receive(url, partial, report, stall, attempts, most, until):
    """Append what is missing of ``url`` to ``partial``, going on after a break; _Refused when it stays incomplete."""
    reason = ""
    for attempt in range(attempts):
        if attempt:
            report.line(f"{url}: {reason}; going on at {partial.stat().st_size if partial.exists() else 0} bytes")
            time.sleep(min(0.1 * 2**attempt, 5))
        have = partial.stat().st_size if partial.exists() else 0
        try:
            with _open(url, have, stall) as response:
                resumes = response.status == 206 and (response.headers.get("Content-Range") or "").startswith(
                    f"bytes {have}-"
                )
                if response.status == 206 and not resumes:
                    raise _Refused("the server answers another range than the one asked for")
                length = (response.headers.get("Content-Length") or "").strip()
                if length and not (length.isascii() and length.isdigit()):
                    raise _Refused(f"the server gives no number of bytes but {length[:40]!r}")
                total = int(length) + (have if resumes else 0) if length else None
                if total is not None and total > most:
                    raise _Refused(f"{total} bytes, the file can have {most} at most")
                received = _copy(response, partial, "ab" if resumes else "wb", total, report, most, until)
        except urllib.error.HTTPError as error:
            if error.code == 416 and have:  # nothing after what we have: it is whole, or not ours
                return
            if error.code < 500:
                raise _Refused(f"HTTP {error.code} {error.reason}") from None
            reason = f"HTTP {error.code} {error.reason}"
            continue
        except TimeoutError:
            reason = f"stalled for {stall:g} s"
            continue
        except urllib.error.URLError as error:
            stalled = isinstance(error.reason, TimeoutError)
            reason = f"stalled for {stall:g} s" if stalled else str(error.reason)
            continue
        except (ConnectionError, http.client.HTTPException) as error:
            reason = f"connection broken ({type(error).__name__})"
            continue
        except OSError as error:
            if error.filename is not None:  # ours: the disk, not the network
                raise
            reason = f"network error ({error.strerror or error})"
            continue
        if total is None or received == total:
            return
        reason = f"cut short at {received} of {total} bytes"
    raise _Refused(reason)


def _open(url, have, stall):
    request = urllib.request.Request(url, headers={"User-Agent": "minirnn", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    return urllib.request.urlopen(request, timeout=stall)


def _copy(response, partial, mode, total, report, most, until):
    """Copy a response to the partial file, block by block -> size of the file now; _Refused when it has more bytes or
    takes longer than it may."""
    with naming(partial):
        output = open(partial, mode)
    with output, report.progress(partial.name.rsplit(".", 2)[0], output.tell(), total) as step:
        while block := response.read1(BLOCK):
            with naming(partial):
                output.write(block)
            step(len(block))
            if output.tell() > most:
                output.truncate(0)  # what was received is of no use
                raise _Refused(f"it has more than the {most} bytes that the file can have")
            if time.monotonic() > until:
                raise _Refused(f"too slow: {output.tell()} bytes so far")
        with naming(partial):
            output.flush()
        return output.tell()


def _unpack(mirror, archive, final, most):
    """Copy one member of a tar archive beside ``final`` -> its path."""
    target = final.with_name(final.name + ".unpacked")
    try:
        with tarfile.open(archive) as tar:
            wanted = [m for m in tar if m.isfile() and m.name.removeprefix("./") == mirror.member.removeprefix("./")]
            if not wanted:
                raise KeyError("it has other members")
            member = tar.extractfile(wanted[0])
            with naming(target), open(target, "wb") as output:
                while block := member.read(BLOCK):
                    output.write(block)
                    if output.tell() > most:
                        raise KeyError(f"it is longer than {most} bytes")
    except (tarfile.TarError, KeyError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        archive.unlink()
        raise _Refused(f"no {mirror.member} in the archive ({error})") from None
    return target


def content_hash(path, packed=None, most=None):
    """sha256 of the unpacked content of a file, None when it does not unpack or is longer than ``most`` bytes."""
    digest, length = hashlib.sha256(), 0
    try:
        with (gzip.open if (Path(path).suffix == ".gz" if packed is None else packed) else open)(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                length += len(block)
                if most is not None and length > most:
                    return None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return None
    return digest.hexdigest()
