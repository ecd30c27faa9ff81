"""Files are replaced atomically, with their compressed siblings."""

import gzip
import os
import stat

import brotli
import pytest

from aggregator.errors import PublishError
from aggregator.publish.folder import OutputFolder


def test_unchanged_file_is_not_written_again(tmp_path):
    folder = OutputFolder(tmp_path / "new" / "outputs")
    assert folder.write("a.atom", b"one")
    path = tmp_path / "new" / "outputs" / "a.atom"
    before = path.stat()
    assert not folder.write("a.atom", b"one")
    assert path.stat() == before
    assert folder.write("a.atom", b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_temporary_files_of_a_killed_run_are_removed(tmp_path):
    (tmp_path / ".tmp-x").write_text("half")
    OutputFolder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    folder = OutputFolder(tmp_path)
    folder.write("a", b"old")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(PublishError, match=r"a: No space left on device"):
        folder.write("a", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_output_folder_that_is_a_file(tmp_path):
    (tmp_path / "outputs").write_text("x")
    with pytest.raises(PublishError, match="outputs"):
        OutputFolder(tmp_path / "outputs")


def test_folder_in_the_place_of_a_file(tmp_path):
    folder = OutputFolder(tmp_path)
    (tmp_path / "a.atom").mkdir()
    with pytest.raises(PublishError, match=r"a\.atom"):
        folder.write("a.atom", b"x")


def test_compressed_siblings(tmp_path):
    folder = OutputFolder(tmp_path, ("gzip", "br"))
    data = b"communs " * 99
    assert folder.write("a/b.atom", data)
    assert gzip.decompress((tmp_path / "a/b.atom.gz").read_bytes()) == data
    assert brotli.decompress((tmp_path / "a/b.atom.br").read_bytes()) == data
    assert OutputFolder(tmp_path, ("gzip", "br")).has("a/b.atom")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    (tmp_path / "a/b.atom.br").unlink()
    assert not OutputFolder(tmp_path, ("gzip", "br")).has("a/b.atom")
    assert OutputFolder(tmp_path, ("gzip",)).has("a/b.atom")
    assert not folder.write("a/b.atom", data)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    assert after.keys() == before.keys()
    assert after["b.atom.gz"] == before["b.atom.gz"]


def test_siblings_of_a_disabled_coding_are_removed(tmp_path):
    OutputFolder(tmp_path, ("gzip",)).write("a.atom", b"old")
    OutputFolder(tmp_path).write("a.atom", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.atom"]


def test_remove_deletes_a_feed_with_archive_and_siblings(tmp_path):
    folder = OutputFolder(tmp_path, ("gzip",))
    for name in ("a.atom", "a.json", "a.html", "a/2026-11.atom", "ab.atom"):
        folder.write(name, b"x")
    folder.remove("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ab.atom", "ab.atom.gz"]
