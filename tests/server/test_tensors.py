"""Which TensorProtos a server takes, what it reads in them, and how it writes its own."""

import grpc
import numpy as np
import pytest

from musae_tf.protocol import services
from musae_tf.protocol.codec import to_array, to_proto
from musae_tf.protocol.messages import PredictRequest, TensorProto
from tests.server.client import predict_request
from tests.server.models import DTYPES

FIELDS = {
    "float32": "float_val", "float64": "double_val", "float16": "half_val", "int64": "int64_val", "bool": "bool_val",
    "uint32": "uint32_val", "uint64": "uint64_val", "complex64": "scomplex_val", "complex128": "dcomplex_val",
    "string": "string_val",
}  # fmt: skip


def values(dtype: str) -> np.ndarray:
    if dtype == "string":
        return np.array([b"", b"\x00\xff", b"x" * 1000], object)
    if dtype == "bool":
        return np.array([True, False, True])
    numbers = np.array([0, 1, 100], dtype)
    if np.dtype(dtype).kind in "if":
        numbers[1] = -1
    return numbers


@pytest.mark.parametrize("typed", [True, False])
def test_every_dtype_comes_back_in_its_typed_field(client, typed):
    request = predict_request("echo")
    for dtype in DTYPES:
        request.inputs[f"in_{dtype}"].CopyFrom(to_proto(values(dtype), typed=typed))
    outputs = client.call(services.PREDICT, request).outputs
    for dtype in DTYPES:
        answer = outputs[f"out_{dtype}"]
        np.testing.assert_array_equal(to_array(answer), values(dtype), strict=True)
        assert not answer.tensor_content
        assert len(getattr(answer, FIELDS.get(dtype, "int_val"))) == (6 if dtype.startswith("complex") else 3)


def shaped(*sizes: int, dtype: str = "DT_INT32", **fields) -> TensorProto:
    return TensorProto(dtype=dtype, tensor_shape={"dim": [{"size": size} for size in sizes]}, **fields)


@pytest.mark.parametrize(
    ("tensor", "read"),
    [
        (shaped(3, int_val=[1, 2]), [1, 2, 2]),
        (shaped(2), [0, 0]),
        (shaped(1, int_val=[1, 2, 3]), [1]),
        (shaped(2, float_val=[1, 2]), [0, 0]),
        (shaped(1, tensor_content=b"\x05\0\0\0", int_val=[1]), [5]),
        (shaped(0), []),
    ],
    ids=["fewer", "none", "more", "wrong field", "content wins", "no rows"],
)
def test_odd_tensors_are_read_as_tensorflow_reads_them(client, tensor, read):
    request = PredictRequest(model_spec={"name": "model", "signature_name": "natural"})
    request.inputs["x"].CopyFrom(tensor)
    assert to_array(client.call(services.PREDICT, request).outputs["x"]).tolist() == read


@pytest.mark.parametrize(
    ("dtype", "tensor", "read"),
    [
        ("uint8", shaped(2, dtype="DT_UINT8", int_val=[300, 1]), [44, 1]),
        ("int8", shaped(1, dtype="DT_INT8", int_val=[-1000]), [24]),
        ("float16", shaped(1, dtype="DT_HALF", half_val=[0x3C00]), [1.0]),
        ("float32", shaped(3, dtype="DT_FLOAT", float_val=[0.5]), [0.5] * 3),
        ("float32", shaped(2, dtype="DT_FLOAT", int_val=[1, 2]), [0.0, 0.0]),
        ("float64", shaped(2, dtype="DT_DOUBLE", double_val=[1, 2, 3]), [1.0, 2.0]),
        ("int64", shaped(2, dtype="DT_INT64", int64_val=[2**40, -1]), [2**40, -1]),
        ("string", shaped(2, dtype="DT_STRING", string_val=[b"a"]), [b"a", b"a"]),
        ("string", shaped(1, dtype="DT_STRING"), [b""]),
    ],
)
def test_so_are_those_of_other_types(client, dtype, tensor, read):
    request = predict_request("echo")
    for other in DTYPES:
        request.inputs[f"in_{other}"].CopyFrom(to_proto(values(other)[:1]))
    request.inputs[f"in_{dtype}"].CopyFrom(tensor)
    request.output_filter.append(f"out_{dtype}")
    assert to_array(client.call(services.PREDICT, request).outputs[f"out_{dtype}"]).tolist() == read


@pytest.mark.parametrize("fields", [{}, {"tensor_shape": {"unknown_rank": True}}])
def test_no_shape_is_a_scalar(client, fields):
    request = PredictRequest(model_spec={"name": "model", "signature_name": "scalar"})
    request.inputs["x"].CopyFrom(TensorProto(dtype="DT_FLOAT", float_val=[3], **fields))
    output = client.call(services.PREDICT, request).outputs["x"]
    assert to_array(output) == 6
    assert output.HasField("tensor_shape")


@pytest.mark.parametrize(
    "tensor",
    [
        shaped(2, tensor_content=b"\0" * 7),
        shaped(1, dtype="DT_INVALID"),
        shaped(1, dtype="DT_INT32_REF"),
        TensorProto.FromString(b"\x08\xe7\x07"),
        shaped(-1),
        shaped(2**40, 2**40),
        shaped(1, dtype="DT_STRING", tensor_content=b"abc"),
    ],
    ids=["content too short", "no dtype", "reference", "unknown dtype", "negative", "overflow", "string content"],
)  # fmt: skip
def test_what_is_no_tensor_is_refused(client, tensor):
    request = PredictRequest(model_spec={"name": "model", "signature_name": "natural"})
    request.inputs["x"].CopyFrom(tensor)
    with pytest.raises(grpc.RpcError) as failed:
        client.call(services.PREDICT, request)
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert failed.value.details() == "tensor parsing error: x"


def test_tensor_content_on_request(serve, base):
    _, client = serve(base, as_content=True)
    request = predict_request("natural", x=np.array([1, 2], np.int32))
    output = client.call(services.PREDICT, request).outputs["x"]
    assert (output.tensor_content, list(output.int_val)) == (b"\x01\0\0\0\x02\0\0\0", [])
