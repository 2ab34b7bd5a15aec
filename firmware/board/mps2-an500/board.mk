BOARD_FOLDER := mps2
BOARD_CPU := cortex-m7
LINE_INTERRUPT := 0
include board/shared_arm/arm.mk
