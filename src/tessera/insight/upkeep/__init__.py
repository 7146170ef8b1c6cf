"""Devices: how long each will still work, how likely it fails soon, how much service a region will ask for."""
