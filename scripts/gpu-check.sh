#!/bin/sh
# Runs all checks that need a GPU, and writes one report.
#   scripts/gpu-check.sh pack          on a machine with Node and npm packages: writes out/gpu-check-pack.tar.xz for a
#                                      machine that has neither (but nvcc, CMake and a Python with torch)
#   scripts/gpu-check.sh [run]         on that machine: builds, tests, sanitizes, measures; the report is
#                                      out/gpu-check/report.md (also copied to $OUT, if set)
#   scripts/gpu-check.sh run --quick   the smallest form of each stage
#   scripts/gpu-check.sh dry           without a GPU: the same stages as far as possible, benchmarks on the CPU
# PYTHON is the interpreter with torch (python3). A failed stage does not stop the others; the exit status is then 1.
# Settings of the GPU are not changed.
# The functions below are called through `stage`.
# shellcheck disable=SC2329
set -u
cd "$(dirname "$0")/.." || exit 1
root=$(pwd)
python=${PYTHON:-python3}
mode=${1:-run}
quick=${2:-}
pack=$root/out/gpu-check-pack.tar.xz

make_pack() {
  work=$(mktemp -d) || exit 1
  mkdir -p "$work/node/bin" "$work/doctest" out
  cp "$(command -v node)" "$work/node/bin/node"
  [ -d dist ] || node scripts/build.mjs --sdk || exit 1
  cp -R dist "$work/dist"
  doctest=$(dirname "$(find /usr/include /usr/local/include -name doctest.h 2>/dev/null | head -n 1)")
  [ -f "$doctest/doctest.h" ] || { echo 'doctest.h was not found: apt-get install doctest-dev' >&2; exit 1; }
  cp "$doctest/doctest.h" "$work/doctest/doctest.h"
  # Runtime dependencies of the SDK, and the headers of Node-API.
  mkdir -p "$work/node_modules"
  node -e '
    const { dependencies } = require("./package.json");
    const { join } = require("node:path");
    const { existsSync, readFileSync } = require("node:fs");
    const seen = new Set();
    const visit = (name) => {
      const folder = join("node_modules", name);
      if (seen.has(name) || !existsSync(folder)) return;
      seen.add(name);
      const own = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      for (const inner of Object.keys({ ...own.dependencies, ...own.optionalDependencies })) visit(inner);
    };
    for (const name of [...Object.keys(dependencies), "node-addon-api", "node-api-headers"]) visit(name);
    console.log([...seen].join("\n"));
  ' | while read -r name; do
    mkdir -p "$work/node_modules/$(dirname "$name")"
    cp -RL "node_modules/$name" "$work/node_modules/$name"
  done
  # The musl builds are not for this C library.
  rm -rf "$work"/node_modules/@img/*musl*
  tar -C "$work" -cf - . | xz -T0 -6 >"$pack" || exit 1
  rm -rf "$work"
  ls -l "$pack"
}

if [ "$mode" = pack ]; then
  make_pack
  exit 0
fi
case $mode in run | dry) ;; *)
  sed -n '2,12p' "$0"
  exit 2
  ;;
esac

results=$root/out/gpu-check
report=$results/report.md
rm -rf "$results"
mkdir -p "$results"
failed=0
printf '# GPU check\n\n' >"$report"

# stage NAME COMMAND...: runs a command, keeps its log, and adds its result and its last lines to the report.
stage() {
  name=$1
  shift
  log=$results/$(printf '%s' "$name" | tr -c 'a-z0-9\n' '-').log
  started=$(date +%s)
  echo "== $name"
  "$@" >"$log" 2>&1
  status=$?
  seconds=$(($(date +%s) - started))
  verdict=passed
  if [ "$status" -eq 77 ]; then
    verdict='NOT RUN'
  elif [ "$status" -ne 0 ]; then
    verdict="FAILED (status $status)"
    failed=1
  fi
  echo "   $verdict, $seconds s"
  {
    printf '## %s: %s, %s s\n\n```\n' "$name" "$verdict" "$seconds"
    tail -n 40 "$log"
    printf '```\n\n'
  } >>"$report"
}

skip() {
  echo "not run: $*"
  return 77
}

machine() {
  git rev-parse HEAD 2>/dev/null || true
  uname -srm
  nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv || [ "$mode" = dry ] || return 1
  nvcc --version | tail -n 2
  cmake --version | head -n 1
  "$python" -c 'import torch, torchvision; print("torch", torch.__version__, "CUDA", torch.version.cuda, "torchvision", torchvision.__version__, "GPU", torch.cuda.is_available())'
}

unpack() {
  if [ -f "$pack" ]; then
    mkdir -p out/gpu-check-pack && tar -C out/gpu-check-pack -xJf "$pack" || return 1
    [ -e node_modules ] || ln -s out/gpu-check-pack/node_modules node_modules
    [ -e dist ] || cp -R out/gpu-check-pack/dist dist
  fi
  node --version && ls dist/index.js node_modules/node-addon-api/package.json
}

build() { node scripts/cuda.mjs "$torch" --tests; }

core_test() { out/cuda/cellroute_engine_test "$@" && out/cuda/cellroute_core_test "$@"; }

has_gpu() { nvidia-smi -L 2>/dev/null | grep -q GPU; }

gpu_test() {
  has_gpu || { skip 'no GPU'; return; }
  core_test -tc='GPU*' -s=false
}

sanitizer() {
  has_gpu || { skip 'no GPU'; return; }
  command -v compute-sanitizer >/dev/null || { skip 'no compute-sanitizer'; return; }
  compute-sanitizer --tool "$1" --error-exitcode 9 out/cuda/cellroute_core_test \
    -tc='GPU: RoIAlign*,GPU: a RoI*,GPU: NMS*,GPU: masks*'
  code=$?
  if [ "$code" -ne 0 ] && grep -q 'Device not supported' "$results"/*sanitizer*"$1"*.log; then
    skip 'compute-sanitizer cannot access the device in this virtual machine'
    return
  fi
  return "$code"
}

doctor() {
  node dist/cli/main.js doctor
  code=$?
  # Without a GPU the doctor must fail with an explanation.
  [ "$mode" = dry ] && return 0
  return "$code"
}

export PATH="$root/out/gpu-check-pack/node/bin:$PATH"
[ -f out/gpu-check-pack/doctest/doctest.h ] && export CELLROUTE_DOCTEST="$root/out/gpu-check-pack"
torch=$("$python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])') || exit 1
export CELLROUTE_LIBTORCH="$torch"
export PYTHON="$python"

device=cuda:0
[ "$mode" = dry ] && device=cpu
[ "$mode" = dry ] && quick=--quick

stage 'machine' machine
stage 'unpack' unpack
stage 'build' build
stage 'doctor' doctor
stage 'tests on the cpu' core_test
stage 'tests on the gpu' gpu_test
stage 'parity of the sdk' node bench/gpu/parity.mjs --device "$device"
for tool in memcheck racecheck initcheck synccheck; do
  stage "compute sanitizer $tool" sanitizer $tool
done
stage 'benchmark' node bench/gpu/run.mjs --device "$device" ${quick:+"$quick"}

if [ -n "${OUT:-}" ]; then
  cp "$report" "$OUT/report.md"
  tar -C "$results" -czf "$OUT/logs.tar.gz" .
fi
cat "$report"
exit "$failed"
