"""`smol doctor` on this machine, and on one where something is missing."""

from __future__ import annotations

from pathlib import Path

from smolforge import doctor


def test_a_whole_installation_is_well(tmp_path: Path) -> None:
    text, well = doctor.examine(tmp_path / "lab", measure=False)
    assert well, text
    for word in ("Python", "kernels", "sandbox", "free at"):
        assert word in text


def test_what_is_missing_comes_with_a_way_to_mend_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(doctor.NEEDED, "no-such-package", "a test")
    text, well = doctor.examine(tmp_path / "lab", measure=False)
    assert not well
    assert "MISS no-such-package" in text and "pip install" in text
