"""What all tests share."""

from __future__ import annotations

import torch

# On small networks torch's threads cost more than they give, and beside other work they cost tenfold.
torch.set_num_threads(1)
