"""The dashboard shows all there is, so each of its tests has a server of its own."""

import pytest

from e2e.footfall import Footfall


@pytest.fixture
def footfall(empty: Footfall) -> Footfall:
    """Return a server on which nothing has happened."""
    return empty
