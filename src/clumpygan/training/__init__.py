"""Composing and running a training: settings, states, cards, loggers."""
