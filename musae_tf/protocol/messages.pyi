# Written by python -m musae_tf.protocol.compile.
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from google.protobuf.any_pb2 import Any as Any
from google.protobuf.wrappers_pb2 import Int64Value as Int64Value
from musae_tf.protocol.proto.tensor_pb2 import DataType as DataType
from musae_tf.protocol.proto.error_codes_pb2 import Code as Code
from musae_tf.protocol.proto.tensor_pb2 import TensorShapeProto as TensorShapeProto
from musae_tf.protocol.proto.tensor_pb2 import TensorProto as TensorProto
from musae_tf.protocol.proto.tensor_pb2 import TensorInfo as TensorInfo
from musae_tf.protocol.proto.tensor_pb2 import SignatureDef as SignatureDef
from musae_tf.protocol.proto.tensor_pb2 import Example as Example
from musae_tf.protocol.proto.serving_pb2 import ModelSpec as ModelSpec
from musae_tf.protocol.proto.serving_pb2 import PredictRequest as PredictRequest
from musae_tf.protocol.proto.serving_pb2 import PredictResponse as PredictResponse
from musae_tf.protocol.proto.serving_pb2 import Input as Input
from musae_tf.protocol.proto.serving_pb2 import ClassificationRequest as ClassificationRequest
from musae_tf.protocol.proto.serving_pb2 import ClassificationResponse as ClassificationResponse
from musae_tf.protocol.proto.serving_pb2 import RegressionRequest as RegressionRequest
from musae_tf.protocol.proto.serving_pb2 import RegressionResponse as RegressionResponse
from musae_tf.protocol.proto.serving_pb2 import MultiInferenceRequest as MultiInferenceRequest
from musae_tf.protocol.proto.serving_pb2 import MultiInferenceResponse as MultiInferenceResponse
from musae_tf.protocol.proto.serving_pb2 import GetModelMetadataRequest as GetModelMetadataRequest
from musae_tf.protocol.proto.serving_pb2 import GetModelMetadataResponse as GetModelMetadataResponse
from musae_tf.protocol.proto.serving_pb2 import SignatureDefMap as SignatureDefMap
from musae_tf.protocol.proto.serving_pb2 import GetModelStatusRequest as GetModelStatusRequest
from musae_tf.protocol.proto.serving_pb2 import GetModelStatusResponse as GetModelStatusResponse
from musae_tf.protocol.proto.serving_pb2 import ModelVersionStatus as ModelVersionStatus
from musae_tf.protocol.proto.serving_pb2 import StatusProto as StatusProto
from musae_tf.protocol.proto.serving_pb2 import ReloadConfigRequest as ReloadConfigRequest
from musae_tf.protocol.proto.serving_pb2 import ReloadConfigResponse as ReloadConfigResponse
from musae_tf.protocol.proto.config_pb2 import ModelServerConfig as ModelServerConfig
from musae_tf.protocol.proto.config_pb2 import ModelConfig as ModelConfig
from musae_tf.protocol.proto.config_pb2 import BatchingParameters as BatchingParameters
from musae_tf.protocol.proto.config_pb2 import PlatformConfigMap as PlatformConfigMap
from musae_tf.protocol.proto.config_pb2 import SavedModelBundleSourceAdapterConfig as SavedModelBundleSourceAdapterConfig
from musae_tf.protocol.proto.config_pb2 import MonitoringConfig as MonitoringConfig
from musae_tf.protocol.proto.config_pb2 import SSLConfig as SSLConfig
from musae_tf.protocol.proto.serving_pb2 import PredictionLog as PredictionLog

POOL: DescriptorPool

def message_class(full_name: str) -> type[Message]: ...
