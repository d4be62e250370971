#!/usr/bin/env bash
# First contact with a GPU. Part a: is it right (8 minutes at most)? Part b: is it fast (7)?
#
#   bash benchmarks/gpu/first_contact.sh a --out contact
#   bash benchmarks/gpu/first_contact.sh b --out contact
#
# Nothing is fetched: install '.[cuda13,dev,oracle]' before. Without a folder in SCRATCHAE_DATA
# that has mnist/, the main job takes generated digits. A step has its limit in seconds, and a log
# in the folder that --out names; one that fails or hangs stops nothing, and is named at the end.
# The exit status is 1 where a step failed or could not be run. A step that is over its limit is
# interrupted, which lets pytest tell what had failed, and killed 10 s later.
#
#   --out DIR     folder of all output (default runs/contact)
#   --only STEP   this step alone; may be given several times
#   --list        print each step's name, limit and command, and run none
#   --smoke       tiny runs, which mean nothing
#
# PYTHON names the interpreter: PYTHON=python3.14 bash benchmarks/gpu/first_contact.sh a
set -u -o pipefail
part=${1:-}
[ $# -gt 0 ] && shift
out=runs/contact only=" " list="" smoke=""
while [ $# -gt 0 ]; do
    case $1 in
        --out) out=${2:?--out expects a folder}; shift ;;
        --only) only+="${2:?--only expects a step} "; shift ;;
        --list) list=yes ;;
        --smoke) smoke=--smoke ;;
        *) part="" ;;
    esac
    shift
done
if [ "$part" != a ] && [ "$part" != b ]; then
    echo "first_contact: part a or b is expected, then --out, --only, --list, --smoke" >&2
    exit 2
fi
if ! python=$(command -v "${PYTHON:-python}"); then
    echo "first_contact: there is no ${PYTHON:-python}: name an interpreter in PYTHON" >&2
    exit 2
fi
mkdir -p "$out" && out=$(realpath "$out") && python=$(realpath -s "$python") || exit 2
digits=strokes
if [ -d "${SCRATCHAE_DATA:-}/mnist" ]; then
    digits=mnist SCRATCHAE_DATA=$(realpath "$SCRATCHAE_DATA")
else
    unset SCRATCHAE_DATA
fi
cd "$(dirname "$0")/../.." || exit 2
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 PYTHONFAULTHANDLER=1
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 # a plugin of the machine may warn, which is an error here
failed="" done=0
[ -n "$list" ] || [ "$only" != " " ] || : > "$out/$part.summary.txt"

step() { # name, seconds, command...
    local name=$1 limit=$2 began=$SECONDS status=0 said=done
    shift 2
    [ "$only" = " " ] || [[ $only == *" $name "* ]] || return
    if [ -n "$list" ]; then
        echo "$name $limit $(printf '%q ' "$@")"
        return
    fi
    if ! command -v "$1" > /dev/null; then
        said="not run: there is no $1"
    else
        timeout -s INT -k 10 "$limit" "$@" > "$out/$part.$name.log" 2>&1 || status=$?
        [ $status -eq 0 ] || said="failed with status $status"
        [ $status -ne 124 ] && [ $status -ne 137 ] || said="stopped after its $limit s"
    fi
    if [ "$said" = done ]; then done=$((done + 1)); else failed+=" $name"; fi
    echo "$name: $said ($((SECONDS - began)) s)" | tee -a "$out/$part.summary.txt"
}

vae=("$python" examples/vae_mnist.py --dataset $digits $smoke)
pytest=("$python" -m pytest --backend cupy -p no:cacheprovider -o faulthandler_timeout=60)
pytest+=(-rfE --tb=short)
kernels=(tests/kernels/test_{spellings,many_rows,philox}.py)
others=("${kernels[@]/#/--ignore=}")
sanitizer=(compute-sanitizer --target-processes all --error-exitcode 9)
nan=tests/kernels/test_spellings.py::test_a_nan_stays_one
gpu=("$python" benchmarks/gpu/gpu.py $smoke)
recipes=(--only dense_vae tf_cvae)
sums="nll or GRADIENT or SUMS or ADVANCE or error" # some that sum in shared memory

if [ "$part" = a ]; then
    step driver 10 nvidia-smi
    step packages 10 "$python" -m pip list --disable-pip-version-check
    step contact 130 "$python" benchmarks/gpu/contact.py --out "$out" $smoke
    step gradcheck 50 "$python" -m scratchae.gradcheck cupy
    # in one process first, so that an illegal address names its test; then the rest in several
    step kernels 70 "${pytest[@]}" -x -k cupy "${kernels[@]}"
    step tests 120 "${pytest[@]}" -p xdist -n 8 --dist loadfile --maxfail 60 \
        --junitxml "$out/tests.xml" -k cupy "${others[@]}" tests
    step main_gpu 40 "${vae[@]}" --backend cupy --out "$out/main_gpu"
    step main_cpu 40 "${vae[@]}" --backend numpy --shards 1 --out "$out/main_cpu"
    step compare 10 "$python" benchmarks/gpu/compare.py "$out/main_gpu" "$out/main_cpu"
else
    step parts 120 "${gpu[@]}" --json "$out/parts.json" "${recipes[@]}" --seconds 60 \
        --sections launches products graphs job
    step memcheck 50 "${sanitizer[@]}" --tool memcheck "${pytest[@]}" -x "$nan" \
        -k "cupy and float32"
    step racecheck 40 "${sanitizer[@]}" --tool racecheck "${pytest[@]}" -x "$nan" \
        -k "cupy and float32 and ($sums)"
    step races 210 "${gpu[@]}" --json "$out/races.json" "${recipes[@]}" --seconds 140 \
        --sections recipes --batches 128 --modes graph compile+graph --precision float32 --rounds 2
fi
[ -z "$list" ] || exit 0
if [ -z "$failed" ] && [ $done -eq 0 ]; then
    echo "first_contact: part $part has no step$only: --list prints them" >&2
    exit 2
fi
ended="part $part: $done done; failed or not run:${failed:- none}. All output is in $out"
echo "$ended" | tee -a "$out/$part.summary.txt"
[ -z "$failed" ]
