"""Hostile input for the dataset builder: a seed corpus, mutations of it, and a run that counts what became of them."""
