"""Products of matrices."""

from __future__ import annotations

from typing import Any

import torch

from napari_segcam.network.onnx.graph import Node
from napari_segcam.network.onnx.operators.registry import Function, operator


@operator("MatMul")
def matmul(_node: Node) -> Function:
    """Product of two matrices, or of stacks of them."""
    return torch.matmul


@operator("com.microsoft.FusedMatMul")
def fused_matmul(node: Node) -> Function:
    """Product of two matrices, transposed or scaled."""
    first, second, alpha = node.integer("transA"), node.integer("transB"), node.number("alpha", 1.0)
    if node.integer("transBatchA") or node.integer("transBatchB"):
        raise node.missing("transBatch")
    return lambda a, b: alpha * ((a.mT if first else a) @ (b.mT if second else b))


@operator("Gemm")
def gemm(node: Node) -> Function:
    """α A B + β C, with A and B transposed on request."""
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    first, second = node.integer("transA"), node.integer("transB")

    def run(a: torch.Tensor, b: torch.Tensor, c: Any = None) -> torch.Tensor:
        product = (a.T if first else a) @ (b.T if second else b)
        product = product if alpha == 1 else alpha * product
        return product if c is None else product + (c if beta == 1 else beta * c)

    return run


@operator("Einsum")
def einsum(node: Node) -> Function:
    """Einstein's sum."""
    equation = node.text("equation")
    return lambda *tensors: torch.einsum(equation, *tensors)
