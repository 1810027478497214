from __future__ import annotations

from orthanc import pacs

__all__ = ["pacs"]
