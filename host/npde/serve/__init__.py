"""Boards behind HTTP: an API of JSON and a page to draw on."""
