"""Compile the .proto files: `python -m musae_tf.protocol.compile`, needed only after a change of theirs.

Writes the descriptors that messages.py reads, and stubs that tell type checkers and editors what is in the messages.
Needs the package grpcio-tools, which nothing else does.
"""

import re
import tempfile
from pathlib import Path

from musae_tf.protocol import COMPILED

PROTOS = Path(__file__).parent / "proto"


def compile_protos(target: Path, stubs: Path) -> None:
    """Write the descriptors of all .proto files of this package, and of those that they import, into one file.

    Args:
        target: the file of descriptors.
        stubs: folder for a .pyi of each .proto file.

    Raises:
        ValueError: a .proto file is wrong; the compiler has said what is.
    """
    import grpc_tools
    from grpc_tools import protoc

    standard = Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as made:
        sources = sorted(path.name for path in PROTOS.glob("*.proto"))
        options = [f"-I{PROTOS}", f"-I{standard}", "--include_imports", f"--descriptor_set_out={target}"]
        if protoc.main(["protoc", *options, f"--pyi_out={made}", *sources]) != 0:
            raise ValueError(f"{PROTOS} cannot be compiled")
        for stub in Path(made).glob("*.pyi"):
            text = stub.read_text(encoding="utf-8")
            # The compiler takes the folder of the .proto files for the root of all imports.
            text = re.sub(r"^import (\w+_pb2)", r"from musae_tf.protocol.proto import \1", text, flags=re.MULTILINE)
            (stubs / stub.name).write_text(text, encoding="utf-8")


def type_messages(target: Path) -> None:
    """Write the stub of messages.py: each of its classes is the one in the stub of the .proto file that declares it."""
    from musae_tf.protocol import messages

    lines = [
        "# Written by python -m musae_tf.protocol.compile.",
        "from google.protobuf.descriptor_pool import DescriptorPool",
        "from google.protobuf.message import Message",
        "",
    ]
    for name, made in vars(messages).items():
        descriptor = getattr(made, "DESCRIPTOR", None)
        if descriptor is not None and descriptor.file.pool is messages.POOL and not name.startswith("_"):
            file = descriptor.file.name.removesuffix(".proto")
            module = f"{file.replace('/', '.')}_pb2" if "/" in file else f"musae_tf.protocol.proto.{file}_pb2"
            lines.append(f"from {module} import {name} as {name}")
    lines += ["", "POOL: DescriptorPool", "", "def message_class(full_name: str) -> type[Message]: ...", ""]
    target.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    compile_protos(COMPILED, PROTOS)
    type_messages(Path(__file__).with_name("messages.pyi"))
