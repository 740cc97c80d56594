"""The stories use the certificates of the tests of transports."""

from tests.sending.transports.conftest import certificates  # noqa: F401 (a fixture)
