"""Classifiers: text in, findings out. They know nothing of policies, requests or servers."""
