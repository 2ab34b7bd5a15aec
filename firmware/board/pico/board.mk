# The program runs from RAM, where the boot ROM's USB drive puts it: no second boot stage, and forgotten at power-down.
BOARD_FOLDER := pico
BOARD_CPU := cortex-m0plus
LINE_INTERRUPT := 20
include board/shared_arm/arm.mk
BOARD_AFTER = arm-none-eabi-size $@ && arm-none-eabi-objcopy -O binary $@ $(OUT)/npde.bin && python3 board/pico/uf2.py $(OUT)/npde.bin $(OUT)/npde.uf2
