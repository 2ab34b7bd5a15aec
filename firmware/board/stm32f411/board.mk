BOARD_FOLDER := stm32f411
BOARD_CPU := cortex-m4
LINE_INTERRUPT := 37
include board/shared_arm/arm.mk
BOARD_AFTER = arm-none-eabi-size $@ && arm-none-eabi-objcopy -O binary $@ $(OUT)/npde.bin
