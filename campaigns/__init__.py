"""Seasons and campaigns. No code yet: its rows stand open in docs/requirements.md."""
