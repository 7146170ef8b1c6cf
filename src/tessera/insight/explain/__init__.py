"""Why a model says what it says: contributions, sentences in two languages, the model as a whole, what would change it."""
