"""What ``python -m scratchae.gradcheck`` prints: a table for each group, then one line."""

from collections.abc import Callable, Mapping, Sequence

from . import library
from .measure import TOLERANCE, Report, Row

Group = tuple[Callable[[str], list[Report]], str, str]
Named = list[tuple[str, Row]]


def main(backends: Sequence[str] = ("reference", "numpy")) -> int:
    """Check everything in the library on each backend; print tables and a last line; 1 if anything
    is wrong.

    Shapes: small, half a minute in all. Source: measure.py, moments.py.
    """
    print(f"Relative errors of all gradients, float64; right is up to {TOLERANCE:.0e}.")
    gradients = _groups(library.GRADIENTS, backends, "gradients", _largest)
    print("\nWhat no gradient check can see: proofs of what forward computes.")
    proofs = _groups(library.PROOFS, backends, "proofs", _verdict)
    rows = gradients + proofs
    wrong = [name for name, row in rows if row.verdict == "wrong"]
    if wrong:
        print(f"\n{len(wrong)} of {len(rows)} checks are wrong: {'; '.join(wrong)}")
        return 1
    worst, row = max(gradients, key=lambda pair: pair[1].error)
    print(
        f"\nall {len(gradients)} gradients and {len(proofs)} proofs right on "
        f"{' and '.join(backends)}; the largest relative error is {row.error:.1e} ({worst})"
    )
    return 0


def _groups(
    groups: Mapping[str, Group], backends: Sequence[str], what: str, cell: Callable[[Report], str]
) -> Named:
    """Print the table of each group, and whole what is wrong -> all rows, named."""
    rows: Named = []
    for group, (reports_on, proves, blind) in groups.items():
        by_thing = list(zip(*(reports_on(backend) for backend in backends), strict=True))
        lines = [f"{group:<42}{what:>10}" + "".join(f"{backend:>12}" for backend in backends)]
        lines += [f"  each line proves: {proves}", f"  none can see: {blind}"]
        for reports in by_thing:
            cells = "".join(f"{cell(report):>12}" for report in reports)
            lines.append(f"  {reports[0].title:<40}{len(reports[0].rows):>10}{cells}")
            lines += _told(reports[0])
        print("\n" + "\n".join(lines), flush=True)
        for reports in by_thing:
            for backend, report in zip(backends, reports, strict=True):
                rows += [(f"{report.title}: {row.what}, {backend}", row) for row in report.rows]
                if not report.ok:
                    print(f"\n{backend}: {report}")
    return rows


def _told(report: Report) -> list[str]:
    """What is no density, in words; once, where several axes say the same."""
    told = {row.note: row.what for row in report.rows if row.verdict == "no density"}
    return [f"    {what}: {note}" for note, what in told.items()]


def _largest(report: Report) -> str:
    return f"{max(row.error for row in report.rows):.1e}"


def _verdict(report: Report) -> str:
    """wrong if anything is, else that of the first row: for a likelihood, that of its mass."""
    return report.rows[0].verdict if report.ok else "wrong"
