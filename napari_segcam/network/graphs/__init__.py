"""Networks that are programs: TorchScript and exported programs."""
