"""Doubt: how far the mask of a frame can be relied on, without knowing the true one."""
