"""Read ONNX files as networks whose layers take hooks; where an operator is missing, onnxruntime runs them."""
