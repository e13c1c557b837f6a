# SPDX-License-Identifier: MIT
"""Where the programs under test are, and the environment that they are run with."""
import json
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LIEGE_BUILD", ROOT / "build")).resolve()
APPS = ROOT / "tests" / "apps"
EXAMPLES = ROOT / "examples"

LIEGE = BUILD / "liege"
INSTANCE = BUILD / "liege-instance"

# Seconds that anything may take before a test fails. Generous: it is only spent on failure, and the
# sanitizers make a loaded machine slow.
PATIENCE = float(os.environ.get("LIEGE_TEST_PATIENCE", 30))


def sanitized():
    """True if the build under test has the sanitizers in it."""
    options = BUILD / "meson-info" / "intro-buildoptions.json"
    if not options.exists():
        return False
    return any(o["name"] == "b_sanitize" and o["value"] != "none"
               for o in json.loads(options.read_text()))


def environment(report_dir, **extra):
    """The variables for a program under test. Sanitizers write what they find into files
    "report.PID" below @report_dir, wherever the program's own output goes."""
    env = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(report_dir),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PERL_HASH_SEED": "0",
    }
    if sanitized():
        common = f"log_path={report_dir}/report:log_exe_name=0"
        # All plugins have one symbol of the same name and type: 1 looks for differing sizes only.
        env["ASAN_OPTIONS"] = (f"{common}:detect_leaks=1:exitcode=99:strict_string_checks=1:"
                               "detect_odr_violation=1")
        env["UBSAN_OPTIONS"] = f"{common}:print_stacktrace=1:halt_on_error=1"
        env["LSAN_OPTIONS"] = (f"{common}:exitcode=99:print_suppressions=0:suppressions="
                               f"{ROOT}/tests/harness/leaks.supp")
    env.update({k: str(v) for k, v in extra.items()})
    return env
