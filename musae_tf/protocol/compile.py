"""Compile the .proto files: `python -m musae_tf.protocol.compile`, needed only after a change of theirs.

Needs the package grpcio-tools, which nothing else does.
"""

import tempfile
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
    with tempfile.TemporaryDirectory() as made:
        # The older version of reflection, which most tools still ask for, differs by its name alone.
        newer = (folder / "reflection_v1.proto").read_text(encoding="utf-8")
        older = newer.replace("package grpc.reflection.v1;", "package grpc.reflection.v1alpha;")
        (Path(made) / "reflection_v1alpha.proto").write_text(older, encoding="utf-8")
        sources = sorted(path.name for path in (*folder.glob("*.proto"), *Path(made).glob("*.proto")))
        options = [f"-I{folder}", f"-I{made}", f"-I{standard}", "--include_imports", f"--descriptor_set_out={target}"]
        if protoc.main(["protoc", *options, *sources]) != 0:
            raise ValueError(f"{folder} cannot be compiled")


if __name__ == "__main__":
    compile_protos(COMPILED)
