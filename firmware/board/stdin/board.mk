# The link between standard input and output, with every check of memory and arithmetic that gcc has: for tests.
BOARD_FOLDER := stdin
BOARD_CC := gcc
BOARD_PACKAGE := gcc
BOARD_FLAGS := -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
