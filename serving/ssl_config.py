"""Write the file for the server's --ssl_config_file from PEM files. Needs nothing but Python 3.10.

python serving/ssl_config.py server.key server.pem [--client-ca ca.pem] --out ssl.config
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def _field(name: str, pem: str) -> str:
    lines = "\n".join(f'  "{line}\\n"' for line in pem.splitlines() if line.strip())
    return f"{name}:\n{lines}\n"


def _read_pem(path: Path, *kinds: str) -> str:
    """The PEM blocks of a file; openssl may have written text around them.

    Raises:
        ValueError: no block of one of `kinds` in it.
    """
    inside, lines = False, []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        inside |= line.startswith("-----BEGIN ")
        if inside:
            lines.append(line.strip())
        inside &= not line.startswith("-----END ")
    if not any(line == f"-----BEGIN {kind}-----" for line in lines for kind in kinds):
        raise ValueError(f"{path} holds no {' or '.join(kinds)} in PEM form")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file; 0, or 2 and one sentence on stderr."""
    parser = argparse.ArgumentParser(description="Write the file for --ssl_config_file from PEM files.")
    parser.add_argument("key", type=Path, help="the server's private key, without a passphrase")
    parser.add_argument("certificate", type=Path, help="the server's certificate, followed by intermediate ones")
    parser.add_argument("--client-ca", type=Path, help="let in only clients with a certificate of this authority")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to write, readable by you alone")
    given = parser.parse_args(arguments)
    try:
        text = _field("server_key", _read_pem(given.key, "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"))
        text += _field("server_cert", _read_pem(given.certificate, "CERTIFICATE"))
        if given.client_ca:
            text += _field("custom_ca", _read_pem(given.client_ca, "CERTIFICATE")) + "client_verify: true\n"
        # A file of its own that only the owner may read, from its first moment on.
        part = given.out.with_name(f".{given.out.name}.{os.getpid()}")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        part.replace(given.out)
    except (OSError, ValueError) as error:
        print(f"ssl_config: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
