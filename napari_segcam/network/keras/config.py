"""Keras configurations: what a file says of a network's layers, checked as data before Keras sees any of it.

Keras makes objects of whatever classes a file names, its own and registered ones, and its safe mode forbids only
bytecode. Some of its own layers read files or pickles. So only layers that compute are let through, by name; what
matters in training alone (initializers, regularizers, constraints, precision) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from napari_segcam.budget import LAYER_SIZE
from napari_segcam.errors import SegcamError, one_line


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LAYERS = _words(
    """
    Activation ActivityRegularization AdaptiveAveragePooling2D AdaptiveMaxPooling2D Add AlphaDropout Attention Average
    AveragePooling2D BatchNormalization CenterCrop Concatenate Conv2D Conv2DTranspose Cropping2D Dense DepthwiseConv2D
    Dot Dropout ELU Flatten GaussianDropout GaussianNoise GlobalAveragePooling2D GlobalMaxPooling2D GroupNormalization
    Identity InputLayer LayerNormalization LeakyReLU MaxPooling2D Maximum Minimum MultiHeadAttention Multiply
    Normalization PReLU Permute RMSNormalization RandomBrightness RandomContrast RandomFlip RandomRotation
    RandomTranslation RandomZoom ReLU Rescaling Reshape Resizing SeparableConv2D Softmax SpatialDropout2D
    SpectralNormalization Subtract UnitNormalization UpSampling2D ZeroPadding2D
    """
)
# What says how large a layer, its weights or its result are.
_SIZES = _words(
    """
    batch_input_shape batch_shape cropping depth_multiplier dilation_rate filters groups height input_dim key_dim
    kernel_size num_heads output_padding output_size padding pool_size size strides target_shape units value_dim width
    """
)

_MODELS = {"Functional": "keras.src.models.functional", "Model": "keras", "Sequential": "keras"}

# Operations such as the sum of two maps: all classes in these modules compute.
_OPERATIONS = ("keras.src.ops.numpy", "keras.src.ops.nn", "keras.src.ops.image")

_ACTIVATIONS = _words(
    """
    celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign squareplus swish tanh
    tanh_shrink threshold
    """
)

# How Keras writes values that JSON does not have.
_VALUES = ("__keras_tensor__", "__numpy__", "__tensor__", "__tuple__", "__slice__", "__ellipsis__")

# Networks run in float32 here.
_PRECISIONS = ("DTypePolicy", "Policy")


def clean_config(config: Any) -> Any:
    """A copy of a configuration that names nothing but layers that compute, for inference in float32.

    Args:
        config: as JSON, written by Keras 2 or 3.

    Raises:
        SegcamError: naming the first object that is not permitted; nothing has been made of the configuration then.
    """
    if isinstance(config, list):
        return [clean_config(value) for value in config]
    if not isinstance(config, dict):
        return config
    if "class_name" not in config:
        return {key: clean_config(value) for key, value in config.items()}
    name, module = config["class_name"], config.get("module")
    own = module is None or module == "keras" or str(module).startswith("keras.")  # Keras 2 wrote no modules
    if not isinstance(name, str):
        raise SegcamError(f"is damaged: it names a class {_short(name)}")
    if name in _PRECISIONS:
        return "float32"
    if name in _VALUES:
        return {key: clean_config(value) for key, value in config.items()}
    if name == "function":
        return _activation(config)
    # A name of the file's own choice could stand for any class that was registered in this process.
    kept = {key: value for key, value in config.items() if key not in ("registered_name", "compile_config")}
    home: object
    if name in _MODELS and own:
        home = _MODELS[name]
    elif module in _OPERATIONS or (module, name) == ("keras.src.ops.core", "Cast"):
        home = module
    elif name in _LAYERS and own:
        home = "keras.layers"
        kept["config"] = _for_inference(name, config.get("config"))
    else:
        raise _refused(config, own)
    if module is not None:
        kept |= {"module": home, "registered_name": None}
    return {key: clean_config(value) for key, value in kept.items()}


def _activation(config: Mapping[str, Any]) -> str:
    """The name alone of a function, which Keras then looks up among its activations."""
    name = config.get("config")
    if name not in _ACTIVATIONS:
        raise SegcamError(f"names the function {_short(name)}, which is no activation of Keras and is not run")
    return str(name)


def _for_inference(layer: str, config: Any) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise SegcamError(f"is damaged: it does not say how its {layer} layer is built")
    kept = dict(config)
    for key, value in config.items():
        if key in _SIZES and _largest(value) > LAYER_SIZE:
            raise SegcamError(f"holds a {layer} layer whose {key} is larger than {LAYER_SIZE:,}. It is not built")
        if key.endswith("_initializer"):
            kept[key] = "zeros"  # the file's weights take their place
        elif key.endswith(("_regularizer", "_constraint")):
            kept[key] = None
        elif key == "dtype" and not isinstance(value, dict):
            kept[key] = "float32"
    # What Keras 2 wrote and Keras 3 does not take.
    if layer == "DepthwiseConv2D":
        kept.pop("groups", None)
    if layer == "BatchNormalization" and isinstance(kept.get("axis"), list) and len(kept["axis"]) == 1:
        kept["axis"] = kept["axis"][0]
    return kept


def _largest(value: Any) -> float:
    """The largest number in a value that is one, or holds some."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return max(map(_largest, value), default=0)
    return abs(value) if isinstance(value, int | float) else 0


def _refused(config: Mapping[str, Any], own: bool) -> SegcamError:
    name = _short(config["class_name"])
    inner = config.get("config")
    called = f" {_short(inner['name'])!r}" if isinstance(inner, dict) and "name" in inner else ""
    if name in ("Lambda", "__lambda__"):
        return SegcamError(
            f"holds code in a Lambda layer{called}, which is not run. Put one of Keras' own layers in its place"
        )
    if own and (dimensions := re.search(r"([13])D$", name)):
        kind = {"1": "one-dimensional: it takes signals", "3": "three-dimensional: it takes volumes"}[dimensions[1]]
        return SegcamError(f"is {kind} ({name}{called}). A 2-D network is needed, which takes images")
    registered = str(config.get("registered_name") or "")
    if own and ">" not in registered and config.get("module") is not None:
        return SegcamError(f"holds a {name}{called}, which is not among the layers that are supported")
    where = f"{_short(config['module'])}." if config.get("module") else ""
    return SegcamError(f"holds {where}{name}{called}, which is not one of Keras' own layers and is not run")


def _short(name: object) -> str:
    return one_line(name, 100)
