# What all Cortex-M boards have in common: set BOARD_CPU, BOARD_FOLDER, LINE_INTERRUPT before.
BOARD_CC := arm-none-eabi-gcc
BOARD_PACKAGE := gcc-arm-none-eabi and picolibc-arm-none-eabi
BOARD_SUFFIX := .elf
BOARD_SCRIPT := board/$(BOARD_FOLDER)/$(BOARD_FOLDER).ld
BOARD_FLAGS := --specs=picolibc.specs -mcpu=$(BOARD_CPU) -mthumb -DLINE_INTERRUPT=$(LINE_INTERRUPT) -DBOARD_NAME='"$(BOARD)"' -Iboard/shared_arm
BOARD_LINK := -nostartfiles -T $(BOARD_SCRIPT) -Lboard/shared -Wl,--gc-sections
BOARD_AFTER = arm-none-eabi-size $@
EXTRA_SOURCES := board/shared_arm/startup.c board/shared_arm/line.c
