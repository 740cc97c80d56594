"""Certificates for the tests of encryption, made anew for each run and good for nothing else."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Certificates:
    folder: Path

    def server(self, name: str) -> ssl.SSLContext:
        """What a server with the certificate `good`, `expired` or `stranger` uses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def client(self) -> ssl.SSLContext:
        """What a client that trusts our test authority uses: hosts and dates are checked as ever."""
        return ssl.create_default_context(cafile=str(self.folder / "authority.pem"))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority and three certificates signed by it: for 127.0.0.1, out of date, and for another host."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl program on this machine to make certificates with")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        "req",
        "-x509",
        *new_key,
        "-keyout",
        "authority.key",
        "-out",
        "authority.pem",
        "-subj",
        "/CN=Tests",
        "-days",
        "2",
    )
    for name, host, days in (("good", "127.0.0.1", 2), ("expired", "127.0.0.1", -1), ("stranger", "127.0.0.2", 2)):
        (folder / f"{name}.ext").write_text(f"subjectAltName=IP:{host}\n")
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}")
        signed = ("-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-extfile", f"{name}.ext")
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-days", str(days), "-out", f"{name}.pem")
    return Certificates(folder)
