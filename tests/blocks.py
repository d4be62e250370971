"""How a shard is cut into blocks, where a test wants many or none."""


def held(size):
    """As ``execution.shards.blocks_of``: as many blocks as hold so many bytes of activations each,
    whatever the weights cost."""

    def blocks_of(activations, weights):
        return -(-activations // size)

    return blocks_of
