"""The page of the proofs' figures: trials add up, bounds are not better than the tries allow."""

from pathlib import Path

import pytest

from tests.promises.figures import VARIABLE, Measured, Trial, note, read
from tools.write_reliability import BEGIN, END, PAGE, bound, report


def test_figures_are_written_where_they_are_asked_for_and_trials_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "figures"
    monkeypatch.delenv(VARIABLE, raising=False)
    note(Trial("kills", "kills", 50))
    assert not file.exists()
    monkeypatch.setenv(VARIABLE, str(file))
    note(Trial("kills", "kills", 50), Measured("ratio", 1.5, "≤ 2"))
    note(Trial("kills", "kills", 50, 1), Measured("ratio", 1.25, "≤ 2"))
    trial, measured = read(file)
    assert isinstance(trial, Trial)
    assert isinstance(measured, Measured)
    assert (trial.tries, trial.failures, measured.value) == (100, 1, 1.25)


@pytest.mark.parametrize(
    ("tries", "failures", "told"),
    [(500, 0, "0.6 %"), (10_000, 0, "0.03 %"), (4, 0, "75 %"), (3, 0, ""), (0, 0, ""), (500, 1, "**failed**")],
)
def test_the_bound_is_three_over_n_and_only_without_failures(tries: int, failures: int, told: str) -> None:
    assert bound(Trial("kills", "kills", tries, failures)) == told
    if told.endswith(" %"):
        assert (1 - float(told.removesuffix(" %")) / 100) ** tries <= 0.05


def test_the_report_has_a_row_for_each_figure_and_none_without_trials() -> None:
    text = report([Trial("kills: lost", "kills", 1500), Measured("goodput", 0.98765, "≥ 0.9")])
    assert "| kills: lost | 1,500 kills | 0 | 0.2 % |" in text
    assert "| goodput | 0.988 | ≥ 0.9 |" in text
    with pytest.raises(ValueError, match="not one trial"):
        report([Measured("goodput", 1.0)])


def test_the_page_has_its_marks() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.index(BEGIN) < text.index(END)
