"""Dialects: words in, words out. Translate and nothing else; every decision is the kernel's."""
