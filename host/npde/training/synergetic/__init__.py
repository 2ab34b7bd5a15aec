"""Synergetic learning, the case of two models: B reduces an image to a code, A generates image and label from it, learned together.

Guo and Yin, "Synergetic Learning Systems: Concept, Architecture, and Algorithms" (arXiv 2006.06367), Figure 1: a
reductive and a generative subsystem that take part in one descent of one free energy. Here each is a stencil-update
program, so that each becomes a model of integers with a board of its own.
"""
