"""Which channel brought what: exact Markov removal effects and six plain models beside them, from paths of touches."""
