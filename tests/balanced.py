"""After every test that may have sent, wherever it stands, the books of every mailing must balance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.workspace import Workspace


@pytest.fixture(autouse=True)
def balanced(request: pytest.FixtureRequest) -> Iterator[None]:
    """The laws L1 to L4, checked when the test is over and its database still there.

    A test that breaks the books on purpose says so: @pytest.mark.broken_books("why").
    """
    if "workspace" not in request.fixturenames:
        yield
        return
    workspace: Workspace = request.getfixturevalue("workspace")  # so that it ends after us
    yield
    mark = request.node.get_closest_marker("broken_books")
    if mark:
        assert mark.args and mark.args[0], "a mark without a reason"
        return
    from newsletter.sending import laws
    from newsletter.sending.models import Mailing

    workspace.ready()
    wrong = {mailing.slug: found for mailing in Mailing.objects.all() if (found := laws.check(mailing))}
    assert not wrong, wrong
