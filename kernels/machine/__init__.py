"""What makes loops fast and says nothing of the mathematics: compiling, tiles, products,
copies, halves of rows, exp and log, shards."""
