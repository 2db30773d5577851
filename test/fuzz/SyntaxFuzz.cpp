//===- SyntaxFuzz.cpp - damaged model files ---------------------------------===//
//
// SyntaxFuzz SEED COUNT: makes COUNT texts by damaging a good one that uses the whole grammar, and
// parses, dumps and reports them. Prints how many had no error.
//
//===----------------------------------------------------------------------===//
#include "frontend/syntax/Parser.h"
#include "test/fuzz/Damage.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <random>

using namespace kiln;
using namespace kiln::fuzz;

static constexpr char good[] = R"(import nn
import "block.kiln" as block
const EPS = 1e-5
fn gelu_tanh[D: float, N <= 2 * 8](x: D[..., N // 2], k: int | [[int]] = 1) -> D[...] {
  return 0.5 * x * (1 + tanh(0.79 * (x + 0.044 * x ** -2 as f32))) if not (a < 3) else x
}
layer Linear(n: int, bias: bool = true) {
  param weight: f32[n, _]   # a comment
  if bias { param bias: f32[n] } else if n == 2 { buffer b: i8[n]; state c: f32[2] = 0 }
  ignore "x.*", "y\n\"é"
  private fn forward(x: f32[..., n]) -> (label: i64[N], p: f32[2*H+1]) {
    q, _, self.s[0, ..., 1:] = split(x, [2, 0x5], axis = -1)[:, ::2, a : a + T]
    ys, h = scan a, b in x, m axis 1 reverse
      with h = h0, c = 9_000 {
      h = a @ transpose(self.w) % 3 << 2 | h & 1 ^ 5
      yield h, a
    }
    t = while not done and x.y[0] limit max_new with t = p { t = t + 1 }
    for b, c in self.layer1 { x = b(x) }
    return argmax(p), -9223372036854775808
  }
}
model M {
  layer1 = [Bottleneck(64 if i == 0 else 256) for i in range(3) for j in [1, 2,]]
  tie layer1.0.weight = layer1.0.1.b
}
recipe int8 for M {
  prune "layer4.*" to 2:4
  require error < 0.01
}
)";

int main(int argc, char **argv) {
  uint64_t seed = 0, count = 0;
  if (argc != 3 || llvm::StringRef(argv[1]).getAsInteger(10, seed) ||
      llvm::StringRef(argv[2]).getAsInteger(10, count)) {
    llvm::errs() << "usage: SyntaxFuzz SEED COUNT\n";
    return 1;
  }
  std::mt19937_64 random(seed);
  uint64_t sound = 0;
  for (uint64_t i = 0; i < count; ++i) {
    std::string text = good, out;
    if (i)
      damage(text, random);
    llvm::SourceMgr sources;
    Diagnostics diags(sources);
    unsigned id = sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, "fuzz"),
                                             llvm::SMLoc());
    ast::AstArena arena;
    ast::File file = parseFile(id, diags, arena);
    llvm::raw_string_ostream os(out);
    file.dump(os);
    diags.print(os);
    sound += !diags.hasErrors();
    if (i == 0 && diags.hasErrors()) {
      llvm::errs() << "the good text has errors:\n" << out;
      return 1;
    }
  }
  llvm::outs() << "seed " << seed << ": " << sound << " of " << count << " texts without error\n";
  return 0;
}
