/* Bytes first, then a row of the samples under way, then wait. */
#include "board.h"
#include "model.h"

static npde_link link_state;

int main(void)
{
    board_begin();
    npde_link_begin(&link_state, &model, &board);
    for (;;) {
        const int byte = board_read();
        if (byte >= 0)
            npde_link_receive(&link_state, (uint8_t)byte);
        else if (byte == -2)
            npde_link_garbled(&link_state);
        else if (!npde_link_work(&link_state))
            board_wait();
    }
}
