"""Cases of the kernels of recurrent layers, for kernel_cases.py: batches of 128 heartbeats, of 140 steps each."""

from kernel_case import Case, Maker, array, size


def lstm(N: int, U: int, backward: bool) -> Maker:
    """The gates of one step. What changes from call to call stays bounded: a becomes gates between -1 and 1."""

    def make(key: str) -> Case:
        gates, r, dh, dc, c, before = array(N, 4 * U), array(N, 4 * U), *(array(N, U) for _ in range(4))
        args = (r, array(N, U), dh, dc, gates, c, before) if backward else (gates, c, dh, r, array(4 * U), before)
        return Case(f"{N}x{U}", [args], size(*args) + (0 if backward else gates.nbytes))

    return make


def swap(N: int, T: int, D: int) -> Maker:
    def make(key: str) -> Case:
        out, x = array(T, N, D), array(N, T, D)
        return Case(f"{N}x{T}x{D}", [(out, x)], size(out, x))

    return make


CASES: dict[str, list[Maker]] = {
    "lstm.LSTM_GATES": [lstm(128, 64, backward=False)],
    "lstm.LSTM_GRADIENT": [lstm(128, 64, backward=True)],
    "swap.SWAP": [swap(128, 140, 1), swap(128, 140, 64)],
}
