"""Seasons and campaigns: planned, approved, sold, printed, drawn, evaluated."""
