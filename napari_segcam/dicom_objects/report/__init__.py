"""The parts of a structured report: its observers, its findings, and what it says of frames without one."""
