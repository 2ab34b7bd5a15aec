BOARD_FOLDER := virt_rv32
BOARD_CC := riscv64-unknown-elf-gcc
BOARD_PACKAGE := gcc-riscv64-unknown-elf and picolibc-riscv64-unknown-elf
BOARD_SUFFIX := .elf
BOARD_SCRIPT := board/virt_rv32/virt_rv32.ld
BOARD_FLAGS := --specs=picolibc.specs -march=rv32imac -mabi=ilp32 -mcmodel=medany -msmall-data-limit=0
BOARD_LINK := -nostartfiles -T $(BOARD_SCRIPT) -Lboard/shared -Wl,--gc-sections
BOARD_AFTER = riscv64-unknown-elf-size $@
