"""Compile the .proto files: `python -m musae_tf.protocol.compile`, needed only after a change of theirs.

Needs the package grpcio-tools, which nothing else does.
"""

from pathlib import Path

from musae_tf.protocol import COMPILED


def compile_protos(target: Path) -> None:
    """Write the descriptors of all .proto files of this package, and of those that they import, into one file.

    Raises:
        ValueError: a .proto file is wrong; the compiler has said what is.
    """
    import grpc_tools
    from grpc_tools import protoc

    folder = Path(__file__).parent / "proto"
    standard = Path(grpc_tools.__file__).parent / "_proto"
    sources = sorted(path.name for path in folder.glob("*.proto"))
    options = [f"-I{folder}", f"-I{standard}", "--include_imports", f"--descriptor_set_out={target}"]
    if protoc.main(["protoc", *options, *sources]) != 0:
        raise ValueError(f"{folder} cannot be compiled")


if __name__ == "__main__":
    compile_protos(COMPILED)
