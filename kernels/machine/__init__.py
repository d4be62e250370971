"""What makes loops fast and says nothing of the mathematics: compiling, tiles, products, exp and
log, shards."""
