"""Arrays to tensors of the wire and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from musae_tf.protocol.codec import dtype_name, shape_of, to_array, to_proto
from musae_tf.protocol.messages import DataType, TensorProto

DTYPES = ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "bool", "complex64", "complex128")  # fmt: skip
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def tensor(dtype: str, shape: list[int], **fields) -> TensorProto:
    proto = TensorProto(dtype=DataType.Value(dtype), **fields)
    proto.tensor_shape.SetInParent()
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_numbers_come_back_bit_by_bit(dtype, typed, data):
    array = data.draw(hnp.arrays(dtype, SHAPES))
    back = to_array(TensorProto.FromString(to_proto(array, typed).SerializeToString()))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    # Equal values, signs of zero included; which NaN it is may change on the way through Python's floats.
    assert np.array_equal(np.isnan(array), np.isnan(back))
    numbers = ~np.isnan(array)
    assert array[numbers].tobytes() == back[numbers].tobytes()


@given(hnp.arrays(object, SHAPES, elements=st.binary(max_size=8), fill=st.nothing()))
def test_strings_come_back_with_all_their_zeros(array):
    back = to_array(TensorProto.FromString(to_proto(array).SerializeToString()))
    assert back.dtype == object
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


@pytest.mark.parametrize("values", ["é\0", b"\0", ["a\0", b"b\0\0"], [["x"], ["y\0"]], np.array(["é", "a"])])
def test_text_becomes_utf8_and_lists_lose_no_zeros(values):
    expected = np.asarray(values, object)
    as_bytes = [text if isinstance(text, bytes) else text.encode() for text in expected.ravel().tolist()]
    back = to_array(to_proto(values))
    assert back.shape == expected.shape
    assert back.ravel().tolist() == as_bytes


def test_many_numbers_travel_as_content_unless_they_are_to_be_listed():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    packed, listed = to_proto(array), to_proto(array, typed=True)
    assert packed.tensor_content == array.tobytes()
    assert not packed.float_val
    assert list(listed.float_val) == list(range(6))
    assert not listed.tensor_content


@pytest.mark.parametrize("order", [np.array([[1, 2], [3, 4]], ">i4"), np.array([[1, 3], [2, 4]], np.int32).T])
def test_byte_order_and_layout_of_the_array_make_no_difference(order):
    assert to_proto(order) == to_proto(np.array([[1, 2], [3, 4]], np.int32))


@pytest.mark.parametrize("array", [np.array(["2020-01-01"], "datetime64[D]"), np.array([None]), np.longdouble(1)])
def test_what_tensorflow_has_no_type_for_is_refused(array):
    with pytest.raises(ValueError, match=r"must be one of|must hold"):
        to_proto(array)


# --- tensors that others wrote: the rules of TensorFlow's C++ Tensor::FromProto -------------------------------------


@pytest.mark.parametrize(
    ("proto", "expected"),
    [
        (tensor("DT_INT32", [4], int_val=[7, 8]), [7, 8, 8, 8]),
        (tensor("DT_INT32", [3]), [0, 0, 0]),
        (tensor("DT_INT32", [2], int_val=[1, 2, 3]), [1, 2]),
        (tensor("DT_INT32", [2], float_val=[1, 2]), [0, 0]),
        (tensor("DT_UINT8", [2], int_val=[300, -1]), [44, 255]),
        (tensor("DT_INT32", [1], int_val=[5], tensor_content=b"\1\0\0\0"), [1]),
        (tensor("DT_HALF", [2], half_val=[15360]), [1, 1]),
        (tensor("DT_COMPLEX64", [2], scomplex_val=[1, 2]), [1 + 2j, 1 + 2j]),
        (tensor("DT_STRING", [3], string_val=[b"a", b"b"]), [b"a", b"b", b"b"]),
        (tensor("DT_STRING", [1]), [b""]),
        (tensor("DT_STRING", [1], string_val=[b"a", b"b"]), [b"a"]),
        (TensorProto(dtype=1, float_val=[2.5]), 2.5),
        (TensorProto(dtype=1, float_val=[2.5], tensor_shape={"unknown_rank": True}), 2.5),
        (TensorProto(dtype=1, float_val=[2.5], tensor_shape={"unknown_rank": True, "dim": [{"size": 2}]}), [2.5, 2.5]),
        (tensor("DT_FLOAT", [0, 2**40, 2**40]), None),
    ],
)
def test_tensors_with_too_few_and_too_many_values(proto, expected):
    if expected is None:
        assert shape_of(proto) == (0, 2**40, 2**40)
    else:
        assert to_array(proto).tolist() == expected


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (tensor("DT_INT32", [2], tensor_content=b"\0" * 7), "7 bytes of content, must have 8"),
        (tensor("DT_INT32", [-1]), "no negative size"),
        (tensor("DT_INT32", [2**40, 2**40, 0]), "fewer than 2\\^63"),
        (tensor("DT_STRING", [1], tensor_content=b"a"), "string_val"),
        (tensor("DT_INVALID", [1]), "DT_INVALID, must be one of DT_FLOAT"),
        (tensor("DT_FLOAT_REF", [1]), "DT_FLOAT_REF"),
        (TensorProto(dtype=99), "has dtype 99"),
    ],
)
def test_what_is_no_tensor_is_refused(proto, message):
    with pytest.raises(ValueError, match=message):
        to_array(proto)


def test_names_of_types():
    assert dtype_name(1) == "DT_FLOAT"
    assert dtype_name(99) == "99"
