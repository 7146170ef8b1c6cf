"""Segments: groups of people who buy alike, with names that stay.

fitting: some people -> a model, by stability and usefulness -> names -> centres: frozen, in versions -> history: who belongs
where, from which day until which; only those move who change.
"""
