//===- SyntaxTest.cpp - lexer, parser and their errors ----------------------===//
#include "frontend/syntax/Parser.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

using namespace kiln;

namespace {

/// A text parsed: the dump of its tree, and its errors as "line:column code".
struct Parsed {
  std::string tree, errors, printed;
  unsigned count = 0;

  explicit Parsed(std::string text) {
    llvm::SourceMgr sources;
    Diagnostics diags(sources);
    unsigned id = sources.AddNewSourceBuffer(
        llvm::MemoryBuffer::getMemBufferCopy(text, "test.kiln"), llvm::SMLoc());
    ast::AstArena arena;
    ast::File file = parseFile(id, diags, arena);
    llvm::raw_string_ostream os(tree), printedOs(printed);
    file.dump(os);
    diags.print(printedOs);
    count = diags.numErrors();
    for (const auto &error : diags.sorted()) {
      auto [line, column] = sources.getLineAndColumn(error.range.Start, id);
      errors +=
          std::to_string(line) + ":" + std::to_string(column) + " " + name(error.code).str() + "\n";
    }
  }
};

std::string repeat(const std::string &text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i)
    out += text;
  return out;
}

/// The dump of an expression.
std::string expr(const std::string &text) {
  Parsed parsed("const X = " + text + "\n");
  EXPECT_EQ(parsed.printed, "") << text;
  EXPECT_GE(parsed.tree.size(), 12u) << text;
  return parsed.tree.size() < 12 ? "" : parsed.tree.substr(9, parsed.tree.size() - 11);
}

/// The dump of the body of a function of a model.
std::string body(const std::string &text) {
  Parsed parsed("model M {\nfn f() {\n" + text + "\n}\n}\n");
  EXPECT_EQ(parsed.printed, "") << text;
  const std::string head = "(model M\n  (fn f\n    ";
  EXPECT_EQ(parsed.tree.substr(0, head.size()), head);
  return parsed.tree.substr(head.size(), parsed.tree.size() - head.size() - 3);
}

/// The errors of the body of a function, lines counted from 1.
std::string bodyErrors(const std::string &text) {
  return Parsed("model M { fn f() {" + text + "\n}}").errors;
}

TEST(Expressions, precedence) {
  EXPECT_EQ(expr("1 + 2 * 3 - 4"), "(- (+ 1 (* 2 3)) 4)");
  EXPECT_EQ(expr("a or b and not c == d | e ^ f & g << h"),
            "(or a (and b (not (== c (| d (^ e (& f (<< g h))))))))");
  EXPECT_EQ(expr("-a ** -b ** c"), "(- (** a (- (** b c))))");
  EXPECT_EQ(expr("a ** b ** c"), "(** a (** b c))");
  EXPECT_EQ(expr("-x as f16 @ y"), "(@ (- (as x f16)) y)");
  EXPECT_EQ(expr("x ** y.z as f32"), "(** x (as (. y z) f32))");
  EXPECT_EQ(expr("a if b or c else d if e else f"), "(if (or b c) a (if e d f))");
  EXPECT_EQ(expr("a // b / c % d"), "(% (/ (// a b) c) d)");
  EXPECT_EQ(expr("not not a"), "(not (not a))");
  EXPECT_EQ(expr("- - 2"), "(- (- 2))");
  EXPECT_EQ(expr("(a + b) * c"), "(* (+ a b) c)");
}

TEST(Expressions, postfixAndLists) {
  EXPECT_EQ(expr("f(x, 3, axis = -1)[0].y"), "(. (index (call f x 3 axis=(- 1)) 0) y)");
  EXPECT_EQ(expr("x[:, 1:, -1]"), "(index x (slice nil nil nil) (slice 1 nil nil) (- 1))");
  EXPECT_EQ(expr("x[..., :k, ::2, a : a + T : s]"),
            "(index x ... (slice nil k nil) (slice nil nil 2) (slice a (+ a T) s))");
  EXPECT_EQ(expr("[[1, 2,], []]"), "(list (list 1 2) (list))");
  EXPECT_EQ(expr("[B(64 if i == 0 else 256) for i in range(3)]"),
            "(comprehension (call B (if (== i 0) 64 256)) for (i) in (call range 3))");
  EXPECT_EQ(expr("[a for c, n in s for i in range(n)]"),
            "(comprehension a for (c n) in s for (i) in (call range n))");
}

TEST(Expressions, numbers) {
  EXPECT_EQ(expr("9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(expr("-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(expr("0xFF + 1_000"), "(+ 255 1000)");
  EXPECT_EQ(expr("[1e-5, 1.5, 2., 1E3]"), "(list 1e-05 1.5 2.0 1000.0)");
  for (const char *bad : {"9223372036854775808", "0x", "1__0", "3x", "007", "1e999", "1_",
                          "0x1ffffffffffffffff", "1e"})
    EXPECT_EQ(Parsed(std::string("const X = ") + bad).errors, "1:11 invalid-number\n") << bad;
  EXPECT_EQ(Parsed("const X = " + repeat("9", 100000)).errors, "1:11 invalid-number\n");
}

TEST(Expressions, strings) {
  EXPECT_EQ(expr("\"a\\n\\\"é\""), "\"a\\n\\\"\\303\\251\"");
  EXPECT_EQ(Parsed("const X = \"abc\nconst Y = 1\n").errors, "1:11 invalid-string\n");
  EXPECT_EQ(Parsed("const X = \"a\\q\"\n").errors, "1:11 invalid-string\n");
  EXPECT_EQ(Parsed("const X = \"abc\\").errors, "1:11 invalid-string\n");
}

TEST(Newlines, continueAndEnd) {
  EXPECT_EQ(body("x = a +\n  b\ny = f(\n1\n,\n2)"), "(= x (+ a b))\n    (= y (call f 1 2))");
  EXPECT_EQ(body("x =\n 1; y = 2 ;; z = 3"), "(= x 1)\n    (= y 2)\n    (= z 3)");
  EXPECT_EQ(body("if a { x = 1 }\nelse { x = 2 }"),
            "(if a\n      (= x 1)\n     else\n      (= x 2))");
  EXPECT_EQ(body("if a { x = 1 } else if b { x = 2 }\n\n"),
            "(if a\n      (= x 1)\n     else\n      (if b\n        (= x 2)))");
  EXPECT_EQ(body("x = a if b # why\n  else c"), "(= x (if b a c))");
  EXPECT_EQ(body("t, _ = while not d limit n\n  with t = p, d = false { t = t }"),
            "(= t _ (while (not d) limit n (with t p) (with d false)\n      (= t t)))");
  EXPECT_EQ(body("with = 1\naxis = with"), "(= with 1)\n    (= axis with)");
  EXPECT_EQ(bodyErrors("\nx = 1 y = 2\nz = 3"), "2:7 unexpected-token\n");
}

TEST(Statements, bindings) {
  EXPECT_EQ(body("q, _, self.s[0] = split(x, 3)\nk[:, p : p + T] = v\nself.n = 1\nreturn q, k"),
            "(= q _ (index (. self s) 0) (call split x 3))\n"
            "    (= (index k (slice nil nil nil) (slice p (+ p T) nil)) v)\n"
            "    (= (. self n) 1)\n    (return q k)");
  EXPECT_EQ(bodyErrors("f(x) = 1"), "1:19 invalid-target\n");
  EXPECT_EQ(bodyErrors("a.b = 1"), "1:19 invalid-target\n");
  EXPECT_EQ(bodyErrors("f(x)"), "1:19 unused-value\n");
  EXPECT_EQ(bodyErrors("a < b < c"), "1:25 chained-comparison\n");
  EXPECT_EQ(bodyErrors("x = f(a = 1, 2)"), "1:32 argument-order\n");
  EXPECT_EQ(bodyErrors("x = f(a = 1, a = 2)"), "1:32 duplicate-name\n");
  EXPECT_EQ(bodyErrors("yield x"), "1:19 misplaced-statement\n");
  EXPECT_EQ(bodyErrors("for = 1"), "1:23 unexpected-token\n");
}

TEST(Statements, scan) {
  EXPECT_EQ(body("ys, h = scan a, b in x, m axis 1 reverse with h = h0 {\n h = h + a\n yield h }"),
            "(= ys h (scan (a b) x m axis 1 reverse (with h h0)\n"
            "      (= h (+ h a))\n      (yield h)))");
  EXPECT_EQ(bodyErrors("y = scan a, b in x { yield a }"), "1:23 unexpected-token\n");
}

TEST(Declarations, all) {
  Parsed parsed(R"(import nn
import "b.kiln" as b
const EPS = 1e-5
fn g[D: float, N <= 2 * 8](x: D[..., N // 2], k: int | [[int]] = 1, y: D[_..., 2] = 2) -> D[...] { return x }
layer L(n: int, bias: bool = true) {
  param weight: f32[n, _]
  if bias { buffer b: f32[n] }
  state cache: f32[2] = 0
  ignore "x.*", "y"
  private fn h(a: f32) -> (label: i64[N], f32) { return a, a }
}
model M {
  a = [L(1), nn.ReLU()]
  tie a.0.weight = layer.0.1.weight
}
recipe r for M {
  prune "layer4.*" to 2:4

  require error < 0.01 }
)");
  EXPECT_EQ(parsed.printed, "");
  EXPECT_EQ(parsed.tree, R"((import nn as nn)
(import "b.kiln" as b)
(const EPS 1e-05)
(fn g [D: float] [N <= (* 2 8)] (x: D[..., (// N 2)]) (k: (| int (list (list int))) = 1) (y: D[_..., 2] = 2) -> D[...]
  (return x))
(layer L (n: int) (bias: bool = true)
  (param weight f32[n, _])
  (if bias
    (buffer b f32[n]))
  (state cache f32[2] = 0)
  (ignore "x.*" "y")
  (private-fn h (a: f32) -> label: i64[N] f32
    (return a a)))
(model M
  (= a (list (call L 1) (call (. nn ReLU))))
  (tie a.0.weight layer.0.1.weight))
(recipe r for M
  (prune "layer4.*" to 2 : 4)
  (require error < 0.01))
)");
}

TEST(Recovery, severalErrorsInOneRun) {
  Parsed parsed(R"(model M {
  fn f(x: f32[N,, 2]) { return x }
  fn g(x: f32) -> f32 {
    y = x + * 2
    z = (x
    return z)
  }
  fn h() { a = $ ; b = 1 1 }
  param w f32
  good = L()
}
)");
  EXPECT_EQ(parsed.errors,
            "2:17 unexpected-token\n4:13 unexpected-token\n6:5 unexpected-token\n"
            "8:16 invalid-character\n8:26 unexpected-token\n9:11 unexpected-token\n");
  EXPECT_NE(parsed.tree.find("(= good (call L))"), std::string::npos);
}

TEST(Recovery, messages) {
  EXPECT_EQ(Parsed("modle M {}\nconst A = 1\n").printed,
            "test.kiln:1:1: error: 'modle' cannot stand at the top of a file, did you mean 'model' "
            "[misplaced-statement] [K0211]\n  modle M {}\n  ^~~~~\n");
  EXPECT_EQ(Parsed("fn f(x: f32, x: f32) {}").printed,
            "test.kiln:1:14: error: the name 'x' stands twice [duplicate-name] [K0302]\n"
            "  fn f(x: f32, x: f32) {}\n               ^\n"
            "test.kiln:1:6: note: the first one is here\n"
            "  fn f(x: f32, x: f32) {}\n       ^\n");
  EXPECT_EQ(Parsed("fn f(x: f32[..., 1, ...]) {}").errors, "1:21 repeated-ellipsis\n");
  EXPECT_EQ(Parsed("fn f(x: f32[..., 1, _...]) {}").errors, "1:21 repeated-ellipsis\n");
  EXPECT_EQ(Parsed("fn layer() {}").errors, "1:4 reserved-name\n");
  EXPECT_EQ(Parsed("layer L { param w: f32 = 0 }").errors, "1:24 misplaced-statement\n");
}

TEST(Hostile, bytes) {
  EXPECT_EQ(Parsed(std::string("const A = 1\n\0\0const B = 2\n", 26)).errors,
            "2:1 invalid-character\n");
  EXPECT_EQ(Parsed("# ok é\n# \xff\n").errors, "2:1 invalid-character\n");
  EXPECT_EQ(Parsed("const A = \"\xc3\"").errors, "1:11 invalid-character\n");
  EXPECT_EQ(Parsed("const \xc3\xa9 = 1").errors, "1:7 invalid-character\n");
  EXPECT_EQ(Parsed("\xEF\xBB\xBF"
                   "const A = 1\r\nconst B = 2\r\n")
                .tree,
            "(const A 1)\n(const B 2)\n");
  EXPECT_EQ(Parsed("").printed, "");
}

TEST(Hostile, nesting) {
  for (const char *open : {"(", "[", "- ", "not ", "f(", "x[", "1 if (", "2 ** "}) {
    EXPECT_EQ(Parsed("const X = " + repeat(open, 10000)).count > 0, true) << open;
    EXPECT_NE(Parsed("const X = " + repeat(open, 10000) + "1").printed.find("256"),
              std::string::npos)
        << open;
  }
  for (const char *more : {"+ 1 ", ".x", "(0)", "[0]", " as f32"}) {
    Parsed parsed("const X = a" + repeat(more, 10000));
    EXPECT_EQ(parsed.errors, "1:11 nested-too-deeply\n") << more;
  }
  Parsed blocks("model M {" + repeat("if a {", 10000) + repeat("}", 10000) + "}");
  EXPECT_EQ(blocks.count, 1u);
  Parsed elses("model M { if a {}" + repeat(" else if a {}", 10000) + "}");
  EXPECT_EQ(elses.count, 1u);
  Parsed types("fn f(x: " + repeat("[", 10000) + "int" + repeat("]", 10000) + ") {}");
  EXPECT_EQ(types.count, 1u);
  EXPECT_EQ(Parsed("const X = " + repeat("(", 200) + "1" + repeat(")", 200)).printed, "");
}

TEST(Hostile, limits) {
  Parsed many(repeat("$\n", 1000));
  EXPECT_LE(std::count(many.errors.begin(), many.errors.end(), '\n'), 20);
  EXPECT_EQ(Parsed(std::string(maxSourceSize + 1, ' ')).errors, "1:1 file-too-large\n");
  Parsed line("const X = \"" + repeat("é", 50000) + "\" $");
  EXPECT_LT(line.printed.size(), 1000u);
}

TEST(Diagnostics, nearest) {
  EXPECT_EQ(nearest("lenght", {"length", "limit"}), "length");
  EXPECT_EQ(nearest("zzz", {"length", "limit"}), "");
  EXPECT_EQ(nearest("H", {"N"}), "");
  EXPECT_EQ(inQuotes(std::string("a\0b", 3)), "'a\\x00b'");
}

} // namespace
