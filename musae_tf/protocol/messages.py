"""The wire messages as Python classes, held in a private descriptor pool.

Full names are TensorFlow's (`tensorflow.TensorProto`), so that type URLs and reflection read the same. The private pool
keeps them apart from TensorFlow's own messages, which may be loaded in the same process, before or after. Messages of
the two pools have the same bytes but different Python types: `PredictRequest.FromString(other.SerializeToString())`
makes one of the other.

A compiled descriptor set, unlike generated Python code, is not tied to a version of protobuf.
"""

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from musae_tf.protocol import COMPILED

POOL = DescriptorPool()
"""All messages and services; text format with `Any` in it must be given this pool."""
for _file in FileDescriptorSet.FromString(COMPILED.read_bytes()).file:
    POOL.AddSerializedFile(_file.SerializeToString())


def message_class(full_name: str) -> type[Message]:
    """The class of a message by its full name, for instance "tensorflow.serving.PredictRequest".

    Raises:
        KeyError: no such message.
    """
    return GetMessageClass(POOL.FindMessageTypeByName(full_name))


def _serving(name: str) -> type[Message]:
    return message_class(f"tensorflow.serving.{name}")


# protobuf
Any = message_class("google.protobuf.Any")
Int64Value = message_class("google.protobuf.Int64Value")

# tensors and signatures
DataType = EnumTypeWrapper(POOL.FindEnumTypeByName("tensorflow.DataType"))
Code = EnumTypeWrapper(POOL.FindEnumTypeByName("tensorflow.error.Code"))
TensorShapeProto = message_class("tensorflow.TensorShapeProto")
TensorProto = message_class("tensorflow.TensorProto")
TensorInfo = message_class("tensorflow.TensorInfo")
SignatureDef = message_class("tensorflow.SignatureDef")
Example = message_class("tensorflow.Example")

# PredictionService
ModelSpec = _serving("ModelSpec")
PredictRequest = _serving("PredictRequest")
PredictResponse = _serving("PredictResponse")
Input = _serving("Input")
ClassificationRequest = _serving("ClassificationRequest")
ClassificationResponse = _serving("ClassificationResponse")
RegressionRequest = _serving("RegressionRequest")
RegressionResponse = _serving("RegressionResponse")
MultiInferenceRequest = _serving("MultiInferenceRequest")
MultiInferenceResponse = _serving("MultiInferenceResponse")
GetModelMetadataRequest = _serving("GetModelMetadataRequest")
GetModelMetadataResponse = _serving("GetModelMetadataResponse")
SignatureDefMap = _serving("SignatureDefMap")

# ModelService
GetModelStatusRequest = _serving("GetModelStatusRequest")
GetModelStatusResponse = _serving("GetModelStatusResponse")
ModelVersionStatus = _serving("ModelVersionStatus")
StatusProto = _serving("StatusProto")
ReloadConfigRequest = _serving("ReloadConfigRequest")
ReloadConfigResponse = _serving("ReloadConfigResponse")

# configuration files
ModelServerConfig = _serving("ModelServerConfig")
ModelConfig = _serving("ModelConfig")
BatchingParameters = _serving("BatchingParameters")
PlatformConfigMap = _serving("PlatformConfigMap")
SavedModelBundleSourceAdapterConfig = _serving("SavedModelBundleSourceAdapterConfig")
MonitoringConfig = _serving("MonitoringConfig")
SSLConfig = _serving("SSLConfig")

# warm-up records
PredictionLog = _serving("PredictionLog")
