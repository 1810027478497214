"""Networks that are programs: TorchScript and programs of ``torch.export``."""
