"""An authority, a server's certificate for localhost, a client's, and an authority that nobody trusts."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest


class Certificates(NamedTuple):
    """PEM files."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path
    stranger: Path


def make_certificates(folder: Path) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl is not installed")

    def openssl(*arguments: str | Path) -> None:
        subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for authority in ("authority", "stranger"):
        openssl(
            *new, "-x509", "-days", "2", "-subj", f"/CN={authority}", "-keyout", f"{authority}.key", "-out", authority
        )
    (folder / "names").write_text("subjectAltName=DNS:localhost,DNS:musae.example\n")
    for name in ("server", "client"):
        openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ("-CA", "authority", "-CAkey", "authority.key", "-CAcreateserial", "-extfile", "names")
        openssl("x509", "-req", "-days", "2", "-in", f"{name}.csr", *signed, "-out", name)
    names = ("authority", "server", "server.key", "client", "client.key", "stranger")
    return Certificates(*(folder / name for name in names))
