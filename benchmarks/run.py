#!/usr/bin/env python3
"""Measures Tapir against libtorch and prints the table of the README.

Builds both sides of each program, then runs them in alternation (libtorch, Tapir, libtorch, ...) for some rounds. A
row's times are medians over the rounds; its ratio is the median of the rounds' ratios, with the least and the greatest.
Libtorch runs at its best: of 1 and 2 threads (up to this machine's cores) and of the core types that OpenBLAS can be
told, the fastest for each workload is found first, and its malloc keeps its memory. Tapir runs as it comes.

  benchmarks/run.py [--only NAME]... [--rounds N] [--seconds S] [--busy] [--smoke] [--json FILE] [--torch-dir DIR]
                    [--data DIR]

With --data, a folder that holds text/dev.txt, trees/train.txt and tags/dev.txt, it trains whole programs on them too.
"""
import argparse
import datetime
import json
import os
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
TAPIR_BUILD = ROOT / "build" / "release"
CORES = len(os.sched_getaffinity(0))

TUNED_MALLOC = {"MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_MMAP_THRESHOLD_": str(1 << 40)}
THREADS = [n for n in (1, 2) if n <= CORES]
CORE_TYPES = ["SKYLAKEX", "COOPERLAKE", None]  # None: what OpenBLAS believes

# (row, program, case, greatest ratio to libtorch allowed, does it spend its time in matrix products?)
WORKLOADS = [
    ("chain of 100 pointwise ops on 4×4, forward + backward", "pointwise_chain", "pointwise_chain", 1 / 10, False),
    ("`a + b` on 4×4 without gradient", "small_ops", "small_ops/add", 1 / 4, False),
    ("`view` of 4×4 without gradient", "small_ops", "small_ops/view", 1 / 3, False),
    ("LSTM cell loop, 32 steps, Adam: B=1 H=32", "lstm_cell", "lstm_cell/B1_H32", 1 / 14, True),
    ("the same, B=1 H=128", "lstm_cell", "lstm_cell/B1_H128", 1 / 6, True),
    ("the same, B=1 H=512", "lstm_cell", "lstm_cell/B1_H512", 1 / 4, True),
    ("the same, B=32 H=32", "lstm_cell", "lstm_cell/B32_H32", 1 / 4, True),
    ("the same, B=32 H=128", "lstm_cell", "lstm_cell/B32_H128", 1 / 2, True),
    ("the same, B=32 H=512", "lstm_cell", "lstm_cell/B32_H512", 0.65, True),
    ("`nn::LSTM`, 32 steps, forward + backward, B=32 H=128", "lstm_layer", "lstm_layer/B32_H128", 1 / 2, True),
    ("the same, B=32 H=512", "lstm_layer", "lstm_layer/B32_H512", 0.75, True),
    ("GRU cell loop, 32 steps, Adam: B=1 H=64", "gru_cell", "gru_cell/B1_H64", 1 / 10, True),
    ("`nn::GRU` over packed sequences of lengths 5 to 200, B=32 H=128", "packed", "packed/gru", 1 / 3, True),
    ("bidirectional `nn::LSTM` over the same", "packed", "packed/bidirectional_lstm", 1 / 3, True),
    ("transformer encoder layer, forward + backward, B=8 T=128 D=256", "transformer", "transformer/plain", 0.8, True),
    ("the same with dropout 0.1", "transformer", "transformer/dropout", 0.8, True),
    ("conv2d 64→64 3×3 on 16×64×56×56, forward + backward", "conv", "conv/3x3", 0.8, True),
    ("conv2d 256→1024 1×1 on 8×256×14×14, forward + backward", "conv", "conv/1x1", 0.8, True),
    ("conv2d of one channel a group, 3×3 on 8×192×28×28, forward + backward", "conv", "conv/depthwise", 0.8, True),
    ("`BatchNorm2d` over 16×64×56×56, forward + backward", "vision", "vision/batch_norm", 0.8, True),
    ("max_pool2d 3×3, every second place, over the same", "vision", "vision/max_pool", 0.8, True),
    ("bilinear interpolation of 16×64×28×28 to twice the size, forward + backward", "vision", "vision/bilinear", 0.8, True),
    ("training step of the MNIST network of libtorch's examples, B=64", "vision", "vision/mnist", 0.4, True),
    ("training step of ResNet-18, 8 images of 224×224", "networks", "networks/resnet18", 0.8, True),
    ("training step of MobileNetV2 on the same", "networks", "networks/mobilenet_v2", 0.8, True),
    ("`LayerNorm` over 1024×256, forward + backward", "norms", "norms/layer_norm", 0.7, False),
    ("cross-entropy over 128×10,000, forward + backward", "norms", "norms/cross_entropy", 0.7, False),
    ("Adam over 10 million parameters in 100 tensors", "adam", "adam/10M", 0.7, False),
    ("data loader, 64 batches of 64 images, normalised and stacked, 1 worker", "loader", "loader/workers1", 1.0, False),
    ("the same, 2 workers", "loader", "loader/workers2", 1.0, False),
    ("two layers 64×1000×100×10, SGD", "small_nets", "small_nets/64x1000x100x10_sgd", 0.7, True),
    ("two layers 20×10×10×5, Adam", "small_nets", "small_nets/20x10x10x5_adam", 1 / 6, True),
    ("`a + b` on 2^24 floats", "big_pointwise", "big_pointwise/add", 0.9, False),
    ("`exp` on 2^22 floats", "big_pointwise", "big_pointwise/exp", 0.9, False),
    ("`sort` of 10^6 floats", "tensor_ops", "tensor_ops/sort", 0.9, False),
    ("`topk(100)` of 10^6 floats", "tensor_ops", "tensor_ops/topk", 0.9, False),
    ("`gather` of 10^6 floats", "tensor_ops", "tensor_ops/gather", 0.9, False),
    ("`scatter_add` of 10^6 floats", "tensor_ops", "tensor_ops/scatter_add", 0.9, False),
    ("`sum` over dimension 0 of 1000×1000", "tensor_ops", "tensor_ops/sum_dim0", 0.8, False),
    ("the same over dimension 1", "tensor_ops", "tensor_ops/sum_dim1", 0.8, False),
    ("mm, n = 64", "mm", "mm/n64", 1.0, True),
    ("mm, n = 256", "mm", "mm/n256", 1.0, True),
    ("mm, n = 1024", "mm", "mm/n1024", 1.0, True),
]
# (row, case of bench_programs, unit, least of them per second)
PROGRAMS = [
    ("language model, LSTM 128/256, softmax over all words at each step, Adam", "lm", "words", 4000),
    ("the same over batches of 16 sentences", "lm_batched", "words", 20000),
    ("binary Tree-LSTM 128/128, Adam", "tree_lstm", "trees", 550),
    ("the same with sparse embeddings", "tree_lstm_sparse", "trees", 2500),
    ("bidirectional LSTM tagger, Adam", "tagger", "words", 40000),
    ("the same with sparse embeddings", "tagger_sparse", "words", 90000),
]
BARE_BAR = 1 / 0.85  # at least 85 % of what a bare loop over mapped memory reaches
BLAS_BAR = 1.05      # within 5 % of the better of OpenBLAS and oneDNN called directly
BUSY_BAR = 3.0       # beside two busy processes, at most this many times slower than alone


def clean_environment():
    """The environment without anything that tunes a library."""
    tuning = ("OMP_", "GOMP_", "KMP_", "OPENBLAS_", "MKL_", "DNNL_", "ONEDNN_", "MALLOC_", "GLIBC_TUNABLES", "TAPIR_")
    return {k: v for k, v in os.environ.items() if not k.startswith(tuning)}


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---------------------------------------------------------------------------------------------------------------- build

def call(command, **kwargs):
    say("  $ " + shlex.join(map(str, command)))
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
    if result.returncode:
        sys.exit(result.stdout + f"\nrun.py: this failed: {shlex.join(map(str, command))}")


def build(torch_dir):
    """Builds Tapir's release preset and the programs of both sides."""
    call(["cmake", "--preset", "release"], cwd=ROOT)
    call(["cmake", "--build", "--preset", "release", "--target", "tapir"], cwd=ROOT)
    sides = {"libtorch": torch_dir, "tapir": TAPIR_BUILD / "compat"}
    for side, directory in sides.items():
        where = [f"-DTorch_DIR={directory}"] if directory else []
        call(["cmake", "-S", ROOT / "benchmarks", "-B", BUILD / side, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", *where])
        call(["cmake", "--build", BUILD / side])


def cached(side, name):
    for line in (BUILD / side / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.partition("=")[2]
    return ""


# ------------------------------------------------------------------------------------------------------------ measuring

class Configuration:
    """How a side runs: its name in the table and its environment."""

    def __init__(self, threads=None, core_type=None, malloc=None):
        self.environment = dict(malloc or {})
        words = []
        if threads:
            self.environment["OMP_NUM_THREADS"] = str(threads)
            words.append(f"{threads} thread" + "s" * (threads > 1))
        if core_type:
            self.environment["OPENBLAS_CORETYPE"] = core_type
            words.append(core_type.lower())
        self.name = ", ".join(words)


DEFAULT = Configuration()


def candidates(products, malloc=None):
    return [Configuration(t, c, malloc) for t in THREADS for c in (CORE_TYPES if products else [None])]


def run_program(side, program, cases, configuration, seconds, repeats=5):
    """One process over `cases`: {case: {"median_ns": ..., "value": ...}}. `program` may carry a first argument."""
    program, _, argument = program.partition(" ")
    command = [BUILD / side / f"bench_{program}", *([argument] if argument else []),
               "--seconds", str(seconds), "--repeats", str(repeats)]
    for case in cases:
        command += ["--case", case]
    environment = clean_environment() | configuration.environment
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    if result.returncode:
        raise RuntimeError(f"{shlex.join(map(str, command))} ended with {result.returncode}:\n{result.stderr}")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {line["name"]: line for line in lines}


def best_configuration(side, program, cases, choices, seconds):
    """The configuration in which the fastest of `cases` is fastest, of two short runs each."""
    def fastest(configuration):
        return min(r["median_ns"] for _ in range(2)
                   for r in run_program(side, program, cases, configuration, seconds / 3, 3).values())
    return min(choices, key=fastest) if len(choices) > 1 else choices[0]


def time_row(label, reference, reference_ns, tapir_ns, bar=None, limit_ns=None, note=""):
    """A row whose bar is a ratio to the reference, or whose limit is a time."""
    ratios = [t / r for t, r in zip(tapir_ns, reference_ns)]
    ratio, ours = statistics.median(ratios), statistics.median(tapir_ns)
    return {"row": label, "reference": reference, "reference_ns": statistics.median(reference_ns), "tapir_ns": ours,
            "ratio": ratio, "least": min(ratios), "greatest": max(ratios), "bar": bar, "limit_ns": limit_ns,
            "pass": ours <= limit_ns if limit_ns else ratio <= bar, "note": note}


def size_row(label, theirs, ours, limit):
    return {"row": label, "reference": "libtorch", "reference_bytes": theirs, "tapir_bytes": ours, "ratio": ours / theirs,
            "limit_bytes": limit, "pass": ours <= limit, "note": ""}


def against_libtorch(label, program, case, bar, products, options):
    best = best_configuration("libtorch", program, [case], candidates(products, TUNED_MALLOC), options.seconds)
    theirs, ours, values = [], [], set()
    for _ in range(options.rounds):
        a = run_program("libtorch", program, [case], best, options.seconds)[case]
        b = run_program("tapir", program, [case], DEFAULT, options.seconds)[case]
        theirs.append(a["median_ns"])
        ours.append(b["median_ns"])
        values.add((a["value"], b["value"]))
    same = all(abs(x - y) <= 1e-3 * abs(x) for x, y in values)
    note = "" if same else "computed different values: " + ", ".join(f"{x:g} and {y:g}" for x, y in sorted(values))
    return time_row(label, f"libtorch, {best.name}", theirs, ours, bar, note=note) | ({} if same else {"pass": False})


def program_rows(options, wanted):
    """Whole programs on real text, in units per second."""
    listing = subprocess.run([BUILD / "tapir" / "bench_programs", options.data, "--list"], stdout=subprocess.PIPE, text=True,
                             check=True, env=clean_environment()).stdout
    cases = {line.split("/")[1]: line for line in listing.splitlines()}
    for label, name, unit, least in PROGRAMS:
        if not wanted(label, cases[name]):
            continue
        units = int(cases[name].partition("units=")[2])
        row = against_libtorch(label, f"programs {options.data}", cases[name], units / least, True, options)
        rate = {side: units / row[side + "_ns"] * 1e9 for side in ("reference", "tapir")}
        agree = "computed" not in row["note"]
        yield row | {"unit": unit, "least_rate": least, "rates": rate, "bar": None,
                     "pass": agree and rate["tapir"] >= least}


def against_bare_loop(label, case, options):
    """In one process, repeats interleaved: a library's op and the same as a loop over mapped memory."""
    loops = [f"{case}_bare_{n}" for n in THREADS]
    bare, ours = [], []
    for _ in range(options.rounds):
        found = run_program("tapir", "big_pointwise", [case, *loops], DEFAULT, options.seconds * 2)
        ours.append(found[case]["median_ns"])
        bare.append(min(found[loop]["median_ns"] for loop in loops))
    return time_row(label, "bare loop", bare, ours, BARE_BAR)


def against_blas(label, n, options):
    """A library's mm and the better of OpenBLAS and oneDNN, called directly at their best setting."""
    best = {}
    for library in ("openblas", "onednn"):
        choices = candidates(library == "openblas")
        best[library] = best_configuration("tapir", "blas", [f"{library}/n{n}"], choices, options.seconds)
    direct, ours = {library: [] for library in best}, []
    for _ in range(options.rounds):
        for library, configuration in best.items():
            found = run_program("tapir", "blas", [f"{library}/n{n}"], configuration, options.seconds)
            direct[library] += [r["median_ns"] for r in found.values()]
        ours.append(run_program("tapir", "mm", [f"mm/n{n}"], DEFAULT, options.seconds)[f"mm/n{n}"]["median_ns"])
    library = min(direct, key=lambda name: statistics.median(direct[name]))
    return time_row(label, f"{library} directly, {best[library].name}", direct[library], ours, BLAS_BAR)


def spawn(command, environment=None):
    """Runs a program: (wall seconds, its standard output, greatest resident memory of it and its children in KiB)."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        pid = os.posix_spawnp(command[0], [str(c) for c in command], environment or clean_environment(),
                              file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1)])
        _, status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise RuntimeError(f"{shlex.join(map(str, command))} ended with status {status}")
        out.seek(0)
        return seconds, out.read().decode(), usage.ru_maxrss


def start_up(options):
    """Rows of a program that makes one tensor: its wall time and its peak memory, both as seen from a fresh process."""
    times, peaks = {"libtorch": [], "tapir": []}, {}
    for _ in range(max(3, 4 * options.rounds)):
        for side in times:
            seconds, out, _ = spawn([str(BUILD / side / "bench_startup")])
            times[side].append(seconds * 1e9)
            peaks[side] = json.loads(out)["peak_kib"] * 1024
    return [time_row("start-up of a program that makes one tensor", "libtorch", times["libtorch"], times["tapir"],
                     limit_ns=5e6),
            size_row("its peak memory", peaks["libtorch"], peaks["tapir"], 15e6)]


def compile_time(options):
    """Compiles umbrella.cpp as the programs are compiled, but with -O0 and without ccache."""
    times, peaks = {"libtorch": [], "tapir": []}, {}
    commands = {}
    for side in times:
        entries = json.loads((BUILD / side / "compile_commands.json").read_text())
        entry = next(e for e in entries if e["file"].endswith("/umbrella.cpp"))
        words = [w for w in shlex.split(entry["command"]) if not w.endswith("ccache") and w not in ("-O3", "-DNDEBUG")]
        words[words.index("-o") + 1] = os.devnull
        commands[side] = words + ["-O0"]
    for _ in range(min(3, options.rounds)):
        for side, command in commands.items():
            seconds, _, peak_kib = spawn(command)
            times[side].append(seconds * 1e9)
            peaks[side] = peak_kib * 1024
    note = f"compiler's memory {figure_bytes(peaks['libtorch'])} and {figure_bytes(peaks['tapir'])}"
    return [time_row("one file that includes the umbrella header, -O0", "libtorch", times["libtorch"], times["tapir"],
                     limit_ns=1.5e9, note=note)]


def library_size(options):
    sizes = {}
    for side, names in {"libtorch": ("libtorch.so", "libtorch_cpu.so", "libc10.so"), "tapir": ("libtapir.so",)}.items():
        listing = subprocess.run(["ldd", BUILD / side / "bench_startup"], stdout=subprocess.PIPE, text=True, check=True).stdout
        sizes[side] = 0
        for line in listing.splitlines():
            name, _, path = line.strip().partition(" => ")
            if name.startswith(names):
                with tempfile.NamedTemporaryFile() as stripped:
                    subprocess.run(["strip", "-o", stripped.name, path.split()[0]], check=True)
                    sizes[side] += os.path.getsize(stripped.name)
    return [size_row("the library, stripped", sizes["libtorch"], sizes["tapir"], 10e6)]


# -------------------------------------------------------------------------------------------------------- a busy machine

class Hogs:
    """Two processes that keep two cores busy while they are awake."""

    def __enter__(self):
        self.processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
        self.sleep()
        return self

    def __exit__(self, *_):
        for p in self.processes:
            p.kill()
            p.wait()

    def signal(self, what):
        for p in self.processes:
            p.send_signal(what)

    def sleep(self):
        self.signal(signal.SIGSTOP)

    def wake(self):
        self.signal(signal.SIGCONT)


def busy_rows(workloads, options):
    """Each workload alone and beside two busy processes, both libraries: how many times slower."""
    rows = []
    with Hogs() as hogs:
        for label, program, case, _, products in workloads:
            best = best_configuration("libtorch", program, [case], candidates(products, TUNED_MALLOC), options.seconds)
            slower = {"libtorch": [], "tapir": []}
            busy_ns = []
            for _ in range(options.rounds):
                for side, configuration in (("libtorch", best), ("tapir", DEFAULT)):
                    alone = run_program(side, program, [case], configuration, options.seconds)[case]["median_ns"]
                    hogs.wake()
                    try:
                        busy = run_program(side, program, [case], configuration, options.seconds * 2)[case]["median_ns"]
                    finally:
                        hogs.sleep()
                    slower[side].append(busy / alone)
                    if side == "tapir":
                        busy_ns.append(busy)
            ours = statistics.median(slower["tapir"])
            rows.append({"row": label, "reference": f"libtorch, {best.name}", "slower_libtorch": statistics.median(slower["libtorch"]),
                         "slower_tapir": ours, "least": min(slower["tapir"]), "greatest": max(slower["tapir"]),
                         "tapir_ns": statistics.median(busy_ns), "bar": BUSY_BAR, "pass": ours <= BUSY_BAR, "note": ""})
            say(f"  {label}: libtorch {rows[-1]['slower_libtorch']:.1f}, Tapir {ours:.1f} times slower")
    return rows


# ------------------------------------------------------------------------------------------------------------- the table

def figure_ns(ns):
    for unit, scale in (("ns", 1), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)):
        if ns < 1000 * scale or unit == "s":
            return f"{ns / scale:.3g} {unit}" if ns < 100 * scale else f"{ns / scale:.0f} {unit}"


def figure_bytes(n):
    return f"{n / 1e9:.2g} GB" if n >= 1e9 else f"{n / 1e6:.3g} MB"


def figure_bar(bar):
    return f"1/{1 / bar:.0f}" if abs(1 / bar - round(1 / bar)) < 1e-9 and bar < 1 else f"{bar:.3g}"


def table(rows, busy):
    if busy:
        yield "| workload | libtorch slower by | Tapir slower by | spread | at most | |"
        yield "|---|---|---|---|---|---|"
    else:
        yield "| workload | reference | Tapir | Tapir ÷ reference | at most | |"
        yield "|---|---|---|---|---|---|"
    for r in rows:
        verdict = ("pass" if r["pass"] else "**miss**") + (f" ({r['note']})" if r["note"] else "")
        if busy:
            yield (f"| {r['row']} | {r['slower_libtorch']:.1f} | {r['slower_tapir']:.1f} | {r['least']:.1f}–{r['greatest']:.1f} "
                   f"| {r['bar']:g} | {verdict} |")
            continue
        if "tapir_bytes" in r:
            theirs, ours = figure_bytes(r["reference_bytes"]), figure_bytes(r["tapir_bytes"])
            ratio, bar = f"{r['ratio']:.3g}", figure_bytes(r["limit_bytes"])
        elif "rates" in r:
            theirs, ours = (f"{r['rates'][side]:,.0f} {r['unit']}/s" for side in ("reference", "tapir"))
            ratio = f"{r['ratio']:.3g} ({r['least']:.3g}–{r['greatest']:.3g})"
            bar = f"at least {r['least_rate']:,} {r['unit']}/s"
        else:
            theirs, ours = figure_ns(r["reference_ns"]), figure_ns(r["tapir_ns"])
            ratio = f"{r['ratio']:.3g} ({r['least']:.3g}–{r['greatest']:.3g})"
            bar = figure_ns(r["limit_ns"]) if r["limit_ns"] else figure_bar(r["bar"])
        yield f"| {r['row']} | {theirs} ({r['reference']}) | {ours} | {ratio} | {bar} | {verdict} |"


def machine():
    model = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                 os.uname().machine)
    return f"{model}, {CORES} cores, {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="rows whose case or text contains NAME; repeatable")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of alternation (5)")
    parser.add_argument("--seconds", type=float, default=0.5, help="measured time per case and process (0.5)")
    parser.add_argument("--busy", action="store_true", help="measure the slow-down beside two busy processes instead")
    parser.add_argument("--smoke", action="store_true", help="one short round of everything: does it run?")
    parser.add_argument("--json", metavar="FILE", help="write the rows there as well")
    parser.add_argument("--torch-dir", default=os.environ.get("Torch_DIR"),
                        help="folder of libtorch's TorchConfig.cmake (default: $Torch_DIR, or where CMake finds it)")
    parser.add_argument("--data", metavar="DIR", help="train whole programs on the text, trees and tags in DIR too")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they are")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.seconds = 1, 0.02
    if not shutil.which("ninja") or not shutil.which("cmake"):
        sys.exit("run.py: needs cmake and ninja")
    if not options.no_build:
        say("Building")
        build(options.torch_dir)

    def wanted(*names):
        return not options.only or any(o in n for o in options.only for n in names)

    chosen = [w for w in WORKLOADS if wanted(w[0], w[2])]
    load = os.getloadavg()[0]
    say(f"Measuring; the load average is {load:.2f}" + (": another process will disturb the figures" * (load > 0.5)))
    rows = []

    def add(new):
        rows.extend(new)
        for r in new:
            say("  " + next(line for line in list(table([r], False))[2:]))

    if options.busy:
        rows = busy_rows(chosen, options)
    else:
        for workload in chosen:
            add([against_libtorch(*workload, options)])
            label, program, case, *_ = workload
            if program == "big_pointwise":
                add([against_bare_loop(label + ", against a bare loop", case, options)])
            if program == "mm":
                add([against_blas(label + ", against BLAS", int(case.partition("/n")[2]), options)])
        if options.data:
            for row in program_rows(options, wanted):
                add([row])
        for name, measure in (("compile", compile_time), ("size", library_size), ("startup", start_up)):
            if wanted(name):
                add(measure(options))

    about = {"date": datetime.date.today().isoformat(), "machine": machine(), "rounds": options.rounds,
             "libtorch": cached("libtorch", "BENCH_LIBRARY_VERSION"), "tapir": cached("tapir", "BENCH_LIBRARY_VERSION"),
             "busy": options.busy}
    print(f"{about['date']}, {about['machine']}; libtorch {about['libtorch']}, Tapir {about['tapir']}; "
          f"{options.rounds} rounds" + ("; beside two busy processes" if options.busy else "") + "\n")
    print("\n".join(table(rows, options.busy)))
    if options.json:
        Path(options.json).write_text(json.dumps(about | {"rows": rows}, indent=1, ensure_ascii=False) + "\n")
    return 1 if any("different values" in r["note"] for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
