"""Delivery quality and visits. No code yet: its rows stand open in docs/requirements.md."""
