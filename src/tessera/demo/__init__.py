"""Floor 9: a made-up smart-home shop that plays the outside world, with the truth known.

`world.make(folder, people, seed)` writes the shop's files and the truth; `workspace.write(root)` the contracts that
read them. Nothing else in Tessera knows the demo.
"""
