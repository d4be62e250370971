"""The kernels of penalties on a code, at the size of a sparse autoencoder's."""

from benchmarks.kernels.case import Case, Maker, array, size


def of_rows(N: int, D: int) -> Maker:
    def make(key: str) -> Case:
        v, h = array(N), array(N, D)
        return Case(f"{N}x{D}", [(v, h)], size(v, h))

    return make


def gradient(N: int, D: int) -> Maker:
    def make(key: str) -> Case:
        out, dh, h = (array(N, D) for _ in range(3))
        return Case(f"{N}x{D}", [(out, dh, h, 1e-3)], size(out, dh, h))

    return make


def rates(N: int, D: int, backward: bool) -> Maker:
    def make(key: str) -> Case:
        s, h, out = array(D + 2, dtype="float64"), array(N, D), array(N, D)
        s[:] = N / 3
        s[0] = N
        args = (out, h, s, 1e-3, 0.05, 2) if backward else (s[2:], h)
        return Case(f"{N}x{D}", [args], size(s, h) + backward * out.nbytes)

    return make


def contraction(name: str, N: int, D: int) -> Maker:
    def make(key: str) -> Case:
        q, v, h, out, dh = (
            array(D, dtype="float64"),
            array(N),
            array(N, D),
            array(N, D),
            array(N, D),
        )
        arguments: dict[str, tuple] = {
            "SQUARED_COLUMNS": (q, h),
            "CONTRACTION": (v, h, q, 1.0),
            "CONTRACTION_GRADIENT": (out, dh, h, q, 1e-3, 1.0),
            "SQUARED_SLOPES": (q, h, 1.0),
            "CONTRACTION_WEIGHTS": (out, h, q, 1e-3),
        }
        arrays = [a for a in arguments[name] if not isinstance(a, float)]
        return Case(
            f"{N}x{D}",
            [arguments[name]],
            size(*arrays) + (name == "CONTRACTION_WEIGHTS") * out.nbytes,
        )

    return make


CASES = {
    "penalties.L1": [of_rows(256, 128)],
    "penalties.L1_GRADIENT": [gradient(256, 128)],
    "penalties.STUDENT_T": [of_rows(256, 128)],
    "penalties.STUDENT_T_GRADIENT": [gradient(256, 128)],
    "penalties.SUM_UNITS": [rates(256, 128, backward=False)],
    "penalties.RATE_GRADIENT": [rates(256, 128, backward=True)],
    "contraction.SQUARED_COLUMNS": [contraction("SQUARED_COLUMNS", 784, 128)],
    "contraction.CONTRACTION": [contraction("CONTRACTION", 256, 128)],
    "contraction.CONTRACTION_GRADIENT": [contraction("CONTRACTION_GRADIENT", 256, 128)],
    "contraction.SQUARED_SLOPES": [contraction("SQUARED_SLOPES", 256, 128)],
    "contraction.CONTRACTION_WEIGHTS": [contraction("CONTRACTION_WEIGHTS", 784, 128)],
}
