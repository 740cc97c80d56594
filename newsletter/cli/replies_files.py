"""What stands below the words of a reply: what is hidden, what was not loaded, and the files."""

from __future__ import annotations

from typing import Any

from newsletter.cli.output import Output, count, visible


def say(output: Output, message: dict[str, Any], full: bool) -> None:
    """The lines below one message; nothing where there is nothing to say."""
    if message["quoted_hidden"] and not full:
        output.say(output.style("    [quoted text hidden, --full shows it]", dim=True))
    if blocked := message["html_blocked"]:
        pictures = count(blocked, "picture")
        said = f"    [{pictures} on other servers not loaded: loading would tell the sender that you read this]"
        output.say(output.style(said, dim=True))
    for file in message["files"]:
        name, kind = visible(file["name"]), visible(file["type"])
        if file["refused"]:
            output.say(f"    File  {name}  {size(file['size'])}  not kept: {visible(file['refused'])}")
        else:
            output.say(f"    File  {name}  {kind}  {size(file['size'])}  SHA-256 {file['sha256']}")


def size(number: int) -> str:
    """`812 bytes`, `14 KB`, `2.3 MB`."""
    if number < 1000:
        return count(number, "byte")
    return f"{number / 1000:.0f} KB" if number < 1_000_000 else f"{number / 1_000_000:.1f} MB"
