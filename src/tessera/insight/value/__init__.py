"""Value: who will come back how often in a time ahead, and what that is worth; always with how sure that is.

history: rows grouped -> bgnbd, paretonbd, nbd: likelihoods -> maximum: the best parameters -> chosen: which law holds,
said if the data do not bear it -> ahead, predicted: expected purchases, intervals -> spend: money -> checked: later truth.
"""
