"""Observers that tell trackers of experiments of a training: a module each, named by the callback that asks for it."""
