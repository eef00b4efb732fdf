"""Trainers of voices."""
