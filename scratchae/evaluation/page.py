"""A health report as one page of text."""

import textwrap
from typing import Any

WIDTH = 78  # letters on a line


def page(r: Any) -> str:
    """A Health as one page of text."""
    ills = r.ills
    verdict = f"look at: {', '.join(ills)}" if ills else "nothing is wrong that these rules know"
    lines = [
        f"Health of a model with {r.model}, on {r.N:,} examples of {r.data}",
        f"{verdict}.",
        "",
        f"    ELBO {-r.reconstruction - r.kl:.2f} nats per example: reconstruction "
        f"{-r.reconstruction:.2f}, KL {r.kl:.2f}",
    ]
    if r.log_p is not None:
        N, K = len(r.log_p.each), r.log_p.samples
        density = f"log p(x) {r.above - r.reconstruction - r.kl:.2f}"
        how = f"by what it is above the ELBO of {N:,} examples, {K:,} samples each"
        lines += _paragraph(" " * 4, f"{density}, {how}; {r.ess:.3g} of these count in the median")
    lines.append("")
    for finding in r.findings:
        lines += _paragraph(f"{finding.verdict}  {finding.name:11} ", f"{finding.sentence}.")
        if finding.advice:
            lines += _paragraph(" " * 18, f"Try: {finding.advice}.")
    return "\n".join(lines)


def _paragraph(head: str, words: str) -> list[str]:
    return textwrap.wrap(
        words,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
    )
