"""Check the configuration of a Keras file as data, before Keras sees it.

Keras makes objects of all classes that a file names, its own and registered ones, and its safe mode forbids only
bytecode. Some of its own layers read files or pickles. So only layers that compute are allowed, by name. Settings that
matter only in training (initializers, regularizers, constraints, precision) are removed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from napari_segcam.budget import LAYER_SIZE
from napari_segcam.errors import SegcamError, one_line


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LAYERS = _word_set(
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
# Settings that decide how large a layer, its weights or its result are.
_SIZES = _word_set(
    """
    batch_input_shape batch_shape cropping depth_multiplier dilation_rate filters groups height input_dim key_dim
    kernel_size num_heads output_padding output_size padding pool_size size strides target_shape units value_dim width
    """
)

_MODELS = {"Functional": "keras.src.models.functional", "Model": "keras", "Sequential": "keras"}

# Modules of operations such as the sum of two maps. All their classes only compute.
_OPERATIONS = ("keras.src.ops.numpy", "keras.src.ops.nn", "keras.src.ops.image")

_ACTIVATIONS = _word_set(
    """
    celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign squareplus swish tanh
    tanh_shrink threshold
    """
)

# Class names for values that JSON does not have.
_VALUES = ("__keras_tensor__", "__numpy__", "__tensor__", "__tuple__", "__slice__", "__ellipsis__")

# Networks run in float32 here.
_PRECISIONS = ("DTypePolicy", "Policy")


def clean_config(config: Any) -> Any:
    """Return a copy of a configuration that names only layers that compute, for inference in float32.

    Args:
        config: as JSON, written by Keras 2 or 3.

    Raises:
        SegcamError: naming the first object that is not allowed.
    """
    if isinstance(config, list):
        return [clean_config(value) for value in config]
    if not isinstance(config, dict):
        return config
    if "class_name" not in config:
        return {key: clean_config(value) for key, value in config.items()}
    name, module = config["class_name"], config.get("module")
    is_keras = module is None or module == "keras" or str(module).startswith("keras.")  # Keras 2 wrote no modules
    if not isinstance(name, str):
        raise SegcamError(f"is damaged: it names a class {_short(name)}")
    if name in _PRECISIONS:
        return "float32"
    if name in _VALUES:
        return {key: clean_config(value) for key, value in config.items()}
    if name == "function":
        return _activation_name(config)
    # A name that the file chooses could mean any class that is registered in this process.
    entries = {key: value for key, value in config.items() if key not in ("registered_name", "compile_config")}
    clean_module: object
    if name in _MODELS and is_keras:
        clean_module = _MODELS[name]
    elif module in _OPERATIONS or (module, name) == ("keras.src.ops.core", "Cast"):
        clean_module = module
    elif name in _LAYERS and is_keras:
        clean_module = "keras.layers"
        entries["config"] = _for_inference(name, config.get("config"))
    else:
        raise _refused(config, is_keras)
    if module is not None:
        entries |= {"module": clean_module, "registered_name": None}
    return {key: clean_config(value) for key, value in entries.items()}


def _activation_name(config: Mapping[str, Any]) -> str:
    """Name of an activation function, which Keras looks up itself."""
    name = config.get("config")
    if name not in _ACTIVATIONS:
        raise SegcamError(f"names the function {_short(name)}, which is not an activation of Keras and is not run")
    return str(name)


def _for_inference(layer: str, config: Any) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise SegcamError(f"is damaged: it does not say how its {layer} layer is built")
    settings = dict(config)
    for key, value in config.items():
        if key in _SIZES and _largest(value) > LAYER_SIZE:
            raise SegcamError(f"holds a {layer} layer whose {key} is larger than {LAYER_SIZE:,}. It is not built")
        if key.endswith("_initializer"):
            settings[key] = "zeros"  # the file's weights replace these
        elif key.endswith(("_regularizer", "_constraint")):
            settings[key] = None
        elif key == "dtype" and not isinstance(value, dict):
            settings[key] = "float32"
    # Keras 2 wrote these, and Keras 3 does not accept them.
    if layer == "DepthwiseConv2D":
        settings.pop("groups", None)
    if layer == "BatchNormalization" and isinstance(settings.get("axis"), list) and len(settings["axis"]) == 1:
        settings["axis"] = settings["axis"][0]
    return settings


def _largest(value: Any) -> float:
    """The largest number in a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return max(map(_largest, value), default=0)
    return abs(value) if isinstance(value, int | float) else 0


def _refused(config: Mapping[str, Any], is_keras: bool) -> SegcamError:
    name = _short(config["class_name"])
    settings = config.get("config")
    layer_name = f" {_short(settings['name'])!r}" if isinstance(settings, dict) and "name" in settings else ""
    if name in ("Lambda", "__lambda__"):
        return SegcamError(
            f"holds code in a Lambda layer{layer_name}, which is not run. Replace it with one of Keras' own layers"
        )
    if is_keras and (dimensions := re.search(r"([13])D$", name)):
        kind = {"1": "one-dimensional: it takes signals", "3": "three-dimensional: it takes volumes"}[dimensions[1]]
        return SegcamError(f"is {kind} ({name}{layer_name}). A 2-D network is needed, which takes images")
    registered = str(config.get("registered_name") or "")
    if is_keras and ">" not in registered and config.get("module") is not None:
        return SegcamError(f"holds a {name}{layer_name}, which is not among the layers that are supported")
    module = f"{_short(config['module'])}." if config.get("module") else ""
    return SegcamError(f"holds {module}{name}{layer_name}, which is not one of Keras' own layers and is not run")


def _short(name: object) -> str:
    return one_line(name, 100)
