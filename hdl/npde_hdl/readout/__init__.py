"""From the last field to the answer: pooling, refolding, argmax, bytes."""
