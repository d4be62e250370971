"""Loops in the widest registers that the processor has.

For most of Intel's processors with registers of 512 bits the compiler (LLVM) takes those of 256:
early ones lowered their clock under the wide ones, which cost the code around a short loop more
than the loop gained. Here nearly all time goes into long loops. The wish is an attribute of a
function,

    "prefer-vector-width"="512"

and this file gives it to the loops of this package, and to no other function of the process.

Source: LLVM's language reference, "Function attributes", and X86TargetMachine.cpp; Numba's
developer manual, "Customizing the compiler".
"""

from typing import Any

from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import BaseNativeLowering, NativeLowering

WISH = '"prefer-vector-width"="512"'


class _WideLower(Lower):
    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        # its own ``add`` takes attributes without a value only
        set.add(self.function.attributes, WISH)


@register_pass(mutates_CFG=True, analysis_only=False)
class _WideLowering(BaseNativeLowering):
    _name: Any = "scratchae_wide_lowering"
    lowering_class = _WideLower


class Wide(CompilerBase):
    """Numba's compiler, but for that wish."""

    def define_pipelines(self) -> list[Any]:
        """The passes of nopython mode, for arrays of any shape."""
        passes: Any = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [
            (_WideLowering if kind is NativeLowering else kind, words)
            for kind, words in passes.passes
        ]
        passes.finalize()
        return [passes]
