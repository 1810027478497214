"""Tests of de-identified copies."""
