"""Tessera, a customer data platform: trust -> data -> insight -> action, on your own machine.

A step is a function from views that the gate opened to tables; nothing else reads people's data. The floors, imports go
down only:

    doors/     9  every way in and out              demo/      9  a made-up shop with the truth known
    app.py     8  opens a workspace                 loop.py    7  STEPS and turn()
    action/    6  what we do about it               insight/   5  what it means
    data/      4  what happened, to whom            trust/     3  who may use what for what
    lake/      2  where it lies                     words.py, errors.py, config.py, workspace.py  1
"""

from tessera._version import VERSION as __version__

__all__ = ["__version__"]
