"""Refused rows wait in a file that somebody mends; nothing of theirs is written over."""

from __future__ import annotations

from tests.workspace import Workspace


def test_mended_rows_are_never_overwritten_by_the_original_file(workspace: Workspace) -> None:
    workspace.write("recipients/p.csv", "email\nsam@\n")
    words = ("recipients", "import", "recipients/p.csv", "--list", "monthly", "--yes", "--basis", "public task: floods")
    folder = workspace.root / "recipients"
    workspace.run(*words)
    workspace.run(*words)
    assert [file.name for file in folder.glob("p*.refused.csv")] == ["p.refused.csv"], "as we wrote it: written anew"
    (folder / "p.refused.csv").write_text("problem,email\n,sam@example.org\n")
    said = workspace.run(*words).out
    assert (folder / "p.refused.csv").read_text() == "problem,email\n,sam@example.org\n"
    assert "sam@" in (folder / "p-2.refused.csv").read_text() and "p.refused.csv was changed" in said
    mended = workspace.run("recipients", "import", "recipients/p.refused.csv", *words[3:])
    assert mended.exit == 0 and "1 new" in mended.out
