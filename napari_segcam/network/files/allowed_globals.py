"""The classes and functions that a torch file may mention. None of them runs: all stay inert names.

The list is policy, not protection. A file that names something else was not meant as weights, and the user should
know what it names.
"""

from __future__ import annotations

import re

# Libraries whose classes hold arguments, states and networks in real checkpoints.
_LIBRARIES = (
    "torch.nn.modules",
    "torch.nn.parallel",
    "torch.nn.parameter",
    "torch.optim",
    "torch.utils.data",
    "torchvision",
    "timm",
    "segmentation_models_pytorch",
    "efficientnet_pytorch",
    "pretrainedmodels",
    "monai",
    "torchmetrics",
    "pytorch_lightning",
    "lightning",
    "lightning_fabric",
    "omegaconf",
    "hydra",
    "yacs",
    "mmengine",
    "mmcv",
    "easydict",
    "addict",
    "munch",
    "ml_collections",
    "pathlib",
    "uuid",
    "collections",
    "argparse",
)
_CLASS = re.compile(rf"(?:{'|'.join(map(re.escape, _LIBRARIES))})(?:\.\w+)*\._*[A-Z]\w*")

_OTHER_NAMES = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2|torch\.(\w+\.)?\w*(Storage|Tensor)"
    r"|torch\.(Size|device|Generator|nn\.Parameter)|torch\.serialization\._get_layout"
    r"|torch\.(float|double|half|int|long|short|bool|complex|u?int\d+|b?float\d+\w*|complex\d+|q?u?int\d+)"
    r"|torch\.per_(tensor|channel)_\w+"
    r"|timm\.(models\.)?layers\.\w+\.[a-z]\w*"
    r"|torch\.nn\.functional\.[a-z]\w*|torch\._C\._nn\.gelu|torch\.(relu|sigmoid|tanh)"
    r"|numpy\.(ndarray|dtype|dtypes\.\w+DType|(_core|core)\.multiarray\.(scalar|_reconstruct))"
    r"|collections\.(defaultdict|deque)|functools\.partial|types\.SimpleNamespace|_codecs\.encode"
    r"|datetime\.(date|time|datetime|timedelta|timezone)|decimal\.Decimal|fractions\.Fraction"
    r"|builtins\.(set|frozenset|list|tuple|dict|int|float|bool|str|bytes|bytearray|complex|slice|range|object)"
    r"|typing\.(Any|Optional|Union|List|Dict|Tuple)"
)


def is_allowed_global(name: str) -> bool:
    """Whether a file may mention the class or function with this dotted name."""
    return _CLASS.fullmatch(name) is not None or _OTHER_NAMES.fullmatch(name) is not None
