"""GoogleTest programs as lit tests: each TEST counts by itself."""
import os

import lit.formats

config.name = "Kiln-Unit"
config.suffixes = []
config.test_source_root = os.path.join(config.kiln_build, "test", "unit")
config.test_exec_root = config.test_source_root
config.test_format = lit.formats.GoogleTest(".", "Test")
config.environment["HOME"] = os.environ.get("HOME", "/root")
# Allocators of LLVM poison what they have not given out yet, but LLVM's own library, which is built
# without sanitizers, shares them and does not take the poison away.
config.environment["ASAN_OPTIONS"] = "allow_user_poisoning=0"
